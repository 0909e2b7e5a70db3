"""What most commands do: ask a management tool, and print its answer as text or as JSON."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from gateway.cli.call import answer_of
from gateway.cli.client import call_tool
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.progress import waiting
from gateway.cli.table import plain
from gateway.cli.wording import in_commands


def ask(args: Namespace, tool: str, /, **arguments: Any) -> Any:
    """Return what a management tool answers; arguments that are None are not sent.

    Raises Failure, Refused and GatewayUnreachable.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    with waiting(args, f"Waiting for {tool}"):
        try:
            return answer_of(call_tool(live_gateway(args), "/mcp", tool, given))
        except Failure as failure:
            raise Failure(failure.status, in_commands(str(failure))) from failure


def show(args: Namespace, answer: Any, text: Callable[[Any], str]) -> Exit:
    """Print an answer, as JSON where that is asked for."""
    print(json.dumps(answer, indent=2, ensure_ascii=False) if args.json else text(answer))
    return Exit.OK


def show_done(args: Namespace, answer: Any, sentence: str) -> Exit:
    """Say on standard error what was done, or print the answer where JSON is asked for."""
    if args.json:
        return show(args, answer, str)
    print(sentence, file=sys.stderr)
    return Exit.OK


def show_message(args: Namespace, answer: Any) -> Exit:
    """Print the sentence that a tool answers with."""
    return show(args, answer, lambda given: plain(in_commands(given["message"])))


def show_change(args: Namespace, answer: Any) -> Exit:
    """Print what became of a server. Raises Failure when it does not run as asked."""
    if answer["ok"]:
        return show_message(args, answer)
    if args.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    for line in answer["stderr_tail"]:
        print(f"  {plain(line)}", file=sys.stderr)
    raise Failure(Exit.FAILED, plain(in_commands(answer["message"])))


def lines(text: str) -> str:
    """Return a text whose line ends stay, and whose other control characters are shown."""
    return "\n".join(plain(line) for line in text.split("\n"))


def ask_first(args: Namespace, question: str) -> None:
    """Have the owner agree on a terminal, unless `--yes` did. Raises Failure without a yes."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise Failure(Exit.WRONG_USE, f"{question} Nobody can be asked here; add --yes.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure(Exit.FAILED, "Nothing was changed.")
