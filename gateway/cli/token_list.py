"""``token list``: what tokens there are."""

from argparse import Namespace
from datetime import UTC, datetime

from gateway.cli.exits import Exit
from gateway.cli.table import format_table
from gateway.cli.tokens import open_desk

HEADINGS = ("ID", "NAME", "SCOPES", "SHOWS", "CREATED", "EXPIRES", "LAST USED", "REVOKED")
SHOWN = 3
"""Servers and tools of a token, in a table."""


def run(args: Namespace) -> int:
    """Print a table."""
    rows = [
        (
            token["id"],
            token["name"],
            " ".join(token["scopes"]),
            _shows(token["shows"]),
            _instant(token["created_at"]),
            _instant(token["expires_at"]),
            _instant(token["last_used_at"]),
            _instant(token["revoked_at"]),
        )
        for token in open_desk(args).all()
    ]
    print(format_table(HEADINGS, rows) if rows else "No tokens.")
    return Exit.OK


def _shows(tools: list[str] | None) -> str:
    if tools is None:
        return "everything"
    more = f" and {len(tools) - SHOWN} more" if len(tools) > SHOWN else ""
    return " ".join(tools[:SHOWN]) + more


def _instant(ms: int | None) -> str:
    if ms is None:
        return "-"
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
