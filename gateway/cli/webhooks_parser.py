"""The commands for webhooks and their arguments."""

from gateway.cli.arguments import AddParser, add_command


def add_webhooks(add_parser: AddParser) -> None:
    """Add `webhooks` with its actions."""
    webhooks = add_parser("webhooks", help="look at webhooks and deliveries, test, send again")
    actions = webhooks.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    listed = add_command(actions, "list", "list webhooks, without their addresses", "webhooks")
    show = add_command(actions, "show", "show a webhook with its address", "webhooks")
    test = add_command(actions, "test", "send a signed delivery to a webhook", "webhooks")
    log = add_command(actions, "deliveries", "list the newest deliveries to a webhook", "webhooks")
    replay = add_command(actions, "replay", "start a run from an earlier delivery", "webhooks")
    for action in (show, test, log):
        action.add_argument("webhook", metavar="WEBHOOK")
    replay.add_argument("delivery", metavar="DELIVERY")
    test.add_argument(
        "payload", metavar="JSON", nargs="?", default="{}", help="what to post, {} unless given"
    )
    test.add_argument("--run", action="store_true", help="start the run, which costs money")
    named = {"list": listed, "show": show, "test": test, "deliveries": log, "replay": replay}
    for name, action in named.items():
        action.set_defaults(action=name)
