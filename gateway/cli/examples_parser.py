"""The arguments of ``examples``."""

from gateway.cli.arguments import AddParser, add_answer, add_group


def add_examples(add_parser: AddParser) -> None:
    """Add the command with its actions."""
    add = add_group(add_parser, "examples", "list servers to learn from, and add one as your own")
    add_answer(add, "list", "list the examples and what each needs", "examples")
    added = add_answer(add, "add", "make a dynamic server of an example, and start it", "examples")
    added.add_argument("example", metavar="NAME")
    added.add_argument("--as", dest="server", metavar="OTHER", help="give the server another name")
    added.add_argument("--disabled", action="store_true", help="do not start it")
