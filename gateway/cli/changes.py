"""``changes``: new code of servers with credentials, which waits for its owner's word."""

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import lines, show, show_message
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

HEADINGS = ("SERVER", "VERSION", "AUTHOR", "SINCE")


def run(args: Namespace) -> int:
    """Carry out the action."""
    live = live_gateway(args)
    if args.action in ("approve", "reject"):
        asked = {"server": args.server, "version": args.number, "decision": args.action}
        return show_message(args, request_local(live, "POST", "changes", asked))
    if args.action == "list":
        return show(args, request_local(live, "GET", "changes"), _table)
    path = f"changes/{quote(args.server, safe='')}/{args.number}"
    start = f"Start it with: ./claude-runner changes approve {args.server} {args.number}"
    return show(
        args,
        request_local(live, "GET", path),
        lambda shown: f"{lines(shown['difference'])}\n{start}",
    )


def _table(answer: Any) -> str:
    rows = [_row(each) for each in answer["changes"]]
    return format_table(HEADINGS, rows) if rows else "No new code waits for approval."


def _row(change: Mapping[str, Any]) -> tuple[str, str, str, str]:
    since = datetime.fromtimestamp(change["made_at"] / 1000, UTC)
    return (
        change["server"],
        str(change["version"]),
        change["author"],
        since.strftime("%Y-%m-%d %H:%M UTC"),
    )
