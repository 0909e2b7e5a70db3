"""``completion SHELL``: a script with which the shell completes commands and options."""

from argparse import Namespace

import shtab

from gateway.cli.exits import Exit
from gateway.cli.parser import PROGRAM, build_parser


def run(args: Namespace) -> int:
    """Print the script; the shell reads it once and asks nothing of us afterwards."""
    parser = build_parser()
    parser.prog = PROGRAM
    print(shtab.complete(parser, args.shell))
    return Exit.OK
