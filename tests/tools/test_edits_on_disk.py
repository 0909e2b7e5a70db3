"""Somebody edits the folder of a server: the next call runs the new code, and nothing is lost."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest

from supervisor.events import ChildSpawned, Event, Reloaded, ReloadRejected, ServerState
from supervisor.folders.watcher import Watcher
from tests.tools.conftest import Gateway, open_gateway, write_server
from tests.tools.servers import ANY, server_code
from tests.waiting import PATIENCE_S, until, until_seen

GUARD_S = PATIENCE_S
NAME = "clock"


def code(answer: str, *tools: str) -> str:
    """Return a server whose every tool answers the same."""
    body = f'return {{"content": [{{"type": "text", "text": {answer!r}}}]}}'
    return server_code(dict.fromkeys(tools or ("tell",), ANY), body)


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Gateway]:
    """A gateway that watches its folders, with one server that answers 'one'."""
    write_server(folder / "dynamic", NAME, code("one"))
    async with open_gateway(folder) as gateway, anyio.create_task_group() as group:
        roots = (gateway.fixed, gateway.dynamic)
        watcher = Watcher(roots, gateway.services.servers.disk.reread, gateway.events.append)
        group.start_soon(watcher.run)
        await anyio.lowlevel.checkpoint()
        yield gateway
        group.cancel_scope.cancel()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that watches its folders."""
    async with watched(tmp_path) as opened:
        yield opened


def save(gateway: Gateway, text: str, name: str = NAME) -> None:
    """Write the code as an editor does: beside, then renamed."""
    path = gateway.dynamic / name / "server.py"
    beside = path.with_name("server.py.tmp")
    beside.write_text(text, "utf-8")
    beside.replace(path)


async def tell(gateway: Gateway, name: str = NAME, tool: str = "tell") -> str:
    """Call a tool of a server and return what it says."""
    params = {"name": tool, "arguments": {}}
    result = await gateway.services.supervisor.request(name, "tools/call", params)
    return result["content"][0]["text"]


async def until_told(gateway: Gateway, answer: str) -> None:
    """Return once the server answers this; no call may fail meanwhile."""

    async def told() -> bool:
        return await tell(gateway) == answer

    await until_seen(told)


async def until_event(gateway: Gateway, kind: type[Event]) -> Event:
    """Return the first event of a kind."""
    await until(lambda: count(gateway, kind) > 0)
    return next(event for event in gateway.events if isinstance(event, kind))


def count(gateway: Gateway, kind: type[Event]) -> int:
    """Return how often something happened."""
    return sum(isinstance(event, kind) for event in gateway.events)


async def test_a_saved_file_is_the_next_answer(gateway: Gateway) -> None:
    """Issue 4: someone edits server.py and the next call runs the new code."""
    save(gateway, code("two", "tell", "more"))
    await until_told(gateway, "two")
    reloaded = await until_event(gateway, Reloaded)
    assert reloaded == Reloaded(NAME, 2, ("more",), (), ())
    assert count(gateway, ChildSpawned) == 2


async def test_code_that_is_no_python_is_refused_with_its_line_and_never_started(
    gateway: Gateway,
) -> None:
    """Issue 4: parse before spawn; a broken edit harms nobody."""
    save(gateway, "x = 1\ndef broken(:\n")
    rejected = await until_event(gateway, ReloadRejected)
    sentence = "server.py is not valid Python: invalid syntax at line 2: `def broken(:`"
    assert rejected == ReloadRejected(NAME, sentence)
    assert (await tell(gateway), count(gateway, ChildSpawned)) == ("one", 1)
    assert gateway.services.supervisor.snapshot(NAME).rejected == sentence


async def test_a_broken_edit_taken_back_starts_nothing_and_is_forgotten(gateway: Gateway) -> None:
    """Ours: what runs is what the folder holds again."""
    save(gateway, "def broken(:\n")
    await until_event(gateway, ReloadRejected)
    save(gateway, code("one"))
    await until(lambda: not gateway.services.supervisor.snapshot(NAME).rejected)
    assert count(gateway, ChildSpawned) == 1


