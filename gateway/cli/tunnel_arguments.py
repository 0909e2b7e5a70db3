"""The arguments of ``tunnel``."""

from gateway.cli.arguments import AddParser, add_command


def add_tunnel(add_parser: AddParser) -> None:
    """Add the command."""
    tunnel = add_parser("tunnel", help="install what NGROK_AUTHTOKEN needs")
    actions = tunnel.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    add_command(actions, "install", "install ngrok's package from its lock", "tunnel_install")
