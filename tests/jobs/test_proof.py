"""Whether granted tools are there, and how it is said when they are not."""

import pytest

from gateway.jobs.access import Access
from gateway.jobs.proof import (
    FirstMessage,
    ServerReport,
    problem_with_offer,
    problem_with_servers,
    problem_with_tools,
)

MAIL = [ServerReport("email", "connected", ("send.mail", "list"))]
CONNECTED = {"email": "connected"}


def first(*tools: str, servers: dict[str, str] = CONNECTED) -> FirstMessage:
    """Return what a CLI says that has these tools."""
    return FirstMessage(servers, tools, "claude-test-model", "2.1.330")


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


def test_failed_server_is_named_before_one_that_was_not_waited_for():
    """Ours: the wait ends with the first failure."""
    access = Access((), (("notes", "*"), ("email", "*")))
    reports = [ServerReport("notes", "pending", ()), ServerReport("email", "failed", ())]
    problem = problem_with_servers(access, reports)
    assert problem is not None
    assert problem.startswith("Server 'email' is not connected but failed,")


def test_tool_that_its_server_does_not_list_is_named_before_anything_starts():
    """Issue 7: of a server with many tools some are shown."""
    many = tuple(f"tool-{number:02}" for number in range(22))
    access = Access((), (("email", "*"), ("email", "send"), ("notes", "add")))
    assert problem_with_offer(access, {"email": ("send",), "notes": ("add", "x")}) is None
    problem = problem_with_offer(access, {"email": ("send",), "notes": many})
    assert problem == (
        "Server 'notes' has no tool 'add', which this run needs; it has: "
        f"{', '.join(many[:20])} and 2 more."
    )


@pytest.mark.parametrize(
    ("granted", "said", "fine"),
    [
        ("send.mail", first("mcp__email__send_mail"), True),
        ("send.mail", first("mcp__email__send_mail", servers={"email": "failed"}), False),
        ("send.mail", first("mcp__email__send_mail", servers={}), False),
        ("send.mail", first("Read"), False),
        ("*", first("mcp__email__send_mail", "mcp__email__list"), True),
        ("*", first("mcp__email__list"), False),
        ("*", first("mcp__email__send_mail", "mcp__email__list", servers={}), False),
    ],
)
def test_first_message_of_the_cli_is_checked(
    granted: str,
    said: FirstMessage,
    fine: bool,
):
    """Issue 7: a server that died, or a tool that vanished, after it was connected."""
    access = Access((), (("email", granted),))
    assert (problem_with_tools(access, MAIL, said) is None) is fine


def test_a_tool_with_a_name_of_the_runs_own_is_promised_by_that_name_alone():
    """Issue 5, What 4: of its server the rest is promised."""
    access = Access((), (("email", "*"), ("email", "list")), ((("email", "list"), "mails"),))
    reports = [*MAIL, ServerReport("claude-runner", "connected", ("search_tools", "mails"))]
    connected = {**CONNECTED, "claude-runner": "connected"}
    assert problem_with_servers(access, reports) is None
    assert problem_with_servers(access, MAIL)
    said = first("mcp__email__send_mail", "mcp__claude-runner__mails", servers=connected)
    assert problem_with_tools(access, reports, said) is None
    assert problem_with_tools(access, reports, first("mcp__email__send_mail", servers=connected))


def test_tools_of_the_cli_itself_are_promised_too():
    """Issue 7: under their old names also; a rule stands for its tool."""
    access = Access(("Bash(git *)", "Agent", "KillShell"))
    assert problem_with_tools(access, (), first("Bash", "Task", "TaskStop")) is None
    assert problem_with_tools(access, (), first("Bash", "Task")) == (
        "The Claude CLI 2.1.330 has no tool 'KillShell' in unattended runs, which this run needs;"
        " of those named it has: Bash, Task."
    )
