"""``dashboard-link``: a fresh one-time login."""

from argparse import Namespace

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway


def run(args: Namespace) -> int:
    """Print the link and nothing else."""
    live = live_gateway(args)
    print(live.url + request_local(live, "POST", "dashboard-link")["path"])
    return Exit.OK
