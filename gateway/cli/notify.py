"""``notify``: how the owner is told, on the command line."""

import sys
from argparse import Namespace
from getpass import getpass
from typing import Any

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain

CHANNELS = ("NAME", "KIND", "PLACE", "LAST SENT", "FAILED", "ERROR", "TOLD")
NOTICES = ("AT", "OCCASION", "TITLE", "STATE", "SENT", "WAITING", "GIVEN UP")


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            _list(_call(args, "list_notification_channels"))
        case "add":
            _add(args)
        case "log":
            _log(_call(args, "list_notifications"))
        case _:
            tool = f"{args.action}_notification_channel"
            print(plain(_call(args, tool, channel=args.channel)["message"]))
    return Exit.OK


def _call(args: Namespace, tool: str, **arguments: Any) -> Any:
    return answer_of(call_tool(live_gateway(args), "/mcp", tool, arguments))


def _add(args: Namespace) -> None:
    given = {} if args.on is None else {"occasions": args.on}
    live_gateway(args)
    added = _call(
        args,
        "add_notification_channel",
        name=args.name,
        kind=args.kind,
        address=_read_address(),
        **given,
    )
    print(plain(added["message"]))
    if added["secret"] is not None:
        print(f"It signs with {added['secret']}, which is shown this once.")


def _read_address() -> str:
    """Return what is typed or piped in; it never stands on a command line."""
    typed = (getpass("Address: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not typed:
        raise Failure(Exit.WRONG_USE, "The address is empty; type it in, or pipe it in.")
    return typed


def _list(answer: Any) -> None:
    rows = [
        (
            each["name"],
            each["kind"],
            each["place"],
            each["last_sent_at"] or "",
            each["failed_at"] or "",
            each["error"] or "",
            " ".join(each["occasions"]),
        )
        for each in answer["channels"]
    ]
    none = "There are no channels; nobody is told of anything. `notify add` makes one."
    print(format_table(CHANNELS, rows) if rows else none)


def _log(answer: Any) -> None:
    rows = [
        (
            each["at"],
            each["occasion"],
            each["title"],
            each["state"],
            *(
                sum(sending["state"] == state for sending in each["channels"])
                for state in ("sent", "pending", "given_up")
            ),
        )
        for each in answer["notices"]
    ]
    print(format_table(NOTICES, rows) if rows else "There were no notices.")
