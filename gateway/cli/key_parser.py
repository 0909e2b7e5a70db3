"""The arguments of ``key``."""

from gateway.cli.arguments import AddParser, add_answer


def add_key(add_parser: AddParser) -> None:
    """Add ``key show`` and ``key rotate``."""
    key = add_parser("key", help="look at the keys of stored secrets, replace them")
    actions = key.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    show = add_answer(actions, "show", "tell where the keys are and how old, never a key", "key")
    show.set_defaults(rotate=None)
    rotate = add_answer(
        actions, "rotate", "make another data key and seal every secret anew", "key"
    )
    rotate.add_argument(
        "--master",
        dest="rotate",
        action="store_const",
        const="master",
        default="data",
        help="make another master key instead, in the place of the present file",
    )
