"""``approvals list``: the tools that are not served until their owner approves."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table

HEADINGS = ("SERVER", "TOOL", "DIGEST", "SINCE", "STANDING", "REASON")


def run(args: Namespace) -> int:
    """Print a table."""
    return show(args, request_local(live_gateway(args), "GET", "approvals"), _table)


def _table(answer: Any) -> str:
    rows = [
        (
            each["server"],
            each["tool"],
            each["digest"],
            datetime.fromtimestamp(each["since"], UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "rejected" if each["rejected"] else "waits",
            each["reason"],
        )
        for each in answer["approvals"]
    ]
    return format_table(HEADINGS, rows) if rows else "No tool waits for approval."
