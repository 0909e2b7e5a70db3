"""What may not stand on a command line, which every user of the machine can read."""

import sys
from getpass import getpass

from gateway.cli.exits import Exit, Failure


def read_typed(what: str) -> str:
    """Return one line that is typed without echo, or piped in. Raises Failure for none."""
    typed = getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    typed = typed.rstrip("\r\n")
    if not typed.strip():
        raise Failure(Exit.WRONG_USE, f"{what} is empty; type it in, or pipe it in.")
    return typed
