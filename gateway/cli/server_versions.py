"""``servers versions``, ``diff`` and ``rollback``."""

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import ask, lines, show, show_change
from gateway.cli.catalog_updates import show_changed
from gateway.cli.client import request_local
from gateway.cli.home import live_gateway
from gateway.cli.servers import DYNAMIC, kind_of
from gateway.cli.table import format_table

HEADINGS = ("VERSION", "NOW", "ORIGIN", "AUTHOR", "MADE", "RESULT", "REASON")


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "versions":
            versions = ask(args, "list_server_versions", name=args.server, limit=args.limit)
            return show(args, versions, _table)
        case "diff":
            asked = {"name": args.server, "old": args.old, "new": args.new}
            return show(args, ask(args, "diff_server_versions", **asked), _diff)
        case _ if kind_of(args) != DYNAMIC:
            wish = {"version": args.version}
            path = f"catalog/{quote(args.server, safe='')}/rollback"
            return show_changed(args, request_local(live_gateway(args), "POST", path, wish))
        case _:
            asked = {"name": args.server, "version": args.version}
            return show_change(args, ask(args, "rollback_mcp_server", **asked))


def _table(answer: Any) -> str:
    rows = [
        (
            each["number"],
            "*" if each["current"] else "",
            each["origin"],
            each["author"],
            each["made_at"],
            each["result"],
            each["reason"],
        )
        for each in answer["versions"]
    ]
    return format_table(HEADINGS, rows) if rows else "It has no versions."


def _diff(answer: Any) -> str:
    cut = "\n(the rest is too long)" if answer["cut"] else ""
    return lines(answer["diff"].rstrip("\n")) + cut if answer["diff"] else "Nothing differs."
