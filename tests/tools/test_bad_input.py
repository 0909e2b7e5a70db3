"""Whatever comes in, one clear sentence goes out and nothing is changed."""

from typing import Any

import pytest

from gateway.tools.sentences import INTERNAL_ERROR
from tests.tools.conftest import Gateway
from tests.tools.servers import SEND

JOB: dict[str, Any] = {"name": "News", "cron": "0 8 * * *", "prompt": "Read."}
HOOK: dict[str, Any] = {"name": "Build", "prompt_template": "Look."}
SERVER: dict[str, Any] = {"name": "email", "code": SEND}

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("list_runs", {"limit": -5}, 'the argument "limit" should be greater than or equal to 1, not'),
    ("list_runs", {"limit": "5"}, 'the argument "limit" should be a valid integer, not "5"'),
    ("list_runs", {"limit": 10**9}, 'the argument "limit" should be less than or equal to 500'),
    ("list_runs", {"limt": 5}, 'there is no argument "limt"; it takes job_id, webhook_id, status'),
    ("list_jobs", {"x": 1}, 'there is no argument "x"; it takes none'),
    ("get_job", {}, 'the argument "job_id" is required'),
    ("get_job", {"job_id": None}, 'the argument "job_id" should be a valid string, not null'),
    ("create_job", {**JOB, "name": "  "}, 'the argument "name" should have at least 1 character'),
    ("create_job", {**JOB, "name": "x" * 300}, 'the argument "name" should have at most 200'),
    ("create_job", {**JOB, "prompt": ""}, 'the argument "prompt" should have at least 1'),
    ("create_job", {**JOB, "cron": "whenever"}, "Cron expression 'whenever' cannot be used"),
    ("create_job", {"name": "News", "prompt": "Read."}, "A job needs a schedule; give cron, or at"),
    ("create_job", {**JOB, "at": "2035-01-01T00:00"}, "A job has either cron or at; leave one"),
    (
        "create_job",
        {"name": "Once", "prompt": "Go.", "at": "tomorrow"},
        "The argument at is \"tomorrow\", which is no time; write it as '2026-12-24T18:00'",
    ),
    (
        "create_job",
        {"name": "Once", "prompt": "Go.", "at": "2020-01-01T00:00Z"},
        "The job's only time, 2020-01-01T00:00:00Z, is past; give a later one as at.",
    ),
    (
        "create_job",
        {"name": "Once", "prompt": "Go.", "at": "2035-03-25T02:30"},
        'The argument at is "2035-03-25T02:30", which does not exist in Europe/Berlin',
    ),
    (
        "create_job",
        {"name": "x", "prompt": "y", "at": "2035-01-01T00:00", "paused_until": "2036-01-01T00:00"},
        "The job's only time, 2034-12-31T23:00:00Z, is within its pause; give another at or pause.",
    ),
    (
        "create_job",
        {**JOB, "paused_until": "2020-01-01T00:00Z"},
        "The argument paused_until is 2020-01-01T00:00:00Z, which is past.",
    ),
    (
        "create_job",
        {"name": "Once", "prompt": "Go.", "at": "9999-12-31T23:59"},
        'The argument at is "9999-12-31T23:59", which is no time',
    ),
    ("create_job", {**JOB, "overlap": "queue"}, "overlap"),
    ("create_job", {**JOB, "catch_up": "some"}, "catch_up"),
    ("create_job", {**JOB, "catch_up_max": 101}, "catch_up_max"),
    ("create_job", {**JOB, "jitter_s": -1}, "jitter_s"),
    ("create_job", {**JOB, "retries": 11}, 'the argument "retries" should be less than or equal'),
    ("create_job", {**JOB, "on_interrupt": "ask"}, 'the argument "on_interrupt" should be'),
    ("create_job", {**JOB, "cron": "61 * * * *"}, "Cron expression '61 * * * *' cannot be used"),
    ("create_job", {**JOB, "cron": "0 0 30 2 *"}, "Cron expression '0 0 30 2 *'"),
    ("create_job", {**JOB, "timezone": "Mars/Base"}, "There is no time zone 'Mars/Base'"),
    ("create_job", {**JOB, "timezone": "../../etc/passwd"}, "There is no time zone"),
    ("create_job", {**JOB, "tools": "Read"}, 'the argument "tools" should be a valid array'),
    ("create_job", {**JOB, "tools": ["../x"]}, "'../x' is not a tool name"),
    ("create_job", {**JOB, "tools": [""]}, "A tool name is empty"),
    ("create_job", {**JOB, "tools": ["x" * 300]}, "The tool name"),
    ("create_job", {**JOB, "tools": [5]}, 'the argument "tools.0" should be a valid string, not 5'),
    ("create_job", {**JOB, "servers": ["../x"]}, "The server name '../x' is not allowed"),
    ("create_job", {**JOB, "servers": ["a__b"]}, "The server name 'a__b' is not allowed"),
    ("create_job", {**JOB, "timeout_s": 0}, 'the argument "timeout_s" should be greater'),
    ("create_job", {**JOB, "budget_usd": -1}, 'the argument "budget_usd" should be greater'),
    ("create_job", {**JOB, "network": "full"}, "The network 'full' is unknown; it accepts"),
    ("create_job", {**JOB, "network": ["10.0.0.1"]}, "The host '10.0.0.1' is an address"),
    ("create_job", {**JOB, "network": 5}, 'the argument "network'),
    ("create_webhook", {**HOOK, "network": ["*"]}, "The host '*' is not a plain name"),
    ("create_job", {**JOB, "enabled": "yes"}, 'the argument "enabled" should be a valid boolean'),
    ("create_webhook", {**HOOK, "prompt_template": ""}, 'the argument "prompt_template" should'),
    ("create_webhook", {**HOOK, "max_turns": -1}, 'the argument "max_turns" should be greater'),
    ("create_mcp_server", {**SERVER, "code": " "}, "The code is empty"),
    ("create_mcp_server", {**SERVER, "code": "a\0b"}, "server.py is not valid Python"),
    ("create_mcp_server", {**SERVER, "code": 5}, 'the argument "code" should be a valid string'),
    (
        "create_mcp_server",
        {**SERVER, "credentials": [{"ky": 1}]},
        'the argument "credentials.0.key" is required',
    ),
    ("create_mcp_server", {**SERVER, "credentials": ["PATH"]}, "PATH"),
    ("create_mcp_server", {**SERVER, "credentials": {"PATH": "s3cret"}}, "PATH"),
    ("create_mcp_server", {**SERVER, "credentials": {"KEY": ""}}, "is empty"),
    ("create_mcp_server", {**SERVER, "credentials": {"KEY": ["s3cret"]}}, "credentials.0.value"),
    ("create_mcp_server", {**SERVER, "credentials": "s3cret"}, 'argument "credentials" should'),
    ("create_mcp_server", {**SERVER, "network": "full"}, "full network is the owner's to grant"),
    ("create_mcp_server", {**SERVER, "network": {"hosts": ["10.0.0.1"]}}, "10.0.0.1"),
    ("create_mcp_server", {**SERVER, "network": {"hosts": [], "x": 1}}, 'argument "network"'),
    ("invoke_internal_mcp_tool", {"tool": "x:y", "payload": [1]}, 'the argument "payload'),
    ("invoke_internal_mcp_tool", {"tool": "x" * 300}, "The tool name"),
    ("get_jobb", {}, "There is no tool named \"get_jobb\". Did you mean 'get_job'"),
    ("../x", {}, 'There is no tool named "../x".'),
]


