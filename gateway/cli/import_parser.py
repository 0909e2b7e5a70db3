"""The arguments of ``import`` and ``export``."""

from pathlib import Path

from gateway.cli.arguments import AddParser, add_answer, add_yes
from gateway.cli.fields import Field, add_fields, network

CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")
NETWORK = Field("network", "none (the default), full, or hosts with commas", network, "HOSTS")


def add_import(add_parser: AddParser) -> None:
    """Add both commands."""
    taken = add_answer(
        add_parser,
        "import",
        "take over servers of another MCP client, or of the registry, disabled",
        "import_servers",
    )
    taken.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="a client's file or a server.json"
    )
    taken.add_argument("--client", choices=CLIENTS, help="look only for this client's files")
    taken.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        default=[],
        help="only this entry, by its own name or the server's",
    )
    add_fields(taken, (NETWORK,))
    taken.add_argument(
        "--keep-credentials",
        action="store_true",
        help="give it the secrets that a former server of its name left",
    )
    taken.add_argument("--dry-run", action="store_true", help="only show what would be made")
    add_yes(taken)
    given = add_answer(
        add_parser, "export", "print installed servers as mcpServers, without secrets", "export"
    )
    given.add_argument(
        "--server", metavar="NAME", action="append", default=[], help="only this server"
    )
