"""One run through the real CLI against the stand-in."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.run import RunStatus, Trigger
from gateway.domain.run_record import CallOutcome, ServerUsed
from gateway.jobs import cli_wrapper
from gateway.jobs.options import FIXED_ENVIRONMENT
from gateway.standin import Call, ModelRequest, Refuse, Reply, Say
from sandboxes.network import way_out
from tests.jobs.parts import API_KEY, CLI_GUARD_S, Parts, a_run, processes_of

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)


async def test_run_calls_the_tool_and_keeps_what_happened(parts: Parts):
    """Issue 2, 8: output, messages, tokens and session are stored; nothing is left behind.

    Issue 7, 4: what a model without a known price cost is not guessed.
    """
    run = await parts.execute(a_run(prompt='Use mcp__adder__add with {"a": 19, "b": 23}.'))
    assert run.error is None
    assert run == replace(
        run,
        status=RunStatus.SUCCEEDED,
        output='[stand-in] The tool answered: {"result":42}',
        turns=2,
        input_tokens=2000,
        output_tokens=100,
        attempt=1,
        process_group=None,
    )
    assert run.cost_micro_usd is None
    assert run.session_id
    messages = await parts.store.runs.messages(run.id)
    assert [message.kind for message in messages] == [
        "system", "assistant", "user", "assistant", "result",
    ]  # fmt: skip
    assert [message.seq for message in messages] == [0, 1, 2, 3, 4]
    assert processes_of(parts.home) == []
    assert not (parts.home / "runs" / run.id).exists()
    token = parts.gate.tokens[0]
    assert not any(token in message.body for message in messages)
    (record,) = await parts.store.run_records.of_run(run.id)
    assert record.servers == (
        ServerUsed(
            "adder", 1, 1, "0" * 64, 2, (("add", "digest-add"), ("subtract", "digest-subtract"))
        ),
    )
    assert (record.attempt, record.model, record.calls) == (1, "claude-test-model", 1)
    assert all((record.cli_version, record.sdk_version, record.gateway_version))
    (call,) = await parts.store.run_records.calls(run.id, limit=9)
    assert (call.server, call.tool, call.outcome) == ("adder", "add", CallOutcome.OK)
    assert (call.asked_bytes, call.took_ms > 0) == (len('{"a": 19, "b": 23}'), True)


async def test_model_sees_exactly_the_granted_tools(parts: Parts):
    """Ours: a run that names tools shows the model those and no others, under its own model."""
    run = await parts.execute(
        a_run(tools=("Read", "mcp__adder__subtract"), model="claude-other-model")
    )
    assert run.status is RunStatus.SUCCEEDED
    request = parts.api.requests[0]
    assert sorted(tool.name for tool in request.tools) == ["Read", "mcp__adder__subtract"]
    assert request.model == "claude-other-model"


async def test_prompt_is_sent_while_the_cli_reaches_its_servers(small: Parts):
    """Issue 7: run_start; the one does not wait for the other, the model waits for both."""
    run = await small.execute(a_run(model="slow", tools=("Read", "mcp__adder__add")))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)


async def test_missing_server_fails_the_run_before_the_model_is_asked(parts: Parts):
    """Issue 2, 8: a server that is not connected fails the run; no request reaches the API."""
    run = await parts.execute(a_run(servers=("adder", "ghost")))
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error.startswith("Server 'ghost' is not connected")
    assert parts.api.requests == []
    assert processes_of(parts.home) == []


async def test_missing_tool_fails_the_run_before_anything_is_started(parts: Parts):
    """Issue 2, 8: so does a tool that its server does not have."""
    run = await parts.execute(a_run(tools=("mcp__adder__multiply",)))
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "Server 'adder' has no tool 'multiply', which this run needs; it has: add, subtract.",
    )
    assert parts.api.requests == []


async def test_tool_that_the_cli_lacks_fails_the_run_before_the_model_is_asked(parts: Parts):
    """Issue 7: requests wait until the CLI has said what it has; never a success without tools."""
    run = await parts.execute(a_run(tools=("Read", "TodoWrite")))
    assert (run.status, run.error and run.error.partition(" has no tool ")[2]) == (
        RunStatus.FAILED,
        "'TodoWrite' in unattended runs, which this run needs; of those named it has: Read.",
    )
    assert parts.api.requests == []


async def test_cli_starts_from_nothing_and_shows_no_secret(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
):
    """Issue 2, 8: allow-listed variables only, no secret in any argument, a session of its own."""
    monkeypatch.setenv("OAUTH_SECRET_KEY", "must-not-reach-the-cli")
    arguments: list[str] = []
    variables: set[str] = set()
    sessions: set[int] = set()

    def look_around(_request: ModelRequest) -> Reply:
        for process in processes_of(parts.home):
            arguments.extend(process.arguments)
            sessions.add(os.getsid(process.pid))
            if process.name == "claude":
                variables.update(process.variables)
        return Say("seen")

    parts.api.script = look_around
    run = await parts.execute(a_run(system_prompt="A private system prompt."))
    assert run.status is RunStatus.SUCCEEDED
    allowed = {
        *FIXED_ENVIRONMENT, "HOME", "TMPDIR", "CLAUDE_CODE_TMPDIR", "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL", "TZ", *cli_wrapper.FROM_SDK,
        *way_out.ENVIRONMENT, "NO_PROXY", "no_proxy",
    }  # fmt: skip
    assert {"HOME", "ANTHROPIC_API_KEY"} <= variables <= allowed
    assert len(sessions) == 1
    assert os.getsid(0) not in sessions
    for secret in (parts.gate.tokens[0], API_KEY, "must-not", "private system"):
        assert secret not in " ".join(arguments)


async def test_answer_is_kept_as_the_object_that_was_asked_for(parts: Parts):
    """Issue 7: the CLI asks the model for it, we hold it against the schema, and keep it."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    parts.api.script = lambda asked: (
        Say("done") if asked.tool_results else Call("StructuredOutput", {"n": 42})
    )
    run = await parts.execute(a_run(tools=("Read",), output_schema=json.dumps(schema)))
    assert (run.status, run.error, run.structured) == (RunStatus.SUCCEEDED, None, '{"n": 42}')


