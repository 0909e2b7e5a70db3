"""The arguments of ``settings``."""

from gateway.cli.arguments import AddParser, add_answer, add_group


def add_settings(add_parser: AddParser) -> None:
    """Add `settings` with its actions."""
    add = add_group(add_parser, "settings", "show settings and where they come from, change .env")
    listed = add_answer(add, "list", "list settings; of a secret, only whether it is", "settings")
    listed.add_argument("--changed", action="store_true", help="only those that somebody set")
    set_ = add_answer(add, "set", "check a value and write it into .env", "settings")
    set_.add_argument("name", metavar="NAME", help="such as DEFAULT_TIMEZONE")
    set_.add_argument(
        "value",
        metavar="VALUE",
        nargs="?",
        help="typed without echo or piped in for a secret, never an argument",
    )
    unset = add_answer(add, "unset", "take a setting out of .env", "settings")
    unset.add_argument("name", metavar="NAME")