@pytest.mark.parametrize(("tool", "arguments", "expected"), CASES)
async def test_bad_input_gets_one_sentence_and_changes_nothing(
    untouched: Gateway, tool: str, arguments: dict[str, Any], expected: str
) -> None:
    """Ours: which tool, which argument, what was expected, what came."""
    sentence = await untouched.refusal(tool, **arguments)
    assert expected in sentence
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert len(sentence) < 600
    assert "pydantic" not in sentence
    assert "s3cret" not in sentence
    assert await untouched.services.store.jobs.all() == ()
    assert await untouched.services.store.webhooks.all() == ()
    assert untouched.services.servers.names() == ()
    assert not list(untouched.folder.glob("dynamic/*/*"))


async def test_a_refused_update_leaves_the_job_as_it_was(gateway: Gateway) -> None:
    """Ours: all of an update or nothing."""
    job = (await gateway.call("create_job", **JOB))["job"]
    await gateway.refusal("update_job", job_id=job["id"], name="Other", cron="never")
    await gateway.refusal("update_job", job_id=job["id"], name="Other", tools=["../x"])
    assert (await gateway.call("get_job", job_id=job["id"]))["job"] == job


async def test_a_failure_of_our_own_says_nothing_of_the_inside(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: "Internal error" outside, the traceback in the log."""

    async def broken() -> None:
        raise RuntimeError("the inside")

    gateway.mcp.add_tool(broken)
    assert await gateway.refusal("broken") == INTERNAL_ERROR
    assert "the inside" in caplog.text
