"""The commands for credentials and their arguments."""

from gateway.cli.arguments import AddParser, add_answer, add_group, add_yes


def add_credentials(add_parser: AddParser) -> None:
    """Add `credentials` with its actions."""
    add = add_group(add_parser, "credentials", "look at servers' secrets, set and delete them")
    listed = add_answer(add, "list", "list what servers declare and have, masked", "credentials")
    listed.add_argument("server", metavar="SERVER", nargs="?", help="that wait, unless given")
    listed.add_argument("--required", action="store_true", help="what SERVER cannot start without")
    set_ = add_answer(
        add, "set", "store a secret, which is typed without echo or piped in", "credentials"
    )
    delete = add_answer(add, "delete", "forget a secret", "credentials")
    link = add_answer(add, "link", "make a one-time link where a person types it", "credentials")
    for action in (set_, delete, link):
        action.add_argument("server", metavar="SERVER")
        action.add_argument("key", metavar="KEY", help="such as API_TOKEN")
    add_yes(delete)
