"""``token create``: a new bearer token."""

from argparse import Namespace

from gateway.cli.answers import show
from gateway.cli.exits import Exit, Failure
from gateway.cli.tokens import open_desk
from gateway.domain.token import TokenWish


def run(args: Namespace) -> int:
    """Print the token and nothing else."""
    wish = TokenWish(
        args.name,
        args.scope,
        tuple(args.server),
        tuple(args.tool),
        tuple(map(_rename, args.rename)),
        args.expires,
    )
    return show(args, {"token": open_desk(args).create(wish)}, lambda made: made["token"])


def _rename(text: str) -> tuple[str, str]:
    full, equals, own = text.partition("=")
    if not equals:
        raise Failure(Exit.WRONG_USE, f"--rename {text!r} is not like mcp__server__tool=name.")
    return full, own
