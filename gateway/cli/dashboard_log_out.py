"""``dashboard log-out``: the end of one session, or of all."""

from argparse import Namespace
from urllib.parse import quote

from gateway.cli.answers import show_done
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway


def run(args: Namespace) -> int:
    """End them at once."""
    path = "dashboard/sessions"
    if args.id is not None:
        path += f"/{quote(args.id, safe='')}"
    ended = request_local(live_gateway(args), "DELETE", path)["ended"]
    said = f"Logged out of {ended} browser{'' if ended == 1 else 's'}."
    return show_done(args, {"ended": ended}, said)
