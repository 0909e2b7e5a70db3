"""What a run may use."""

from typing import Any

import pytest

from gateway.domain.run import Trigger
from gateway.jobs.access import Access, Defaults, plan_access
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
        ({"tools": ("mcp__my_mail__send",)}, Access((), (("my_mail", "send"),))),
        ({"tools": ("mcp__",)}, Access((), (("", "*"),))),
        (
            {"tools": ("Read", "mcp__email__send", "mcp__email__list"), "servers": ("notes",)},
            Access(("Read",), (("email", "send"), ("email", "list"), ("notes", "*"))),
        ),
        (
            {"tools": ("mcp__email__send",), "servers": ("email",)},
            Access((), (("email", "send"),)),
        ),
        (
            {"tools": ("Bash(x --a=b)", "mcp__email__send=letter", "mcp__email__*")},
            Access(
                ("Bash(x --a=b)",),
                (("email", "send"), ("email", "*")),
                ((("email", "send"), "letter"),),
            ),
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


def test_tools_with_names_of_the_runs_own_come_by_the_entry_for_all_servers():
    """Issue 5, What 4: renames per job; the rest comes by the servers' own entries."""
    access = Access((), (("email", "send"), ("notes", "*")), ((("email", "send"), "letter"),))
    assert access.servers == ("email", "notes")
    assert access.tools == ("mcp__email__send", "mcp__notes__*")
    assert access.renamed == (("mcp__email__send", "letter"),)
    assert access.shown == (("claude-runner", "letter"), ("notes", "*"))
    assert access.entries == ("claude-runner", "notes")


def test_access_allows_the_granted_tools_alone():
    """Ours: one tool of a server does not open the server."""
    access = Access((), (("email", "send"), ("notes", "*")))
    assert access.allows("email", "send")
    assert access.allows("notes", "anything")
    assert not access.allows("email", "list")
    assert not access.allows("other", "send")
