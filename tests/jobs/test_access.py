"""What a run may use, and how it is said when it is not there."""

from typing import Any

import pytest

from gateway.domain.run import Trigger
from gateway.jobs.access import (
    Access,
    Defaults,
    ServerReport,
    plan_access,
    problem_with_servers,
    problem_with_tools,
)
from tests.jobs.parts import a_run

DEFAULTS = Defaults(tools=("Read", "Bash"), servers=(), enabled=("email", "notes"))


@pytest.mark.parametrize(
    ("named", "access"),
    [
        ({}, Access(("Read", "Bash"), (("email", "*"), ("notes", "*")))),
        ({"servers": ("notes",)}, Access(("Read", "Bash"), (("notes", "*"),))),
        ({"tools": ("Read",)}, Access(("Read",), ())),
        ({"tools": ("Bash(git *)",)}, Access(("Bash(git *)",), ())),
        ({"tools": ("mcp__email__send",)}, Access((), (("email", "send"),))),
        ({"tools": ("mcp__email__*",)}, Access((), (("email", "*"),))),
        ({"tools": ("mcp__email",)}, Access((), (("email", "*"),))),
        (
            {"tools": ("Read", "mcp__email__send", "mcp__email__list"), "servers": ("notes",)},
            Access(("Read",), (("email", "send"), ("email", "list"), ("notes", "*"))),
        ),
        (
            {"tools": ("mcp__email__send",), "servers": ("email",)},
            Access((), (("email", "send"),)),
        ),
    ],
)
def test_run_gets_what_it_names_and_else_the_defaults(named: dict[str, Any], access: Access):
    """Issue 2, 3: the settings rows serve runs that name none."""
    assert plan_access(a_run(**named), DEFAULTS) == access


def test_default_servers_replace_all_enabled_ones():
    """Issue 2, 3: mcp_servers names the servers of a job that names none."""
    defaults = Defaults(tools=("mcp__email__send",), servers=("notes",), enabled=("email", "notes"))
    assert plan_access(a_run(), defaults) == Access((), (("email", "send"), ("notes", "*")))


@pytest.mark.parametrize("servers", [(), ("email",)])
def test_webhook_run_gets_only_the_tools_it_names(servers: tuple[str, ...]):
    """Issue 7: an empty list means none, whatever else is set."""
    run = a_run(trigger=Trigger.WEBHOOK, servers=servers)
    assert plan_access(run, DEFAULTS) == Access()
    named = a_run(trigger=Trigger.WEBHOOK, servers=servers, tools=("mcp__notes__add",))
    assert plan_access(named, DEFAULTS) == Access((), (("notes", "add"),))


def test_access_allows_the_granted_tools_alone():
    """Ours: one tool of a server does not open the server."""
    access = Access((), (("email", "send"), ("notes", "*")))
    assert access.allows("email", "send")
    assert access.allows("notes", "anything")
    assert not access.allows("email", "list")
    assert not access.allows("other", "send")


@pytest.mark.parametrize(
    ("reports", "problem"),
    [
        ([ServerReport("email", "connected", ("send.mail", "list"))], None),
        (
            [],
            "Server 'email' is not connected but unknown to the CLI, so the run did not start;"
            " repair or disable it, or name the servers that this run needs.",
        ),
        (
            [ServerReport("email", "failed", (), "ECONNREFUSED")],
            "Server 'email' is not connected but failed (ECONNREFUSED), so the run did not start;"
            " repair or disable it, or name the servers that this run needs.",
        ),
        (
            [ServerReport("email", "connected", ())],
            "Server 'email' has no tool 'send.mail', which this run needs; it has: none.",
        ),
    ],
)
def test_missing_server_or_tool_is_named(reports: list[ServerReport], problem: str | None):
    """Issue 2, 8: one sentence, which server and which tool."""
    access = Access((), (("email", "send.mail"),))
    assert problem_with_servers(access, reports) == problem


@pytest.mark.parametrize(
    ("tools", "statuses", "fine"),
    [
        (["mcp__email__send_mail"], {"email": "connected"}, True),
        (["mcp__email__send_mail"], {"email": "failed"}, False),
        (["mcp__email__send_mail"], {}, False),
        (["Read"], {"email": "connected"}, False),
    ],
)
def test_first_message_of_the_cli_is_checked(
    tools: list[str], statuses: dict[str, str], fine: bool
):
    """Issue 2, 8: what the CLI says it has is compared with what was granted."""
    access = Access((), (("email", "send.mail"),))
    assert (problem_with_tools(access, tools, statuses) is None) is fine
