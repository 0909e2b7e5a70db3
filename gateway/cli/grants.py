"""``servers grant`` and ``servers revoke``: what a fixed server may do beside its metadata."""

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import plain

WORDS = {
    "hosts": "may reach",
    "private_addresses": "may reach private networks by these names",
    "full_network": "may reach everything",
    "read_only": "may read",
    "read_write": "may read and write",
}


def run(args: Namespace) -> int:
    """Carry out one action."""
    live, one = live_gateway(args), f"grants/{quote(args.server, safe='')}"
    if args.action == "revoke":
        return _changed(args, request_local(live, "DELETE", one))
    more = {
        "hosts": args.host,
        "private_addresses": args.private_addresses,
        "full_network": args.full_network,
        "read_only": args.read_only,
        "read_write": args.read_write,
        "variables": dict(args.set),
    }
    if not any(more.values()):
        return show(args, request_local(live, "GET", one), _text)
    return _changed(args, request_local(live, "POST", one, more))


def _changed(args: Namespace, answer: Any) -> Exit:
    show(args, answer, _text)
    if not answer["ok"]:
        raise Failure(Exit.FAILED, plain(answer["problem"]))
    return Exit.OK


def _text(answer: Any) -> str:
    server, grants = answer["server"], answer["grants"]
    found = [_line(words, grants[key]) for key, words in WORDS.items() if grants.get(key)]
    found += [f"{key}={value}" for key, value in grants.get("variables", {}).items()]
    told = "\n".join(f"  {plain(each)}" for each in found) or "  nothing beside its metadata"
    parts = [f"Server {server!r} is granted:", told]
    if "state" in answer:
        parts.append(f"It is {answer['state']}.")
    if answer.get("enabled") is False:
        parts.append(f"Start it with: ./claude-runner servers enable {server}")
    return "\n".join(parts)


def _line(words: str, given: Any) -> str:
    return words if given is True else f"{words}: {', '.join(map(str, given))}"
