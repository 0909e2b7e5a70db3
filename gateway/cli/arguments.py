"""How commands are added to the parser, whichever file describes them."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

AddParser = Callable[..., ArgumentParser]


def add_command(add_parser: AddParser, name: str, text: str, module: str) -> ArgumentParser:
    """Add a command that `module` carries out; every one can read another `.env`."""
    parser = add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument(
        "--env-file", type=Path, metavar="FILE", help="read FILE instead of the checkout's .env"
    )
    parser.set_defaults(module=module)
    return parser


def add_group(add_parser: AddParser, name: str, text: str) -> AddParser:
    """Add a command that only has actions; return what adds them."""
    group = add_parser(name, help=text)
    return group.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser


def add_answer(add_parser: AddParser, name: str, text: str, module: str) -> ArgumentParser:
    """Add a command that answers with text or JSON; its name is its `action`."""
    parser = add_command(add_parser, name, text, module)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(action=name)
    return parser


def add_yes(parser: ArgumentParser) -> None:
    """Add the option by which a command that cannot be taken back asks nothing."""
    parser.add_argument("--yes", action="store_true", help="do it without asking")
