"""``demo``: everything once, without a key."""

from argparse import Namespace

from gateway.cli.exits import Exit, Failure
from gateway.demo import DemoFailed, show_demo


def run(args: Namespace) -> int:
    """Show every step; stay until Ctrl-C unless told to end."""
    try:
        show_demo(stay=not args.exit)
    except DemoFailed as error:
        raise Failure(Exit.FAILED, str(error)) from error
    return Exit.OK
