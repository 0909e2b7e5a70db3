"""``dashboard password``: a line for `.env` that holds the password's hash, not the password."""

import sys
from argparse import Namespace
from getpass import getpass

from gateway.cli.exits import Exit, Failure
from gateway.dashboard.password import hash_password, new_hasher

MIN_CHARACTERS = 8


def run(args: Namespace) -> int:
    """Ask twice, or read one line where nobody can be asked; print the line and nothing else."""
    password = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if len(password) < MIN_CHARACTERS:
        raise Failure(Exit.FAILED, f"A password has {MIN_CHARACTERS} characters or more.")
    # In quotes, because shells and compose files would take its `$` for variables.
    print(f"DASHBOARD_PASSWORD='{hash_password(password, new_hasher())}'")
    return Exit.OK


def _ask() -> str:
    password = getpass("Password of the dashboard: ")
    if getpass("The same again: ") != password:
        raise Failure(Exit.FAILED, "The two are not the same; nothing was made.")
    return password
