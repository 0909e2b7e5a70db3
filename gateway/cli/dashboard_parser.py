"""The arguments of ``dashboard``."""

from gateway.cli.arguments import AddParser, add_answer, add_command


def add_dashboard(add_parser: AddParser) -> None:
    """Add ``dashboard link``, ``password``, ``sessions`` and ``log-out``."""
    dashboard = add_parser("dashboard", help="log in to the dashboard, see who is, log out")
    actions = dashboard.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    add_answer(actions, "link", "print a one-time link that logs in", "dashboard_link")
    add_command(
        actions, "password", "ask for a password and print its hash for .env", "dashboard_password"
    )
    add_answer(actions, "sessions", "list the browsers that are logged in", "dashboard_sessions")
    log_out = add_answer(
        actions, "log-out", "log one browser out, or all of them", "dashboard_log_out"
    )
    which = log_out.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help="of a session")
    which.add_argument("--all", action="store_true", help="log out everywhere")