async def test_a_start_that_hangs_gives_way_to_the_next_save(gateway: Gateway) -> None:
    """Issue 4: a later write supersedes one under way."""
    save(gateway, "import time\ntime.sleep(3600)\n")
    await until(lambda: count(gateway, ChildSpawned) >= 2)
    save(gateway, code("two"))
    await until_told(gateway, "two")
    assert count(gateway, Reloaded) == 1


async def test_many_saves_in_a_row_end_with_the_last_one(gateway: Gateway) -> None:
    """Issue 4: the newest change wins, and no call fails on the way to it."""
    for number in range(30):
        save(gateway, code(str(number)))
        assert await tell(gateway)
    await until_told(gateway, "29")


async def test_a_change_by_a_tool_is_no_second_change(gateway: Gateway) -> None:
    """Issue 4: the digest decides, so tools that write files reload once."""
    await gateway.call("update_mcp_server", name=NAME, code=code("two"))
    (gateway.dynamic / NAME / "metadata.json").touch()
    write_server(gateway.dynamic, "later", code("later"))
    await until(lambda: "later" in gateway.services.servers.names())
    await gateway.services.supervisor.wait_settled("later", GUARD_S)
    assert (count(gateway, Reloaded), count(gateway, ChildSpawned)) == (1, 3)


async def test_what_editors_and_interpreters_leave_beside_the_code_is_no_change(
    gateway: Gateway,
) -> None:
    """Ours: derived files and backups are not in the digest."""
    folder = gateway.dynamic / NAME
    (folder / "__pycache__").mkdir()
    for name in ("__pycache__/server.cpython-311.pyc", ".server.py.swp", "server.py~", "4913"):
        (folder / name).write_bytes(b"noise")
    (folder / "server.py").write_text(code("one"), "utf-8")
    write_server(gateway.dynamic, "later", code("later"))
    await until(lambda: "later" in gateway.services.servers.names())
    assert count(gateway, Reloaded) == 0


async def test_changed_metadata_is_a_reload(gateway: Gateway) -> None:
    """Issue 4: every change of code, metadata or dependencies is the same transaction."""
    path = gateway.dynamic / NAME / "metadata.json"
    path.write_text(json.dumps({"description": "Tells."}), "utf-8")
    await until_event(gateway, Reloaded)
    assert gateway.services.servers.spec(NAME).description == "Tells."


async def test_unreadable_metadata_is_refused_and_the_old_goes_on(gateway: Gateway) -> None:
    """Ours: a refused input changes nothing."""
    (gateway.dynamic / NAME / "metadata.json").write_text("{", "utf-8")
    rejected = await until_event(gateway, ReloadRejected)
    assert isinstance(rejected, ReloadRejected)
    assert rejected.reason.startswith("metadata.json of server 'clock'")
    assert (await tell(gateway), count(gateway, ChildSpawned)) == ("one", 1)


async def test_a_folder_that_appears_is_a_server_and_one_that_goes_takes_it_along(
    gateway: Gateway,
) -> None:
    """Issue 4: folder added, server appears; folder gone, children ended."""
    write_server(gateway.dynamic, "second", code("second"))
    await until(lambda: "second" in gateway.services.supervisor.names)
    seen = await gateway.services.supervisor.wait_settled("second", GUARD_S)
    assert (seen.state, await tell(gateway, "second")) == (ServerState.READY, "second")
    assert seen.pid is not None
    (gateway.dynamic / "second").rename(gateway.folder / "away")
    await until(lambda: "second" not in gateway.services.supervisor.names)
    assert gateway.services.servers.names() == (NAME,)
    assert not psutil.pid_exists(seen.pid)


async def test_a_checkout_of_hundreds_of_files_is_one_change(gateway: Gateway) -> None:
    """Issue 4: git rewrites a folder file by file; what counts is the state at its end."""
    folder = gateway.dynamic / NAME

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    def parts(text: str) -> None:
        for number in range(300):
            (folder / f"part{number}.txt").write_text(text, "utf-8")

    git("init", "-q", "-b", "one")
    parts("one")
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "two")
    parts("two")
    (folder / "server.py").write_text(code("two"), "utf-8")
    git("commit", "-qam", "two")
    await until_told(gateway, "two")
    before = count(gateway, ChildSpawned)
    await anyio.to_thread.run_sync(git, "checkout", "-q", "one")
    await until_told(gateway, "one")
    assert count(gateway, ChildSpawned) - before <= 2
