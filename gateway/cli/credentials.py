"""``credentials``: secrets of servers, which no command line and no output ever holds."""

from argparse import Namespace
from typing import Any

from gateway.cli.answers import ask, ask_first, show, show_message
from gateway.cli.client import request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.servers import credentials_table
from gateway.cli.table import plain
from gateway.cli.typed import read_typed


def run(args: Namespace) -> int:
    """Carry out one action."""
    match args.action:
        case "list":
            return _list(args)
        case "set":
            # Before anybody types a secret for nothing.
            live_gateway(args)
            value = read_typed(f"{args.key} of server {args.server}")
            asked = {"server": args.server, "key": args.key, "value": value}
            return show_message(args, ask(args, "set_server_credential", **asked))
        case "delete":
            ask_first(args, f"Forget {args.key} of server {args.server!r}?")
            asked = {"server": args.server, "key": args.key}
            return show_message(args, ask(args, "delete_server_credential", **asked))
        case _:
            asked = {"server": args.server, "key": args.key}
            return show(args, ask(args, "request_credential", **asked), _link)


def _list(args: Namespace) -> Exit:
    if args.server is None:
        if args.required:
            raise Failure(Exit.WRONG_USE, "--required goes with the name of a server.")
        waiting = ask(args, "get_unconfigured_servers")
        stored = request_local(live_gateway(args), "GET", "credentials")["servers"]
        left = [each for each in stored if not each["is_there"]]
        return show(args, {**waiting, "removed": left}, _waiting)
    tool = "list_required_credentials" if args.required else "get_server_credentials"
    return show(
        args,
        ask(args, tool, server=args.server),
        lambda found: credentials_table(found["credentials"]),
    )


def _waiting(answer: Any) -> str:
    said = [
        f"{each['server']}: {', '.join(want['key'] for want in each['missing'])}"
        for each in answer["servers"]
    ]
    left = [
        f"{each['server']}, which is not there any more, has {key}; forget it with: "
        f"./claude-runner credentials delete {each['server']} {key}"
        for each in answer["removed"]
        for key in each["keys"]
    ]
    return "\n".join(map(plain, (*(said or ["No server waits for a secret."]), *left)))


def _link(answer: Any) -> str:
    return f"{plain(answer['message'])}\n{answer['link']}\nIt ends at {answer['expires_at']}."
