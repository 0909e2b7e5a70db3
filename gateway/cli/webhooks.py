"""``webhooks``: what the owner asks about webhooks and their deliveries on the command line."""

import json
from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, lines, show, show_message
from gateway.cli.exits import Exit, Failure
from gateway.cli.names import id_of
from gateway.cli.table import format_table, plain

WEBHOOKS = ("ID", "NAME", "SCHEME", "STATE", "DELIVERIES", "LAST", "WARNINGS")
DELIVERIES = ("ID", "RECEIVED", "ORIGIN", "STATUS", "OUTCOME", "BYTES", "FROM", "RUN")


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            return show(args, ask(args, "list_webhooks"), _list)
        case "show":
            shown = ask(args, "get_webhook", webhook_id=webhook_id(args))
            return show(args, shown, lambda answer: json.dumps(answer, indent=2))
        case "test":
            return _test(args)
        case "deliveries":
            found = ask(args, "list_webhook_deliveries", webhook_id=webhook_id(args))
            return show(args, found, _deliveries)
        case _:
            replayed = ask(args, "replay_webhook_delivery", delivery_id=args.delivery)
            return show_message(args, replayed)


def webhook_id(args: Namespace) -> str:
    """Return the id of the webhook that is meant. Raises Failure when a name is of several."""
    return id_of(args, "list_webhooks", "webhooks", args.webhook)


def _list(answer: Any) -> str:
    rows = [
        (
            each["id"],
            each["name"],
            each["scheme"],
            each["state"],
            each["deliveries"],
            each["last_delivery_at"] or "",
            " ".join(each["warnings"]),
        )
        for each in answer["webhooks"]
    ]
    return format_table(WEBHOOKS, rows) if rows else "There are no webhooks."


def _test(args: Namespace) -> Exit:
    try:
        payload: object = json.loads(args.payload)
    except (ValueError, RecursionError) as error:
        raise Failure(Exit.WRONG_USE, f"The payload is not JSON: {error}.") from error
    asked = {"webhook_id": webhook_id(args), "payload": payload, "start_run": args.run}
    return show(args, ask(args, "test_webhook", **asked), _tested)


def _tested(tested: Any) -> str:
    status = f"{tested['status']} {json.dumps(tested['answer'], ensure_ascii=False)}"
    prompt = [] if tested["prompt"] is None else [lines(tested["prompt"].rstrip("\n"))]
    return "\n".join((status, *prompt, plain(tested["message"])))


def _deliveries(answer: Any) -> str:
    rows = [
        (
            each["id"],
            each["received_at"],
            each["origin"],
            each["status"],
            each["outcome"],
            each["size"],
            each["sender"],
            each["run_id"] or "",
        )
        for each in answer["deliveries"]
    ]
    return format_table(DELIVERIES, rows) if rows else "There were no deliveries."
