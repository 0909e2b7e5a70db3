"""``token list``: what tokens there are."""

from argparse import Namespace

from gateway.cli.exits import Exit
from gateway.cli.table import format_instant, format_table
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
            format_instant(token["created_at"]),
            format_instant(token["expires_at"]),
            format_instant(token["last_used_at"]),
            format_instant(token["revoked_at"]),
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
