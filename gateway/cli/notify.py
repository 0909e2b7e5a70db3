"""``notify``: how the owner is told, on the command line."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, show, show_message
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain
from gateway.cli.typed import read_typed

CHANNELS = ("NAME", "KIND", "PLACE", "LAST SENT", "FAILED", "ERROR", "TOLD")
NOTICES = ("AT", "OCCASION", "TITLE", "STATE", "SENT", "WAITING", "GIVEN UP")


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            return show(args, ask(args, "list_notification_channels"), _list)
        case "add":
            return _add(args)
        case "edit":
            return _edit(args)
        case "log":
            return show(args, ask(args, "list_notifications"), _log)
        case _:
            tool = f"{args.action}_notification_channel"
            return show_message(args, ask(args, tool, channel=args.channel))


def _add(args: Namespace) -> Exit:
    given = {} if args.on is None else {"occasions": args.on}
    live_gateway(args)
    added = ask(
        args,
        "add_notification_channel",
        name=args.name,
        kind=args.kind,
        address=read_typed("The address").strip(),
        **given,
    )
    return show(args, added, _added)


def _added(added: Any) -> str:
    said = [plain(added["message"])]
    if added["secret"] is not None:
        said.append(f"It signs with {added['secret']}, which is shown this once.")
    return "\n".join(said)


def _edit(args: Namespace) -> Exit:
    wanted: dict[str, Any] = {"name": args.name, "occasions": args.on}
    if not args.address and args.name is None and args.on is None:
        raise Failure(Exit.WRONG_USE, "Say what to change: --name, --on or --address.")
    live_gateway(args)
    if args.address:
        wanted["address"] = read_typed("The address").strip()
    changed = ask(args, "update_notification_channel", channel=args.channel, **wanted)
    return show_message(args, changed)


def _list(answer: Any) -> str:
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
    return format_table(CHANNELS, rows) if rows else none


def _log(answer: Any) -> str:
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
    return format_table(NOTICES, rows) if rows else "There were no notices."
