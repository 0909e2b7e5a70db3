"""The commands for webhooks and their arguments."""

from argparse import ArgumentParser

from gateway.cli.arguments import AddParser, add_answer, add_group, add_yes
from gateway.cli.fields import Field, add_fields, json_file, names, network, switch, text_or_input

SCHEMES = ("none", "bearer", "standard", "github", "stripe", "slack")
FIELDS = (
    Field("tools", "its runs have these and no others; with commas", names, "NAMES"),
    Field("enabled", "whether it takes deliveries; yes also ends a pause", switch, "yes|no"),
    Field("model", "a model or alias; '' is the default one", metavar="MODEL"),
    Field("max_turns", "most turns of a run; 0: no limit", int, "N"),
    Field("timeout_s", "longest duration of a run", float, "S"),
    Field("budget_usd", "most that a run may cost; 0: no limit", float, "USD"),
    Field("budget_per_day_usd", "most that its runs may cost in a day; 0: no limit", float, "USD"),
    Field("network", "public, none, or hosts with commas", network, "HOSTS"),
    Field("output_schema", "a JSON schema of what it answers; - reads it", json_file, "FILE"),
    Field("tolerance_s", "how far a signed time may lie from now", int, "S"),
    Field("missing", "a placeholder without its part", choices=("empty", "error")),
    Field("rate_per_minute", "most deliveries a minute; 0: no limit", int, "N"),
    Field("same_body_s", "how long the same body counts as the same delivery", int, "S"),
    Field("may_wait", "whether senders may wait for the result", switch, "yes|no"),
)
CHANGES = (
    Field("name", "its name"),
    Field("prompt_template", "what its runs do; - reads standard input", text_or_input, "TEXT"),
    *FIELDS,
)


def add_webhooks(add_parser: AddParser) -> None:
    """Add `webhooks` with its actions."""
    add = add_group(add_parser, "webhooks", "look at webhooks, make, change, test, replay them")
    add_answer(add, "list", "list webhooks, without their addresses", "webhooks")
    _of_one(add_answer(add, "show", "show a webhook with its address", "webhooks"))
    create = add_answer(add, "create", "make an address that starts runs", "webhook_changes")
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "prompt_template",
        type=text_or_input,
        metavar="PROMPT",
        help="with {{payload}} for what is posted; - reads standard input",
    )
    create.add_argument("--scheme", choices=SCHEMES, help="how senders sign; none unless given")
    add_fields(create, FIELDS)
    edit = add_answer(add, "edit", "change what is given of a webhook", "webhook_changes")
    add_fields(_of_one(edit), CHANGES)
    sign = _of_one(add_answer(add, "sign", "say how senders sign", "webhook_changes"))
    sign.add_argument("scheme", choices=SCHEMES, metavar="SCHEME", help=", ".join(SCHEMES))
    sign.add_argument(
        "--overlap-s", type=float, metavar="S", help="how long the secret until now goes on"
    )
    for action in (create, sign):
        action.add_argument(
            "--ask-secret",
            action="store_true",
            help="the sender's own secret, typed without echo or piped in; a fresh one else",
        )
    delete = add_answer(add, "delete", "delete a webhook; its runs are kept", "webhook_changes")
    add_yes(_of_one(delete))
    test = _of_one(add_answer(add, "test", "send a signed delivery to a webhook", "webhooks"))
    test.add_argument(
        "payload", metavar="JSON", nargs="?", default="{}", help="what to post, {} unless given"
    )
    test.add_argument("--run", action="store_true", help="start the run, which costs money")
    log = add_answer(add, "deliveries", "list the newest deliveries to a webhook", "webhooks")
    _of_one(log)
    replay = add_answer(add, "replay", "start a run from an earlier delivery", "webhooks")
    replay.add_argument("delivery", metavar="DELIVERY")


def _of_one(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("webhook", metavar="WEBHOOK")
    return parser
