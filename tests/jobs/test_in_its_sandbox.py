"""What the real CLI, and what it starts, can reach at level strong; a hostile model is played."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from gateway.domain.run import RunStatus
from gateway.jobs.options import BUNDLED_CLI
from gateway.standin import Call, ModelRequest, Reply, Say
from sandboxes.confinement import landlock
from sandboxes.ownership import UID_BASE, UID_SPAN
from sandboxes.policy import MIB, Level
from tests.jobs.parts import API_KEY, CLI_GUARD_S, Parts, a_run, processes_of
from tests.sandboxes.conftest import is_open_to_all, open_to_all, skip_unless_available

pytestmark = pytest.mark.timeout(2 * CLI_GUARD_S)

LOOK_AROUND = """
id -u
ls -A /
cat /proc/1/environ | tr '\\0' '\\n'
cat /proc/*/cmdline | tr '\\0' ' '
ls -A {home} {home}/runs
cat {home}/jobs.db && echo 'RE'AD-DATABASE
cat {home}.key && echo 'RE'AD-MASTER-KEY
cat {checkout}/.env {checkout}/gateway/main.py && echo 'RE'AD-CHECKOUT
env
python3 -c 'import socket; socket.create_connection(("127.0.0.1", {port}), 2)' && echo 'RE'ACHED-API
python3 -c 'import socket; socket.create_connection(("1.1.1.1", 53), 2)' && echo 'RE'ACHED-NET
echo END
"""
SPEND = """
for i in 1 2 3 4; do
python3 - <<'CODE'
import json, os, urllib.error, urllib.request
body = json.dumps({"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": []}).encode()
request = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", body,
    {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "content-type": "application/json"})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.status, error.read().decode())
CODE
done
"""
CONNECT = (
    'python3 -c \'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2);'
    ' print("CONN" "ECTED")\''
)
BUILT_IN = ("Bash", "Read", "Write", "Edit")


@pytest.fixture
def strong(parts: Parts) -> Parts:
    """The parts of runs, at level strong."""
    skip_unless_available(Level.STRONG)
    parts.config = replace(parts.config, level=Level.STRONG)
    return parts


def plays(replies: Sequence[Reply]) -> Callable[[ModelRequest], Reply]:
    """Return a script that gives these replies one after another."""
    return lambda request: replies[min(len(request.tool_results), len(replies) - 1)]


async def test_the_shell_finds_nothing_of_the_gateway(strong: Parts) -> None:
    """Issue 3, 7: own user, own files, own processes, no key, no network but the door."""
    Path(f"{strong.home}.key").write_text("master", "utf-8")
    port = int(strong.api.url.rpartition(":")[2])
    look = LOOK_AROUND.format(home=strong.home, checkout=Path(__file__).parents[2], port=port)
    strong.api.script = plays([Call("Bash", {"command": look}), Say("seen")])
    run = await strong.execute(a_run(tools=BUILT_IN))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    seen = strong.api.requests[-1].tool_results[-1]
    assert "END" in seen
    for reached in (
        "READ-", "REACHED-", API_KEY, "OAUTH", "jobs.db-wal", "etc/shadow", "\nhome\n", "\nroot\n",
    ):  # fmt: skip
        assert reached not in seen, seen
    assert seen.splitlines()[0] != "0"


async def test_tools_work_in_the_work_folder_and_not_outside(strong: Parts) -> None:
    """Issue 3, 7: the work folder is kept between a job's runs; other files are not there.

    Issue 7, What 5: what the run wrote there is kept with the run.
    """
    run = a_run(tools=BUILT_IN)
    work = strong.home / "claude_playground" / run.id
    note = work / "note.txt"
    Path(f"{strong.home}.key").write_text("master", "utf-8")
    strong.api.script = plays(
        [
            Call("Write", {"file_path": str(note), "content": "first draft"}),
            Call("Edit", {"file_path": str(note), "old_string": "first", "new_string": "second"}),
            Call("Read", {"file_path": f"{strong.home}.key"}),
            Call("Write", {"file_path": str(strong.home / "planted"), "content": "x"}),
            Call("Bash", {"command": "printf '#!/bin/sh\\necho ran' > p; chmod +x p; ./p; pwd"}),
            Say("done"),
        ]
    )
    ended = await strong.execute(run)
    assert (ended.status, ended.error) == (RunStatus.SUCCEEDED, None)
    assert note.read_text("utf-8") == "second draft"
    answers = strong.api.requests[-1].tool_results
    assert "not exist" in answers[2], answers
    assert not (strong.home / "planted").exists()
    assert answers[4].splitlines() == ["ran", str(work)]
    if os.geteuid() == 0:
        assert work.stat().st_uid in range(UID_BASE + UID_SPAN, UID_BASE + 2 * UID_SPAN)
        assert note.stat().st_uid == work.stat().st_uid
    left = await strong.store.run_files.of_run(run.id)
    kept = strong.home / "run_files" / run.id / "1"
    assert {each.path: (kept / str(each.seq)).read_bytes() for each in left} == {
        "note.txt": b"second draft",
        "p": b"#!/bin/sh\necho ran",
    }


async def test_programs_of_the_model_cannot_spend_more_than_the_budget(parts: Parts) -> None:
    """Issue 3, 7: the forwarder counts every request, whoever in the sandbox makes it."""
    parts.api.script = lambda request: (
        Call("Bash", {"command": SPEND}) if request.streamed else Say("spent")
    )
    # Each answer of the stand-in costs 2500.
    run = a_run(tools=("Bash",), model="claude-sonnet-5-5", budget_micro_usd=7000)
    ended = await parts.execute(run)
    assert (ended.status, ended.error) == (
        RunStatus.BUDGET,
        "Stopped at the budget of 0.007 US dollars.",
    )
    assert ended.cost_micro_usd == 7500
    assert len(parts.api.requests) == 3


async def test_no_process_of_a_run_has_the_key_and_no_argument_a_secret(parts: Parts) -> None:
    """Issue 3, 7: the gateway alone holds the real key."""
    held: list[str] = []

    def look(_request: ModelRequest) -> Reply:
        tokens = (API_KEY, *parts.gate.tokens)
        for seen in processes_of(parts.home):
            process = psutil.Process(seen.pid)
            line, variables = " ".join(process.cmdline()), json.dumps(process.environ())
            held.extend(f"{seen.name} argv" for token in tokens if token in line)
            held.extend(f"{seen.name} argv" for mark in ("crf_", "crr_") if mark in line)
            held.extend(f"{seen.name} environ" for token in tokens if token in variables)
        return Say("looked")

    parts.api.script = look
    run = await parts.execute(a_run())
    assert (run.status, held) == (RunStatus.SUCCEEDED, [])


async def test_a_run_that_fills_the_memory_is_stopped_with_the_reason(strong: Parts) -> None:
    """Issue 3, 3: the limit holds for all processes of the run together."""
    limits = replace(strong.config.limits, memory_bytes=900 * MIB)
    strong.config = replace(strong.config, limits=limits)
    eat = "python3 -c 'import time; x = b\"x\" * 250_000_000; time.sleep(30)'"
    command = " & ".join([eat] * 4) + "; wait"
    strong.api.script = plays([Call("Bash", {"command": command}), Say("full")])
    run = await strong.execute(a_run(tools=("Bash",)))
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error.startswith("Stopped: memory limit of 900 MiB exceeded")
    assert processes_of(strong.home) == []


@pytest.mark.parametrize("level", [Level.REDUCED, Level.OFF])
async def test_a_run_works_at_the_other_levels(parts: Parts, level: Level) -> None:
    """Ours: the same door, on this machine's loopback; reduced still closes the gateway's port."""
    skip_unless_available(level)
    if level is Level.REDUCED and os.geteuid() == 0 and not is_open_to_all(BUNDLED_CLI):
        pytest.skip("level reduced as root needs a CLI outside of root's home folder")
    port = int(parts.api.url.rpartition(":")[2])
    parts.config = replace(parts.config, level=level, closed_ports=(port,))
    open_to_all(parts.home)
    command = f"id -u; cat {parts.home}/jobs.db >/dev/null && echo READ; {CONNECT} {port}; echo END"
    parts.api.script = plays(
        [Call("mcp__adder__add", {"a": 1, "b": 2}), Call("Bash", {"command": command}), Say("ok")]
    )
    run = await parts.execute(a_run(tools=("Bash", "mcp__adder__add")))
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    seen = parts.api.requests[-1].tool_results[-1]
    assert "END" in seen
    assert ("READ" in seen) is (level is Level.OFF), seen
    if landlock.abi() >= landlock.ABI_WITH_NET:
        assert ("CONNECTED" in seen) is (level is Level.OFF), seen
