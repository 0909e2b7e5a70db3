"""The arguments of ``audit``."""

from gateway.cli.arguments import AddParser, add_command


def add_audit(add_parser: AddParser) -> None:
    """Add ``audit``."""
    audit = add_command(add_parser, "audit", "show who did what", "audit")
    audit.add_argument("--since", metavar="AGE", help="an age such as 2h or 7d, or an ISO time")
    audit.add_argument("--who", metavar="WHO", help="cli, token, client, run, owner, or an id")
    audit.add_argument("--server", metavar="NAME", help="calls of this server's tools")
    audit.add_argument("--tool", metavar="NAME", help="a tool, or what was done")
    audit.add_argument("--outcome", metavar="OUTCOME", help="such as ok, refused or died")
    audit.add_argument("--limit", type=int, default=50, metavar="N", help="the newest N, or 50")
    audit.add_argument("--json", action="store_true", help="one JSON object a line")
    which = audit.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every entry, not only the newest")
    which.add_argument("--follow", action="store_true", help="go on with what happens now")
