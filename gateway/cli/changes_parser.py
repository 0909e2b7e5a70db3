"""The arguments of ``changes``."""

from gateway.cli.arguments import AddParser, add_answer


def add_changes(add_parser: AddParser) -> None:
    """Add ``changes list``, ``show``, ``approve`` and ``reject``."""
    changes = add_parser("changes", help="look at new code that waits, approve or reject it")
    actions = changes.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    listed = add_answer(actions, "list", "list the versions that wait for you", "changes")
    listed.set_defaults(action="list")
    for action, text in (
        ("show", "show what differs from the code that serves now"),
        ("approve", "start a version that waits"),
        ("reject", "keep a version out"),
    ):
        parser = add_answer(actions, action, text, "changes")
        parser.add_argument("server", metavar="SERVER")
        parser.add_argument("number", metavar="VERSION", type=int)
        parser.set_defaults(action=action)
