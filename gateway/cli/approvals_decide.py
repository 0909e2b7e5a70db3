"""``approvals approve`` and ``approvals reject``: the owner's word on one definition of a tool."""

from argparse import Namespace

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway


def run(args: Namespace) -> int:
    """Send the decision to the gateway and say what became of it."""
    asked = {
        "server": args.server,
        "tool": args.tool,
        "digest": args.digest,
        "decision": args.decision,
    }
    decided = request_local(live_gateway(args), "POST", "approvals", asked)
    served = "is served again" if args.decision == "approve" else "stays out"
    said = f"Tool {args.tool!r} of server {args.server!r} {served}."
    return show(args, decided, lambda _: said)
