"""``examples list`` and ``examples add``: servers of docs/examples as dynamic servers."""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from gateway.cli.answers import show, show_change
from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.progress import waiting
from gateway.cli.table import format_table
from gateway.examples.shelf import EXAMPLES, read_examples
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import check_name

HEADINGS = ("EXAMPLE", "NEEDS", "MAY REACH", "PACKAGES", "DESCRIPTION")


def run(args: Namespace) -> int:
    """Carry out one action; the list needs no gateway."""
    if args.action == "list":
        return show(args, [asdict(each) for each in read_examples(EXAMPLES)], _listed)
    server = args.server or args.example
    for name in (args.example, server):
        try:
            check_name(name)
        except InvalidServer as error:
            raise Failure(Exit.WRONG_USE, str(error)) from error
    path = f"examples/{args.example}/as/{server}"
    live = live_gateway(args)
    with waiting(args, f"Waiting for {server!r}"):
        answer = request_local(live, "POST", path, {"enable": not args.disabled})
    status = show_change(args, answer)
    if not args.json:
        _print_next_steps(answer["server"])
    return status


def _listed(examples: list[dict[str, Any]]) -> str:
    rows = [
        (
            each["name"],
            ", ".join(each["credentials"]),
            ", ".join(each["hosts"]),
            ", ".join(each["packages"]),
            each["description"],
        )
        for each in examples
    ]
    return format_table(HEADINGS, rows)


def _print_next_steps(server: dict[str, Any]) -> None:
    name = server["name"]
    for key in server["missing_credentials"]:
        print(f"./claude-runner credentials set {name} {key}")
    if not server["enabled"]:
        print(f"./claude-runner servers enable {name}")
