"""``approvals show``: what was approved of a tool, what waits, and how they differ."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import plain


def run(args: Namespace) -> int:
    """Print both definitions and the command that approves the new one."""
    found = request_local(live_gateway(args), "GET", "approvals")["approvals"]
    asked = (args.server, args.tool)
    each = next((one for one in found if (one["server"], one["tool"]) == asked), None)
    if each is None:
        raise Failure(
            Exit.FAILED, f"Tool {args.tool!r} of server {args.server!r} is not quarantined."
        )
    return show(args, each, _text)


def _text(each: Any) -> str:
    return (
        f"{plain(each['tool'])} of {each['server']}: {each['reason']}.\n"
        f"\nApproved:\n{each['approved'] or 'nothing; the tool is new'}\n"
        f"\nListed now, {each['digest']}:\n{each['listed']}\n"
        f"\nDifference:\n{each['difference']}\n"
        f"\nServe it with: ./claude-runner approvals approve {each['server']} "
        f"{plain(each['tool'])} {each['digest']}"
    )
