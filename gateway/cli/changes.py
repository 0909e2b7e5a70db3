"""``changes``: new code of servers with credentials, which waits for its owner's word."""

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain

HEADINGS = ("SERVER", "VERSION", "AUTHOR", "SINCE")


def run(args: Namespace) -> int:
    """Carry out the action."""
    live = live_gateway(args)
    if args.action in ("approve", "reject"):
        asked = {"server": args.server, "version": args.number, "decision": args.action}
        print(request_local(live, "POST", "changes", asked)["message"])
        return Exit.OK
    if args.action == "list":
        rows = [_row(each) for each in request_local(live, "GET", "changes")["changes"]]
        print(format_table(HEADINGS, rows) if rows else "No new code waits for approval.")
        return Exit.OK
    shown = request_local(live, "GET", f"changes/{quote(args.server, safe='')}/{args.number}")
    print("\n".join(plain(line) for line in shown["difference"].split("\n")))
    print(f"Start it with: ./claude-runner changes approve {args.server} {args.number}")
    return Exit.OK


def _row(change: Mapping[str, Any]) -> tuple[str, str, str, str]:
    since = datetime.fromtimestamp(change["made_at"] / 1000, UTC)
    return (
        change["server"],
        str(change["version"]),
        change["author"],
        since.strftime("%Y-%m-%d %H:%M UTC"),
    )
