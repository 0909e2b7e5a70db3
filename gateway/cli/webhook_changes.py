"""``webhooks create``, ``edit``, ``sign`` and ``delete``."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, ask_first, show, show_message
from gateway.cli.exits import Exit
from gateway.cli.fields import given
from gateway.cli.home import live_gateway
from gateway.cli.table import plain
from gateway.cli.typed import read_typed
from gateway.cli.webhooks import webhook_id
from gateway.cli.webhooks_parser import CHANGES, FIELDS


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "create":
            asked = {
                "name": args.name,
                "prompt_template": args.prompt_template,
                "scheme": args.scheme,
                "secret": _secret(args),
                **given(args, FIELDS),
            }
            return _answer(args, ask(args, "create_webhook", **asked))
        case "edit":
            asked = {"webhook_id": webhook_id(args), **given(args, CHANGES)}
            return _answer(args, ask(args, "update_webhook", **asked))
        case "sign":
            asked = {
                "webhook_id": webhook_id(args),
                "scheme": args.scheme,
                "secret": _secret(args),
                "overlap_s": args.overlap_s,
            }
            return _answer(args, ask(args, "set_webhook_scheme", **asked))
        case _:
            ask_first(args, f"Delete webhook {args.webhook}, so that its address stops working?")
            return show_message(args, ask(args, "delete_webhook", webhook_id=webhook_id(args)))


def _secret(args: Namespace) -> str | None:
    if not args.ask_secret:
        return None
    # Before anybody types a secret for nothing.
    live_gateway(args)
    return read_typed("The sender's secret")


def _answer(args: Namespace, answer: Any) -> Exit:
    return show(args, answer, _text)


def _text(answer: Any) -> str:
    webhook = answer["webhook"]
    said = [
        f"Webhook {webhook['id']} ({plain(webhook['name'])}, scheme {webhook['scheme']})",
        f"POST {webhook['url']}",
        *map(plain, (answer["message"], *webhook["warnings"], *answer["tool_warnings"])),
    ]
    if answer["secret"] is not None:
        said.append(f"Senders sign with {answer['secret']}, which is shown this once.")
    return "\n".join(said)
