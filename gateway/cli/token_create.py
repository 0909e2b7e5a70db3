"""``token create``: a new bearer token."""

from argparse import Namespace

from gateway.cli.exits import Exit
from gateway.cli.tokens import open_desk


def run(args: Namespace) -> int:
    """Print the token and nothing else."""
    print(open_desk(args).create(args.name, args.scope))
    return Exit.OK
