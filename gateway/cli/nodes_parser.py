"""The arguments of ``nodes``."""

from gateway.cli.arguments import AddParser, add_answer, add_command


def add_nodes(add_parser: AddParser) -> None:
    """Add ``nodes``, which lists them, and its actions ``drain`` and ``undrain``."""
    nodes = add_command(add_parser, "nodes", "list the gateways that share the database", "nodes")
    nodes.add_argument("--json", action="store_true", help="print the answer as JSON")
    nodes.set_defaults(action="list")
    actions = nodes.add_subparsers(metavar="ACTION", title="actions").add_parser
    for action, text in (
        ("drain", "have a node take no more runs; those that it has go on"),
        ("undrain", "have a drained node take runs again"),
    ):
        parser = add_answer(actions, action, text, "nodes")
        parser.add_argument("name", metavar="NODE", help="as the list has it")
