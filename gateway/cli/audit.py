"""``audit``: who did what, as a table, as lines of JSON, or as it happens."""

import json
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain
from gateway.local import LiveGateway

HEADINGS = ("TIME", "WHO", "WHAT", "SERVER", "TOOL OR TARGET", "ARGUMENTS", "OUTCOME", "MS")
FILTERS = ("since", "who", "server", "tool", "outcome")
LOOK_EVERY_S = 1.0
PAGE = 1000

Entry = dict[str, Any]


def run(args: Namespace) -> int:
    """Print entries, oldest first."""
    live = live_gateway(args)
    asked = {name: value for name in FILTERS if (value := getattr(args, name)) is not None}
    if args.all:
        for entries in _pages(live, asked, after=0):
            _print(entries, args)
        return Exit.OK
    newest = _ask(live, {**asked, "limit": str(args.limit)})[::-1]
    _print(newest, args)
    if args.follow:
        _follow(live, asked, args)
    elif not newest and not args.json:
        print("No entry.")
    return Exit.OK


def _follow(live: LiveGateway, asked: dict[str, str], args: Namespace) -> None:
    last = max((entry["number"] for entry in _ask(live, {"limit": "1"})), default=0)
    while True:
        time.sleep(LOOK_EVERY_S)
        for entries in _pages(live, asked, after=last):
            _print(entries, args)
            last = entries[-1]["number"]


def _pages(live: LiveGateway, asked: dict[str, str], after: int) -> Iterator[list[Entry]]:
    while entries := _ask(live, {**asked, "after": str(after), "limit": str(PAGE)}):
        yield entries
        after = entries[-1]["number"]


def _ask(live: LiveGateway, asked: dict[str, str]) -> list[Entry]:
    return request_local(live, "GET", f"audit?{urlencode(asked)}")["entries"]


def _print(entries: list[Entry], args: Namespace) -> None:
    if args.json:
        for entry in entries:
            print(json.dumps(entry), flush=True)
    elif args.follow:
        for entry in entries:
            print("  ".join(plain(cell) for cell in _row(entry) if cell), flush=True)
    elif entries:
        print(format_table(HEADINGS, [_row(entry) for entry in entries]))


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry["at"],
        f"{entry['actor']} {entry['actor_id']}".strip(),
        entry["action"],
        entry["server"],
        entry["tool"] or entry["target"],
        entry["arguments"],
        entry["outcome"],
        f"{entry['took_ms']:.1f}",
    )
