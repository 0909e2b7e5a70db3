"""``config``: this gateway's servers as ready entries of an MCP client."""

import re
import sys
from argparse import Namespace
from typing import Any, cast

from gateway.cli.client import request_local
from gateway.cli.client_files import (
    ClientKind,
    Document,
    Entries,
    FileRefused,
    as_text,
    http_form,
    read_file,
    stdio_form,
    write_file,
)
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import arguments_for_others, live_gateway
from gateway.local import LiveGateway
from gateway.server_entries import COMBINED_NAME
from gateway.variables import CHECKOUT

DISABLED = "disabled"
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def run(args: Namespace) -> int:
    """Print the entries, or merge them into a file."""
    client = ClientKind(args.client)
    for name in args.server:
        if not _SERVER.fullmatch(name):
            raise Failure(Exit.WRONG_USE, f"{name[:80]!r} is no server's name.")
    try:
        if args.stdio or not client.takes_addresses:
            _give_programs(args, client)
        else:
            _give_addresses(args, client)
    except FileRefused as error:
        raise Failure(Exit.FAILED, str(error)) from error
    return Exit.OK


def _give_programs(args: Namespace, client: ClientKind) -> None:
    if args.combined and args.server:
        raise Failure(
            Exit.WRONG_USE,
            "--combined with --server needs an entry with a token, and one that starts"
            " `claude-runner stdio` has none; leave one of them out.",
        )
    before, env = arguments_for_others(args)
    which = {COMBINED_NAME: ["--combined"]} if args.combined else _each(args)
    command = str(CHECKOUT / "claude-runner")
    entries = {
        name: stdio_form(client, command, ["stdio", *before, *options], env)
        for name, options in which.items()
    }
    if args.write is None:
        print(as_text({client.member: entries}), end="")
    else:
        document = read_file(args.write, client.member, frozenset(entries))
        _write(args, client, document, entries)


def _each(args: Namespace) -> dict[str, list[str]]:
    names = args.server or _enabled(live_gateway(args))
    return {name: ["--server", name] for name in names}


def _give_addresses(args: Namespace, client: ClientKind) -> None:
    live = live_gateway(args)
    names: list[str] = args.server or ([] if args.combined else _enabled(live))
    document: Document = {}
    if args.write is not None:
        wanted = frozenset([COMBINED_NAME] if args.combined else names)
        # Before there is a token that nobody would use.
        document = read_file(args.write, client.member, wanted)
    asked = {
        "client": client.value,
        "base_url": live.url,
        "servers": names,
        "combined": args.combined,
    }
    made = cast("dict[str, Any]", request_local(live, "POST", "entries", asked))
    entries = {name: http_form(client, entry) for name, entry in made["entries"].items()}
    if args.write is None:
        print(as_text({client.member: entries}), end="")
    else:
        try:
            _write(args, client, document, entries)
        except FileRefused:
            request_local(live, "DELETE", f"tokens/{made['token_id']}")
            raise
    print(
        f"Their token ends with: ./claude-runner token revoke {made['token_id']}", file=sys.stderr
    )


def _enabled(live: LiveGateway) -> list[str]:
    servers = cast("list[dict[str, Any]]", request_local(live, "GET", "status")["servers"])
    names = [str(each["name"]) for each in servers if each["state"] != DISABLED]
    if not names:
        raise Failure(Exit.FAILED, "No server is enabled, so there is nothing to write down.")
    return names


def _write(args: Namespace, client: ClientKind, document: Document, entries: Entries) -> None:
    write_file(args.write, document, client.member, entries)
    print(f"Wrote {', '.join(entries)} to {args.write}.", file=sys.stderr)
