"""``token revoke``: the end of a token."""

import sys
from argparse import Namespace

from gateway.cli.exits import Exit
from gateway.cli.tokens import open_desk


def run(args: Namespace) -> int:
    """End the token at once."""
    open_desk(args).revoke(args.id)
    print(f"Revoked {args.id}.", file=sys.stderr)
    return Exit.OK
