"""``dashboard link``: a fresh one-time login."""

from argparse import Namespace

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway


def run(args: Namespace) -> int:
    """Print the link and nothing else."""
    live = live_gateway(args)
    link = request_local(live, "POST", "dashboard/links")
    public = request_local(live, "GET", "reach")["public"]
    # A browser is logged in at the one address that it came by, which claude.ai sends it to.
    base = public if public and link["everywhere"] else live.url
    return show(args, {"link": base + link["path"]}, lambda made: made["link"])
