"""``servers enable``, ``disable``, ``restart``, ``remove``, ``edit`` and ``test``."""

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import ask, ask_first, show, show_change, show_message
from gateway.cli.client import Refused, request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.fields import given
from gateway.cli.home import live_gateway
from gateway.cli.servers import kind_of
from gateway.cli.servers_parser import EDIT
from gateway.cli.table import plain

SWITCHES = {"fixed": "fixed_server", "dynamic": "mcp_server"}


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "restart":
            return show_change(args, ask(args, "restart_mcp_server", name=args.server))
        case "remove":
            return _remove(args)
        case "edit":
            changes = given(args, EDIT)
            return show_change(args, ask(args, "update_mcp_server", name=args.server, **changes))
        case "test":
            return _test(args)
        case _:
            tool = f"{args.action}_{SWITCHES[kind_of(args)]}"
            return show_change(args, ask(args, tool, name=args.server))


def _remove(args: Namespace) -> Exit:
    ask_first(args, f"Delete server {args.server!r}, its data folder and its credentials?")
    fixed = ask(args, "list_fixed_mcp_servers")["servers"]
    # No tool does this: the servers of its owner, and what they left, are not a model's.
    path = f"servers/{quote(args.server, safe='')}"
    if any(each["name"] == args.server for each in fixed):
        return show_message(args, request_local(live_gateway(args), "DELETE", path))
    try:
        answer = ask(args, "delete_mcp_server", name=args.server)
    except Failure as unknown:
        try:
            answer = request_local(live_gateway(args), "DELETE", path)
        except Refused:
            raise unknown from None
    return show_message(args, answer)


def _test(args: Namespace) -> Exit:
    tried = ask(
        args,
        "test_mcp_server",
        name=args.server,
        code=args.code,
        calls=args.calls,
        network=args.network,
        with_credentials=args.with_credentials or None,
    )
    show(args, tried, _trial)
    if not tried["ok"]:
        raise Failure(Exit.FAILED, plain(tried["message"]))
    return Exit.OK


def _trial(tried: Any) -> str:
    calls = [
        f"{'ok    ' if call['ok'] else 'failed'}  {call['tool']}, {call['took_ms']} ms: "
        f"{call['text']}"
        for call in tried["calls"]
    ]
    ends = tried["stderr_tail"] if not tried["ok"] else [tried["message"]]
    return "\n".join(plain(line) for line in (*calls, *ends))
