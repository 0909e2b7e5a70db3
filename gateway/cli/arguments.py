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
