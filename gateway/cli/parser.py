"""The commands and their arguments. Imports nothing of the gateway but the exit statuses."""

import argparse
import importlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import cast

from gateway.cli.arguments import AddParser, add_answer, add_command
from gateway.cli.audit_parser import add_audit
from gateway.cli.backup_parser import add_backup
from gateway.cli.changes_parser import add_changes
from gateway.cli.costs_parser import add_costs
from gateway.cli.credentials_parser import add_credentials
from gateway.cli.dashboard_parser import add_dashboard
from gateway.cli.examples_parser import add_examples
from gateway.cli.import_parser import add_import
from gateway.cli.jobs_parser import add_jobs
from gateway.cli.key_parser import add_key
from gateway.cli.nodes_parser import add_nodes
from gateway.cli.notify_parser import add_notify
from gateway.cli.runs_parser import add_runs
from gateway.cli.servers_parser import add_logs, add_servers
from gateway.cli.settings_parser import add_settings
from gateway.cli.tools_parser import add_tools
from gateway.cli.tunnel_arguments import add_tunnel
from gateway.cli.webhooks_parser import add_webhooks

PROGRAM = "claude-runner"
SHELLS = ("bash", "zsh", "fish")
SCOPES = ("admin", "run", "read")
CLIENTS = ("claude-code", "claude-desktop", "vscode", "cursor")
EPILOG = """\
exit status:
  0    done
  1    the gateway or the tool said no; the sentence is on standard error
  2    wrong arguments or settings, or another gateway holds the home
  3    the command needs a running gateway and there is none
  4    the run was ended at its time limit
  5    the run was ended at its limit of money or turns
  6    the run was killed
  7    the run did not start in time, or the gateway ended before it
  8    status --check: a server is not well
  130  ended by Ctrl-C

Results go to standard output, everything else to standard error.
"""

Command = Callable[[Namespace], int]


