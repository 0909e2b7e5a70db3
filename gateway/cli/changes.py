"""``changes``: new code of servers with credentials, which waits for its owner's word."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
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
    found = request_local(live, "GET", "changes")["changes"]
    if args.action == "list":
        rows = [_row(each) for each in found]
        print(format_table(HEADINGS, rows) if rows else "No new code waits for approval.")
    else:
        _show(found, args.server, args.number)
    return Exit.OK


def _row(change: Mapping[str, Any]) -> tuple[str, str, str, str]:
    since = datetime.fromtimestamp(change["made_at"] / 1000, UTC)
    return (
        change["server"],
        str(change["version"]),
        change["author"],
        since.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _show(found: Sequence[Mapping[str, Any]], server: str, version: int) -> None:
    asked = (server, version)
    each = next((one for one in found if (one["server"], one["version"]) == asked), None)
    if each is None:
        sentence = f"Version {version} of server {server!r} does not wait for approval."
        raise Failure(Exit.FAILED, sentence)
    print("\n".join(plain(line) for line in each["difference"].split("\n")))
    print(f"Start it with: ./claude-runner changes approve {server} {version}")
