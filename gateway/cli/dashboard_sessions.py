"""``dashboard sessions``: the browsers in which the owner is logged in."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway
from gateway.cli.table import format_instant, format_table

HEADINGS = ("ID", "BY", "SINCE", "LAST USED", "UNTIL", "ADDRESS", "BROWSER")
BROWSER_CHARACTERS = 60


def run(args: Namespace) -> int:
    """Print a table."""
    return show(args, request_local(live_gateway(args), "GET", "dashboard/sessions"), _table)


def _table(answer: Any) -> str:
    rows = [
        (
            session["id"],
            session["way"],
            format_instant(session["created_at"]),
            format_instant(session["last_used_at"]),
            format_instant(session["expires_at"]),
            session["address"],
            ascii(session["agent"][:BROWSER_CHARACTERS])[1:-1],
        )
        for session in answer["sessions"]
    ]
    return format_table(HEADINGS, rows) if rows else "Nobody is logged in."
