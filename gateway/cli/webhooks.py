"""``webhooks``: what the owner asks about webhooks and their deliveries on the command line."""

import json
from argparse import Namespace
from typing import Any

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import format_table, plain

WEBHOOKS = ("ID", "NAME", "SCHEME", "STATE", "DELIVERIES", "LAST", "WARNINGS")
DELIVERIES = ("ID", "RECEIVED", "ORIGIN", "STATUS", "OUTCOME", "BYTES", "FROM", "RUN")


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            _list(_call(args, "list_webhooks"))
        case "show":
            shown = _call(args, "get_webhook", webhook_id=args.webhook)
            print(json.dumps(shown, indent=2, ensure_ascii=False))
        case "test":
            _test(args)
        case "deliveries":
            _deliveries(_call(args, "list_webhook_deliveries", webhook_id=args.webhook))
        case _:
            print(_call(args, "replay_webhook_delivery", delivery_id=args.delivery)["message"])
    return Exit.OK


def _call(args: Namespace, tool: str, **arguments: Any) -> Any:
    return answer_of(call_tool(live_gateway(args), "/mcp", tool, arguments))


def _list(answer: Any) -> None:
    rows = [
        (
            each["id"],
            each["name"],
            each["scheme"],
            _state(each),
            each["deliveries"],
            each["last_delivery_at"] or "",
            " ".join(each["warnings"]),
        )
        for each in answer["webhooks"]
    ]
    print(format_table(WEBHOOKS, rows) if rows else "There are no webhooks.")


def _state(webhook: Any) -> str:
    if not webhook["enabled"]:
        return "off"
    return "paused" if webhook["paused_at"] else "on"


def _test(args: Namespace) -> None:
    try:
        payload: object = json.loads(args.payload)
    except (ValueError, RecursionError) as error:
        raise Failure(Exit.WRONG_USE, f"The payload is not JSON: {error}.") from error
    tested = _call(
        args, "test_webhook", webhook_id=args.webhook, payload=payload, start_run=args.run
    )
    print(f"{tested['status']} {json.dumps(tested['answer'], ensure_ascii=False)}")
    if tested["prompt"] is not None:
        print("\n".join(plain(line) for line in tested["prompt"].splitlines()))
    print(tested["message"])


def _deliveries(answer: Any) -> None:
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
    print(format_table(DELIVERIES, rows) if rows else "There were no deliveries.")
