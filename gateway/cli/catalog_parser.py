"""The arguments of ``servers add``, and of what keeps added servers up to date."""

from gateway.cli.arguments import AddParser, add_answer, add_yes
from gateway.cli.fields import Field, add_fields, network

NETWORK = Field("network", "none (the default), full, or hosts with commas", network, "HOSTS")


def add_catalog(add: AddParser) -> None:
    """Add them to the actions of `servers`."""
    taken = add_answer(
        add, "add", "add a server of PyPI, npm, the registry or this machine, off", "catalog"
    )
    more = taken.add_argument
    more(
        "source",
        metavar="SOURCE",
        help="pypi:NAME[==VERSION], npm:NAME[@VERSION], a server.json or - for one on standard "
        "input, or a program of this machine",
    )
    more(
        "words",
        metavar="ARGUMENT",
        nargs="*",
        help="for the server, behind --; options come before SOURCE",
    )
    more("--name", metavar="NAME", help="of the server; made of the source unless given")
    more("--program", metavar="PROGRAM", help="which one of a package of PyPI to start")
    more(
        "--env",
        metavar="KEY",
        action="append",
        default=[],
        help="a secret that it needs, to be set by `credentials set`; repeatable",
    )
    add_fields(taken, (NETWORK,))
    more(
        "--allow-source-builds",
        action="store_true",
        help="let packages of PyPI without a wheel run their own build code, in a sandbox",
    )
    more("--enable", action="store_true", help="show what it may do, ask, and start it")
    add_yes(taken)
    add_answer(
        add, "outdated", "list added servers with what an update would change", "catalog_updates"
    )
    update = add_answer(
        add, "update", "bring an added server to its newest version, or keep it", "catalog_updates"
    )
    update.add_argument("server", metavar="SERVER", nargs="?")
    update.add_argument("--all", action="store_true", help="every added server")
    update.add_argument("--to", metavar="VERSION", help="of its package; the newest unless given")
    update.add_argument("--dry-run", action="store_true", help="only show what would change")
