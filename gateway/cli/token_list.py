"""``token list``: what tokens there are."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import show
from gateway.cli.table import format_instant, format_table
from gateway.cli.tokens import open_desk

HEADINGS = ("ID", "NAME", "SCOPES", "SHOWS", "CREATED", "EXPIRES", "LAST USED", "REVOKED")
SHOWN = 3
"""Servers and tools of a token, in a table."""


def run(args: Namespace) -> int:
    """Print a table."""
    return show(args, {"tokens": open_desk(args).all()}, _table)


def _table(answer: Any) -> str:
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
        for token in answer["tokens"]
    ]
    return format_table(HEADINGS, rows) if rows else "No tokens."


def _shows(tools: list[str] | None) -> str:
    if tools is None:
        return "everything"
    more = f" and {len(tools) - SHOWN} more" if len(tools) > SHOWN else ""
    return " ".join(tools[:SHOWN]) + more
