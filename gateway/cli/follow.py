"""``runs follow``: a run as it happens, taken up again where the connection broke."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from gateway.cli.client import GatewayUnreachable, stream_local
from gateway.cli.exits import Exit
from gateway.cli.home import live_gateway, read_settings
from gateway.cli.table import plain
from gateway.local import GatewayStarting, LiveGateway, find_live

RECONNECT_S = 60.0
"""A gateway that is restarted is back long before."""
LOOK_EVERY_S = 0.5
CUT = 200
"""Characters that a line about a tool shows of what it was given or answered."""

OUTCOMES = {
    "succeeded": Exit.OK,
    "failed": Exit.FAILED,
    "timed_out": Exit.TIMED_OUT,
    "budget": Exit.BUDGET,
    "cancelled": Exit.CANCELLED,
    "interrupted": Exit.NOT_RUN,
    "expired": Exit.NOT_RUN,
    "skipped": Exit.NOT_RUN,
}

Event = dict[str, Any]


def run(args: Namespace) -> int:
    """Print what a run does until it ends; its end is the status."""
    return follow(args, args.run_id, args.after, as_json=args.json)


def follow(args: Namespace, run_id: str, after: str = "0.0", *, as_json: bool = False) -> Exit:
    """Print the events of a run behind `after`; return how it ended."""
    write: Callable[[Event], None] = _print_json if as_json else Printer()
    for event in events_of(args, run_id, after):
        write(event)
        if event["event"] == "status" and event["final"]:
            return OUTCOMES[event["run"]["status"]]
    raise AssertionError("the events of a run end with its end")


def events_of(args: Namespace, run_id: str, after: str) -> Iterator[Event]:
    """Yield the events of a run up to its end, also over a gateway that is started again."""
    live = live_gateway(args)
    while True:
        last_words = GatewayUnreachable(live, "the stream ended before the run did")
        try:
            for event in stream_local(live, f"runs/{quote(run_id)}/events?after={quote(after)}"):
                after = event["number"]
                yield event
                if event["event"] == "status" and event["final"]:
                    return
        except GatewayUnreachable as error:
            last_words = error
        print("claude-runner: Disconnected; trying again.", file=sys.stderr)
        live = _back(args, last_words)


def _back(args: Namespace, last_words: GatewayUnreachable) -> LiveGateway:
    """Return the gateway once there is one again. Raises GatewayUnreachable."""
    home = read_settings(args).home
    deadline = time.monotonic() + RECONNECT_S
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        try:
            if live := find_live(home):
                return live
        except GatewayStarting:
            continue
    raise last_words


class Printer:
    """Writes what the model says to standard output, and what else happens to standard error."""

    def __init__(self) -> None:
        self._said = ""
        """Of the text that no message has brought yet."""
        self._in_line = False
        self._calls: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event["event"]:
            case "text":
                self._write_text(event["text"], restart=event["restart"])
            case "message":
                for entry in event["entries"]:
                    self._write_entry(entry)
            case _:
                self._write_status(event)

    def _write_text(self, text: str, *, restart: bool) -> None:
        if restart:
            self._end_line()
            self._said = ""
        self._said += text
        self._in_line = True
        print(_lines(text), end="", flush=True)

    def _write_entry(self, entry: Event) -> None:
        body, kind = entry["body"], entry["kind"]
        if kind == "text" and not entry["inner"]:
            if not body.startswith(self._said):
                self._end_line()
                self._said = ""
            print(_lines(body.removeprefix(self._said)), flush=True)
            self._said, self._in_line = "", False
        elif kind == "call":
            self._calls[entry["call_id"]] = entry["title"]
            self._note(f"→ {entry['title']} {_cut(json.dumps(json.loads(body)))}")
        elif kind == "result":
            name = self._calls.pop(entry["call_id"], "tool")
            self._note(f"{'✗' if entry['failed'] else '←'} {name}: {_cut(body)}")

    def _write_status(self, event: Event) -> None:
        run = event["run"]
        if not event["final"]:
            return
        self._end_line()
        tokens = f"{run['input_tokens'] or 0} + {run['output_tokens'] or 0} tokens"
        cost = "" if run["cost_usd"] is None else f", ${run['cost_usd']:.4f}"
        why = f": {run['error']}" if run["error"] else "."
        self._note(f"Run {run['id']} {run['status']}, {tokens}{cost}{why}")

    def _note(self, text: str) -> None:
        self._end_line()
        print(plain(text), file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._in_line:
            print(flush=True)
            self._in_line = False


def _print_json(event: Event) -> None:
    print(json.dumps(event), flush=True)


def _lines(text: str) -> str:
    """Return a text whose line ends stay, and whose other control characters are shown."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CUT else f"{line[:CUT]}…"