async def test_run_that_owes_its_object_has_failed(parts: Parts):
    """Issue 7: a text instead of it is no success."""
    parts.api.script = lambda _: Say("I would rather talk.")
    schema = '{"type": "object"}'
    run = await parts.execute(a_run(tools=("Read",), output_schema=schema, max_turns=8))
    assert (run.status, run.structured) == (RunStatus.FAILED, None)
    assert run.error


async def test_webhook_run_without_tools_gets_none(parts: Parts):
    """Ours: strangers write a webhook's prompt, so an empty list means none, and no /command."""
    run = await parts.execute(a_run(trigger=Trigger.WEBHOOK, prompt="/help", servers=("adder",)))
    assert (run.status, parts.gate.tokens) == (RunStatus.SUCCEEDED, [])
    assert parts.api.requests[0].tools == ()
    assert parts.api.requests[0].prompt == "/help"


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"max_turns": 1}, "Stopped at the limit of 1 turns."),
        ({"budget_micro_usd": 100}, "Stopped at the budget of 0.0001 US dollars."),
    ],
)
async def test_limit_ends_the_run_as_budget(parts: Parts, limit: dict[str, int], sentence: str):
    """Ours: a run stopped by money or turns says so and keeps its cost."""
    run = await parts.execute(a_run(model="claude-sonnet-5-5", **limit))
    assert (run.status, run.error) == (RunStatus.BUDGET, sentence)
    assert run.cost_micro_usd


async def test_money_budget_refuses_an_unknown_model_before_the_start(parts: Parts):
    """Issue 7, 4: nothing is asked of a model whose price is not known."""
    run = await parts.execute(a_run(model="glm-9", budget_micro_usd=1_000_000))
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "The price of model 'glm-9' is not known, so a run with a money budget cannot use it;"
        " choose another model, put its price into PRICES_FILE, or remove the budget.",
    )
    assert parts.api.requests == []


async def test_refusal_of_the_api_fails_the_run_with_its_words(parts: Parts):
    """Ours: what the API said reaches the person."""
    parts.api.script = lambda _: Refuse(400, "invalid_request_error", "the script refuses")
    run = await parts.execute(a_run())
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert "the script refuses" in run.error


async def test_run_without_a_key_is_refused_in_one_sentence(parts: Parts):
    """Issue 2, 3: serve starts without a key; runs do not."""
    parts.config = replace(parts.config, api_key=None)
    run = await parts.execute(a_run())
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "ANTHROPIC_API_KEY is not set; set it and restart to let jobs run.",
    )


async def test_run_whose_server_cannot_take_calls_is_refused(parts: Parts):
    """Ours: the supervisor's sentence is the run's."""
    parts.gate.refuse.add("adder")
    run = await parts.execute(a_run())
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "Server 'adder' is backoff: its child ended with exit code 1.",
    )


async def test_cli_that_cannot_start_fails_the_run(parts: Parts, tmp_path: Path):
    """Ours: what it wrote last is in the sentence."""
    broken = tmp_path / "broken-cli"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 7\n", "utf-8")
    broken.chmod(0o755)
    parts.config = replace(parts.config, cli=broken)
    run = await parts.execute(a_run())
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "The Claude CLI ended with exit code 7: no such luck.",
    )
