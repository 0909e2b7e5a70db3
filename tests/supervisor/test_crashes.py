"""A crash explains itself, and tells nobody a value or a secret."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
import pytest

from sandboxes.policy import MIB, Limits
from supervisor.children.crash import CallShape, CrashReport, call_shape
from supervisor.children.crash_log import KEPT, CrashLog
from supervisor.children.stderr_log import StderrLog
from supervisor.errors import ChildDied, StartFailed
from supervisor.redaction import Redactor
from supervisor.spec import DeclaredCredential, ServerSpec
from tests.supervisor.conftest import GUARD_S, Stage, open_stage, raw_spec

SECRET = "s3cr3t-value-of-a-key"
LEAKY = f"""
import json, os, sys
key = os.environ["API_KEY"]
assert key == {SECRET!r}[:9] + {SECRET!r}[9:]
for piece in (key[:7], key[7:] + "\\n", json.dumps(key) + "\\n", "unfinished " + key):
    os.write(2, piece.encode())
os._exit(3)
"""


def newest(stage: Stage, name: str = "raw") -> CrashReport:
    """Return the last report of a server."""
    return stage.supervisor.crashes(name)[-1]


async def test_the_failing_call_and_the_report_say_what_happened(stage: Stage) -> None:
    """Issue 4: signal in words, uptime, generation, the call by name and argument shape."""
    await stage.start(raw_spec("raw"))
    failures: list[ChildDied] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_fail, stage, failures, "wait", {"steps": 1000, "each_s": 0.5})
        await stage.until(lambda: stage.supervisor.snapshot("raw").in_flight == 1)
        await _fail(stage, failures, "die", {"status": 139})
    report = newest(stage)
    assert report.cause == "killed by SIGSEGV (its own compiled code crashed)"
    assert (report.generation, report.was_ready, report.sandbox_breach) == (1, True, False)
    assert [call.tool for call in report.calls] == ["wait", "die"]
    assert report.calls[0].arguments == "{steps: integer, each_s: number}"
    assert report.calls[1].arguments == "{?: integer}"
    assert (report.calls_failed, report.stderr_tail) == (2, ("last words",))
    assert report.code_changed_s is not None
    sentence = f"ended during the call: {report.cause}, {report.circumstances()}."
    assert list(map(str, failures)) == [f"Server 'raw' {sentence}"] * 2


async def _fail(
    stage: Stage, failures: list[ChildDied], tool: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(ChildDied) as died:
        await stage.call("raw", tool, **arguments)
    failures.append(died.value)


@pytest.mark.parametrize(
    ("behaviour", "cause", "said"),
    [
        ("exits", "exit code 3", ("cannot go on",)),
        ("silent", "no answer to initialize within 0.5 s", ()),
    ],
)
async def test_a_failed_start_is_a_report_too(
    stage: Stage, behaviour: str, cause: str, said: tuple[str, ...]
) -> None:
    """Issue 4: every report names the true cause."""
    limit = 0.5 if behaviour == "silent" else GUARD_S
    await stage.supervisor.apply(raw_spec("raw", behaviour, start_timeout_s=limit), enabled=True)
    await stage.until(lambda: bool(stage.supervisor.crashes("raw")))
    report = stage.supervisor.crashes("raw")[0]
    assert (report.cause, report.was_ready, report.stderr_tail) == (cause, False, said)


async def test_a_broken_edit_is_reported_and_the_old_code_serves(stage: Stage) -> None:
    """Issue 4: a failed reload keeps generation n and reports n+1."""
    await stage.start(raw_spec("raw"))
    with pytest.raises(StartFailed):
        await stage.supervisor.apply(raw_spec("raw", "exits"), enabled=True)
    report = newest(stage)
    assert (report.generation, report.cause, report.digest) == (2, "exit code 3", "exits")
    assert await stage.call("raw", "version") == "1"


async def test_a_breach_of_the_sandbox_is_named_as_one(stage: Stage) -> None:
    """Issue 4: sandbox breach, if that was it."""
    await stage.start(raw_spec("raw", limits=Limits(memory_bytes=100 * MIB)))
    with pytest.raises(ChildDied), anyio.fail_after(GUARD_S):
        await stage.call("raw", "eat", processes=2, mebibytes=80)
        await stage.call("raw", "wait", steps=1000)
    report = newest(stage)
    assert report.sandbox_breach
    assert report.cause.startswith("memory limit of 100 MiB exceeded")


async def test_a_stop_on_request_is_no_crash(stage: Stage) -> None:
    """Ours: disable, update and restart end children without a report."""
    await stage.start(raw_spec("raw"))
    await stage.supervisor.restart("raw")
    await stage.supervisor.disable("raw")
    assert stage.supervisor.crashes("raw") == ()


async def test_reports_outlive_the_supervisor_and_only_the_last_ones_are_kept(
    tmp_path: Path,
) -> None:
    """Ours: whoever asks after a restart still learns why."""
    async with open_stage(tmp_path) as stage:
        await stage.start(raw_spec("raw"))
        for _ in range(KEPT + 2):
            with pytest.raises(ChildDied):
                await stage.call("raw", "die")
            await stage.until(lambda: stage.supervisor.slot("raw").current is not None)
        before = stage.supervisor.crashes("raw")
    async with open_stage(tmp_path) as stage:
        await stage.start(raw_spec("raw"))
        assert stage.supervisor.crashes("raw") == before
    assert [report.generation for report in before] == list(range(3, KEPT + 3))


def test_a_torn_file_of_reports_is_none(tmp_path: Path) -> None:
    """Ours: what cannot be read is said in the log, and keeps nobody from starting."""
    (tmp_path / "crashes.json").write_text("[{", "utf-8")
    assert CrashLog(tmp_path / "crashes.json").reports == ()


async def test_secrets_of_the_server_are_hidden_wherever_its_last_words_go(
    tmp_path: Path,
) -> None:
    """Issue 4: values of credentials do not leak through standard error."""
    async with open_stage(tmp_path, credentials={"API_KEY": SECRET}) as stage:
        command = (sys.executable, "-S", "-E", "-c", LEAKY)
        spec: ServerSpec = raw_spec(
            "raw", command=command, credentials=(DeclaredCredential("API_KEY"),)
        )
        await stage.supervisor.apply(spec, enabled=True)
        await stage.until(lambda: bool(stage.supervisor.crashes("raw")))
        hidden = ("[API_KEY hidden]", '"[API_KEY hidden]"', "unfinished [API_KEY hidden]")
        assert stage.supervisor.crashes("raw")[0].stderr_tail == hidden
        folder = stage.home / "servers" / "raw"
        for file in ("stderr.log", "crashes.json"):
            assert SECRET not in (folder / file).read_text("utf-8")


def test_a_secret_across_the_pieces_of_an_endless_line_is_hidden(tmp_path: Path) -> None:
    """Ours: a line that never ends is written in pieces, never in the middle of a secret."""
    redactor = Redactor()
    redactor.know("API_KEY", SECRET)
    log = StderrLog(tmp_path / "stderr.log", redactor)
    tail = log.begin()
    text = ("x" * 999 + SECRET) * 300
    for start in range(0, len(text), 1777):
        tail.write(text[start : start + 1777].encode())
    tail.end()
    log.close()
    written = (tmp_path / "stderr.log").read_text("utf-8").replace("\n", "")
    _, _, said = written.partition(" ")
    assert said == text.replace(SECRET, "[API_KEY hidden]")


SCHEMAS: Mapping[str, Mapping[str, object]] = {"send": {"properties": {"to": {}, "body": {}}}}


@pytest.mark.parametrize(
    ("params", "tool", "arguments"),
    [
        ({"name": "send", "arguments": {"to": "me@x.org"}}, "send", "{to: string of 8}"),
        ({"name": "send", "arguments": {"me@x.org": True}}, "send", "{?: boolean}"),
        ({"name": "send", "arguments": {"body": {"a": [1]}}}, "send", "{body: object of 1}"),
        ({"name": "send", "arguments": {"body": [None, 1.5]}}, "send", "{body: array of 2}"),
        ({"name": "send"}, "send", "{}"),
        ({"name": "send", "arguments": "me@x.org"}, "send", "string of 8"),
        ({"name": "me@x.org", "arguments": {}}, "an unknown tool", "{}"),
        ([], "an unknown tool", "{}"),
    ],
)
def test_of_a_call_only_its_shape_is_kept(params: object, tool: str, arguments: str) -> None:
    """Issue 4: tool name and argument shape, never values, and no name a schema does not give."""
    shape = call_shape("tools/call", msgspec.json.encode(params), SCHEMAS, 1.0)
    assert shape == CallShape(tool, arguments, 1.0)


def test_params_too_large_to_look_at_are_not_looked_at() -> None:
    """Ours: a report is made in the event loop."""
    body = msgspec.json.encode({"name": "send", "arguments": {"body": "x" * 10_000_000}})
    begun = time.process_time()
    assert call_shape("tools/call", body, SCHEMAS, 0.0).arguments == "{}"
    assert time.process_time() - begun < 5.0
