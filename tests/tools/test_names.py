"""One canonical name for each tool, whatever way it is written."""

import pytest

from gateway.tool_names import (
    EXPOSED_LENGTH,
    InvalidToolName,
    Normalised,
    ToolName,
    check_tools,
    exposed_names,
    normalise,
    resolve,
)
from supervisor.errors import InvalidServer

LIVE = {"email": ("send", "list.all"), "my-files": ("read",), "asleep": ()}


@pytest.mark.parametrize(
    "written",
    ["email:send", "email.send", "email/send", "email__send", "mcp__email__send", "Email:send"],
)
def test_every_spelling_names_the_same_tool(written: str) -> None:
    """Ours: models and people write all of these."""
    assert resolve(written, LIVE) == ToolName("email", "send")


def test_a_dot_in_a_tools_own_name_stays_its_own() -> None:
    """SEP-986: tool names may hold dots, slashes and underscores."""
    assert resolve("email:list.all", LIVE) == ToolName("email", "list.all")
    assert resolve("mcp__email__a__b", LIVE) == ToolName("email", "a__b")


def test_underscores_are_read_as_the_dashes_of_a_known_server() -> None:
    """Ours: a server's name has no underscore, but models write one."""
    assert resolve("my_files.read", LIVE) == ToolName("my-files", "read")


def test_canonical_names_and_built_in_tools_pass_without_a_word() -> None:
    """Ours: a warning about nothing teaches people to ignore warnings."""
    names = ("Read", "WebSearch", "Bash(git log:*)", "mcp__email__send", "mcp__email__*")
    assert normalise(names, LIVE) == Normalised(names, ())


def test_a_changed_name_is_said() -> None:
    """Ours: `tool_warnings` names what became of the text."""
    assert normalise(["email:send", "bash", "mcp__email"], LIVE) == Normalised(
        ("mcp__email__send", "Bash", "mcp__email__*"),
        (
            "'email:send' is read as 'mcp__email__send'.",
            "'bash' is read as 'Bash'.",
            "'mcp__email' is read as 'mcp__email__*'.",
        ),
    )


def test_a_tool_that_nobody_has_is_kept_with_a_warning() -> None:
    """Ours: a job may name a tool that is made later."""
    names = ["mcp__email__sned", "mcp__emial__send", "mcp__asleep__x", "send"]
    assert normalise(names, LIVE) == Normalised(
        tuple(names),
        (
            "Server 'email' has no tool 'sned'. Did you mean 'send'?",
            "There is no server named 'emial'. Did you mean 'email'?",
            "Server 'asleep' shows no tools now, so 'x' could not be checked.",
            "'send' is neither a built-in tool nor the tool of a server."
            " Did you mean 'mcp__email__send'?",
        ),
    )


def test_the_same_tool_twice_is_once() -> None:
    """Ours: two spellings are no two tools."""
    written = normalise(["email:send", "email.send", "mcp__email__send"], LIVE)
    assert written.names == ("mcp__email__send",)


def test_a_tool_can_be_given_a_name_of_the_runs_own() -> None:
    """Issue 5, What 4: one name for one tool of a server."""
    names = ["email:send=letter", "Bash(git log --format=%h)", "mcp__email__list"]
    assert normalise(names, LIVE).names == ("mcp__email__send=letter", *names[1:])
    for wrong in (
        ["mcp__email__*=letter"],
        ["Read=letter"],
        ["email:send="],
        ["email:send=mcp__x__y"],
        ["email:send=call_tool"],
        ["email:send=one", "email:list=one"],
        ["email:send=one", "email:send=two"],
    ):
        with pytest.raises(InvalidToolName):
            normalise(wrong, LIVE)


@pytest.mark.parametrize("text", ["", "  ", "../x", "a b", "x;y", "mcp__", "é", "a" * 201, "a\x00"])
def test_what_cannot_name_a_tool_is_refused(text: str) -> None:
    """Ours: nothing that no server could ever have is stored."""
    with pytest.raises(InvalidToolName):
        normalise([text], LIVE)


def test_servers_of_a_job_are_checked_like_its_tools() -> None:
    """Ours: unknown is a warning, impossible is a refusal."""
    assert check_tools([], ["email", "emial"], LIVE).warnings == (
        "There is no server named 'emial'. Did you mean 'email'?",
    )
    with pytest.raises(InvalidServer):
        check_tools([], ["../x"], LIVE)


def test_exposed_names_are_short_safe_and_lead_back() -> None:
    """Ours: 64 characters of letters, digits, `_` and `-`, and a table that leads back."""
    long = "x" * 100
    live = {"s" * 40: (f"{long}a", f"{long}b", "ok"), "email": ("list.all", "list/all", "send")}
    table = exposed_names(live)
    assert len(table) == 6
    assert all(len(name) <= EXPOSED_LENGTH for name in table)
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in table)
    assert table["mcp__email__send"] == ToolName("email", "send")
    assert table["mcp__email__list_all_10b6e161"] == ToolName("email", "list.all")
    assert {resolve(name, live) for name in table} == set(table.values())


def test_a_natural_name_is_never_taken_by_a_shortened_one() -> None:
    """Ours: a server may show a tool with the very name that the rule makes for another."""
    (short,) = exposed_names({"email": ("list.all",)})
    natural = short.removeprefix("mcp__email__")
    table = exposed_names({"email": ("list.all", natural)})
    assert table[short] == ToolName("email", natural)
    assert set(table.values()) == {ToolName("email", "list.all"), ToolName("email", natural)}
