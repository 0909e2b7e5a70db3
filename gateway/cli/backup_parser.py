"""The arguments of ``backup``, ``restore`` and ``reset``."""

from pathlib import Path

from gateway.cli.arguments import AddParser, add_answer, add_yes


def add_backup(add_parser: AddParser) -> None:
    """Add the three commands."""
    backup = add_answer(
        add_parser, "backup", "write one archive of the home and its servers", "backup"
    )
    backup.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="in this folder, by time, unless given"
    )
    restore = add_answer(
        add_parser, "restore", "put an archive into a home that no gateway holds", "restore"
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="also where there is something already, of which a back-up is kept",
    )
    reset = add_answer(
        add_parser, "reset", "empty the home and remove all dynamic servers", "reset"
    )
    add_yes(reset)
