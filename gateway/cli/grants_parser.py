"""The arguments of ``servers grant`` and ``servers revoke``."""

from argparse import ArgumentTypeError
from pathlib import Path

from gateway.cli.arguments import AddParser, add_answer


def add_granting(add: AddParser) -> None:
    """Add both to the actions of `servers`."""
    grant = add_answer(
        add, "grant", "let a fixed server do more, or show what you let it do", "grants"
    )
    grant.add_argument("server", metavar="SERVER")
    more = grant.add_argument
    more(
        "--host",
        action="append",
        default=[],
        help="it may reach HOST, HOST:PORT or, by '*', every public host; repeatable",
    )
    more("--private-addresses", action="store_true", help="its hosts may be in private networks")
    more("--full-network", action="store_true", help="it may reach everything, this machine too")
    for name, what in (("--read-only", "read"), ("--read-write", "read and write")):
        more(
            name,
            action="append",
            default=[],
            type=_folder,
            metavar="FOLDER",
            help=f"it may {what} this folder; repeatable",
        )
    more(
        "--set",
        action="append",
        default=[],
        type=_variable,
        metavar="KEY=VALUE",
        help="it finds this variable, which is no secret; KEY= takes it back; repeatable",
    )
    revoke = add_answer(add, "revoke", "take back all that you granted a fixed server", "grants")
    revoke.add_argument("server", metavar="SERVER")


def _folder(text: str) -> str:
    return str(Path(text).resolve())


def _variable(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is no KEY=VALUE.")
    return key, value
