"""The commands for notices and their arguments."""

from gateway.cli.arguments import AddParser, add_answer

KINDS = ("apprise", "slack", "webhook")


def add_notify(add_parser: AddParser) -> None:
    """Add `notify` with its actions."""
    notify = add_parser("notify", help="choose how you are told of failures, and test it")
    actions = notify.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    listed = add_answer(actions, "list", "list channels, without their addresses", "notify")
    add = add_answer(
        actions,
        "add",
        "add a channel; its address is typed in or comes by standard input",
        "notify",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--kind", choices=KINDS, default=KINDS[0], help="apprise unless given")
    edit = add_answer(actions, "edit", "change what is given of a channel", "notify")
    edit.add_argument("channel", metavar="CHANNEL", help="its name or id")
    edit.add_argument("--name", metavar="NAME", help="its new name")
    edit.add_argument(
        "--address", action="store_true", help="another address, typed in or by standard input"
    )
    for action, without in ((add, "all but run_missed"), (edit, "as before")):
        action.add_argument(
            "--on",
            metavar="OCCASION",
            action="append",
            help=f"what it is told, such as run_failed; {without} unless given",
        )
    remove = add_answer(actions, "remove", "remove a channel", "notify")
    test = add_answer(actions, "test", "send a test notice through a channel", "notify")
    for action in (remove, test):
        action.add_argument("channel", metavar="CHANNEL", help="its name or id")
    log = add_answer(actions, "log", "list the newest notices and what became of them", "notify")
    named = {"list": listed, "add": add, "edit": edit, "remove": remove, "test": test, "log": log}
    for name, action in named.items():
        action.set_defaults(action=name)
