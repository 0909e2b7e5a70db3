"""``token revoke``: the end of a token."""

from argparse import Namespace

from gateway.cli.answers import show_done
from gateway.cli.tokens import open_desk


def run(args: Namespace) -> int:
    """End the token at once."""
    open_desk(args).revoke(args.id)
    return show_done(args, {"revoked": args.id}, f"Revoked {args.id}.")
