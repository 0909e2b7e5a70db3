"""The commands for servers and their arguments."""

from argparse import ArgumentParser
from pathlib import Path

from gateway.cli.arguments import AddParser, add_answer, add_group, add_yes
from gateway.cli.catalog_parser import add_catalog
from gateway.cli.fields import Field, add_fields, json_text, names, network, text_file
from gateway.cli.grants_parser import add_granting

NETWORK = Field("network", "hosts with commas between them that it may reach, or none", network)
DECLARATIONS = (
    Field("description", "what the server is for"),
    NETWORK,
    Field("dependencies", "Python packages, with commas between them", names, "PACKAGES"),
)
EDIT = (
    Field("code", "the new server.py; - reads standard input", text_file, "FILE"),
    *DECLARATIONS,
    Field("credentials", "names of secrets that it reads, with commas", names, "KEYS"),
)


def add_servers(add_parser: AddParser) -> None:
    """Add `servers` with its actions, and `logs`."""
    add = add_group(add_parser, "servers", "look at servers, make, change, switch and remove them")
    listed = add_answer(add, "list", "list servers with their tools", "servers")
    listed.add_argument("--unconfigured", action="store_true", help="that wait for a credential")
    health = add_answer(add, "health", "show how one server is, or all", "servers")
    health.add_argument("server", metavar="SERVER", nargs="?")
    _of_one(add_answer(add, "show", "show a server in full, without its secrets", "servers"))
    _of_one(add_answer(add, "tools", "list the tools of a server", "servers"))
    _of_one(add_answer(add, "code", "print the server.py of a dynamic server", "servers"))
    _add_making(add)
    for name, text in (
        ("enable", "start a server and keep it running"),
        ("disable", "stop a server until it is enabled"),
        ("restart", "stop a server's process and start another; calls in flight fail"),
    ):
        _of_one(add_answer(add, name, text, "server_changes"))
    _of_one(
        add_answer(
            add,
            "install",
            "install what a fixed server needs of this machine, as root, and switch it on",
            "servers_install",
        )
    )
    remove = _of_one(
        add_answer(
            add, "remove", "delete a dynamic server, its data, its credentials", "server_changes"
        )
    )
    add_yes(remove)
    add_granting(add)
    add_catalog(add)
    _add_versions(add)
    _add_log_options(add_answer(add, "logs", "print a server's standard error", "logs"))


def add_logs(add_parser: AddParser) -> None:
    """Add `logs`."""
    _add_log_options(add_answer(add_parser, "logs", "print a server's standard error", "logs"))


def _add_making(add: AddParser) -> None:
    create = add_answer(
        add, "create", "make a dynamic server from a folder with a server.py", "server_create"
    )
    create.add_argument("folder", type=Path, metavar="FOLDER")
    create.add_argument("--name", metavar="NAME", help="the folder's name unless given")
    create.add_argument("--disabled", action="store_true", help="do not start it")
    edit = _of_one(
        add_answer(
            add,
            "edit",
            "change a dynamic server; the rest stays, and so does the old code until "
            "the new is ready",
            "server_changes",
        )
    )
    add_fields(edit, EDIT)
    test = add_answer(
        add, "test", "try a server in a throw-away sandbox with example calls", "server_changes"
    )
    test.add_argument("server", metavar="SERVER", nargs="?", help="a dynamic server")
    add_fields(
        test,
        (
            Field("code", "try this server.py; - reads standard input", text_file, "FILE"),
            Field("calls", 'such as [{"tool": "add", "arguments": {}}]', json_text, "JSON"),
            NETWORK,
        ),
    )
    test.add_argument(
        "--with-credentials", action="store_true", help="give it the secrets of SERVER"
    )


def _add_versions(add: AddParser) -> None:
    versions = _of_one(
        add_answer(add, "versions", "list every change of a dynamic server", "server_versions")
    )
    versions.add_argument("--limit", type=int, default=20, metavar="N", help="the newest N, or 20")
    diff = _of_one(
        add_answer(add, "diff", "print what changed between two versions", "server_versions")
    )
    for name in ("old", "new"):
        diff.add_argument(name, type=int, nargs="?", metavar=name.upper(), help="a version")
    rollback = _of_one(
        add_answer(add, "rollback", "bring an earlier version back as a new one", "server_versions")
    )
    rollback.add_argument(
        "version", type=int, nargs="?", metavar="VERSION", help="the last that worked unless given"
    )


def _add_log_options(logs: ArgumentParser) -> None:
    _of_one(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    logs.add_argument("--lines", type=int, default=100, metavar="N", help="the newest N, or 100")
    logs.add_argument("--contains", default="", metavar="TEXT", help="only lines with this text")
    logs.set_defaults(action="logs")


def _of_one(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("server", metavar="SERVER")
    return parser