def build_parser() -> ArgumentParser:
    """Return the parser; every command sets `module`, whose `run` carries it out."""
    parser = ArgumentParser(
        prog=PROGRAM,
        description="Hands for Claude on your own machine: supervised MCP servers, scheduled "
        "prompts, webhooks.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands").add_parser
    add_command(commands, "serve", "run the gateway, the children and the schedule", "serve")
    _add_stdio(commands)
    demo = add_command(commands, "demo", "show everything once, without a key", "demo")
    demo.add_argument("--exit", action="store_true", help="end after the last step")
    call = add_command(
        commands, "call", "call a management tool and print its result as JSON", "call"
    )
    call.add_argument("tool", metavar="TOOL")
    call.add_argument(
        "arguments",
        metavar="JSON",
        nargs="?",
        default="{}",
        help="a JSON object; - reads it from standard input, which no process list shows",
    )
    add_servers(commands)
    add_examples(commands)
    add_tools(commands)
    add_credentials(commands)
    add_logs(commands)
    _add_status(commands)
    crash = add_answer(commands, "crash", "show why a server's process died", "crash")
    crash.add_argument("server", metavar="SERVER")
    crash.add_argument(
        "which", metavar="N", nargs="?", type=int, default=1, help="1, the newest, unless given"
    )
    _add_doctor(commands)
    add_dashboard(commands)
    _add_token(commands)
    _add_approvals(commands)
    add_changes(commands)
    _add_config(commands)
    _add_client(commands)
    add_key(commands)
    add_tunnel(commands)
    add_jobs(commands)
    add_runs(commands)
    add_costs(commands)
    add_webhooks(commands)
    add_notify(commands)
    add_audit(commands)
    add_nodes(commands)
    add_import(commands)
    add_settings(commands)
    add_backup(commands)
    completion = add_command(
        commands, "completion", "print what completes commands in a shell", "completion"
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    return parser


def load_command(args: Namespace) -> Command:
    """Return the function that carries out the chosen command, importing its module only now."""
    return cast("Command", importlib.import_module(f"gateway.cli.{args.module}").run)


def _add_status(add_parser: AddParser) -> None:
    status = add_answer(add_parser, "status", "list the servers and how they are", "status")
    status.add_argument("--watch", action="store_true", help="go on showing it until Ctrl-C")
    status.add_argument(
        "--check", action="store_true", help="end with status 8 when a server is not well"
    )


def _add_stdio(add_parser: AddParser) -> None:
    stdio = add_command(add_parser, "stdio", "speak MCP on standard input and output", "stdio")
    which = stdio.add_mutually_exclusive_group()
    which.add_argument("--server", metavar="NAME", help="be this server, not the management tools")
    which.add_argument("--combined", action="store_true", help="be all servers at once")


def _add_doctor(add_parser: AddParser) -> None:
    doctor = add_command(
        add_parser, "doctor", "check this machine, or claude.ai's way to it", "doctor"
    )
    doctor.add_argument(
        "subject",
        metavar="connector",
        nargs="?",
        choices=("connector",),
        help="walk claude.ai's way to the running gateway and say what would fail, and why",
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_config(add_parser: AddParser) -> None:
    config = add_command(
        add_parser, "config", "print or write servers as an MCP client's entries", "config"
    )
    config.add_argument("--client", choices=CLIENTS, default=CLIENTS[0], help="whose form")
    _add_several(config, "--server", "NAME", "this server; all enabled ones unless given")
    config.add_argument("--combined", action="store_true", help="one entry for all of them")
    config.add_argument(
        "--stdio", action="store_true", help="entries that start `claude-runner stdio`, no token"
    )
    config.add_argument(
        "--write", type=Path, metavar="FILE", help="merge into FILE, mode 0600, instead of printing"
    )


def _add_token(add_parser: AddParser) -> None:
    token = add_parser("token", help="make, list and end bearer tokens")
    actions = token.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    create = add_answer(actions, "create", "make a token and print it, this once", "token_create")
    create.add_argument("--name", required=True, help="what it is for")
    create.add_argument("--scope", required=True, choices=SCOPES)
    _add_several(create, "--server", "NAME", "show only what is named; '*' is every server")
    _add_several(create, "--tool", "mcp__SERVER__TOOL", "show this tool")
    _add_several(create, "--rename", "mcp__SERVER__TOOL=NAME", "name of a shown tool at /mcp/all")
    create.add_argument(
        "--expires", metavar="TIME", help="after 30m, 12h or 90d; never unless given"
    )
    add_answer(actions, "list", "list tokens, never their values", "token_list")
    revoke = add_answer(actions, "revoke", "end a token at once", "token_revoke")
    revoke.add_argument("id", metavar="ID")


def _add_several(parser: ArgumentParser, option: str, metavar: str, text: str) -> None:
    parser.add_argument(option, metavar=metavar, action="append", default=[], help=text)


def _add_approvals(add_parser: AddParser) -> None:
    approvals = add_parser("approvals", help="look at quarantined tools, approve or reject them")
    actions = approvals.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    add_answer(actions, "list", "list the definitions of tools that wait", "approvals_list")
    show = add_answer(actions, "show", "show what was approved and what waits", "approvals_show")
    approve = add_answer(actions, "approve", "serve a tool as it is listed now", "approvals_decide")
    reject = add_answer(actions, "reject", "keep a definition out", "approvals_decide")
    for action in (show, approve, reject):
        action.add_argument("server", metavar="SERVER")
        action.add_argument("tool", metavar="TOOL")
    for action, decision in ((approve, "approve"), (reject, "reject")):
        action.add_argument(
            "digest", metavar="DIGEST", help="of the definition that you looked at, as shown"
        )
        action.set_defaults(decision=decision)


def _add_client(add_parser: AddParser) -> None:
    client = add_parser("client", help="replace the OAuth client that claude.ai is given")
    actions = client.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    add_command(actions, "rotate", "make another id and secret; the old ones end", "client_rotate")
