"""Code that changes and children that die while callers keep calling: what it costs them."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread

from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place
from tests.demonstrations import Counts, Demonstrations
from tests.e2e.conftest import wait_ready
from tests.relay.conftest import ACCEPT, modern

pytestmark = pytest.mark.timeout(1800)

IN_FLIGHT = 16
STALL_S = 30.0
"""Nobody waits longer than this for the next answer."""

CODE = """
import anyio
from fastmcp import FastMCP
FIRST = {number}
mcp = FastMCP("numbered")
@mcp.tool
async def number(word: str) -> list[str]:
    await anyio.sleep(0.001)
    return [word, str(FIRST), str(LAST)]
LAST = {number}
"""
BROKEN = (
    "def f(:\n",
    "raise ValueError('boom')\n",
    "import os; os._exit(3)\n",
    "import time; time.sleep(3600)\n",
    "import os\nwhile True: os.write(1, b'x' * 65536)\n",
    "import os\nwhile True: os.write(2, b'noise\\n' * 1000)\n",
    "print('hello'); raise SystemExit(0)\n",
    "",
    "import no_such_module\n",
    "x = [0] * 10**12\n",
)


@dataclass
class Callers:
    """Callers that each send their next call when the last one is answered."""

    http: httpx2.AsyncClient
    answers: list[int] = field(default_factory=list[int])
    """The number of the code that answered, in order."""
    failures: list[str] = field(default_factory=list[str])
    _ended: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return once this holds after some answer."""
        while not reached():
            with anyio.fail_after(STALL_S):
                await self._changed.wait()

    async def more(self, count: int) -> None:
        """Return after this many further calls have ended."""
        goal = self.ended + count
        await self.until(lambda: self.ended >= goal)

    @property
    def ended(self) -> int:
        """Calls that were answered or failed."""
        return len(self.answers) + len(self.failures)

    def stop(self) -> None:
        """Send no more."""
        self._ended = True

    async def call_on(self, caller: int) -> None:
        """Call until told to stop."""
        nth = 0
        while not self._ended:
            nth += 1
            await self._ask(f"{caller}-{nth}")
            self._changed.set()
            self._changed = asyncio.Event()

    async def _ask(self, word: str) -> None:
        answer = await tool_call(self.http, "number", word=word)
        if "error" in answer:
            self.failures.append(answer["error"]["message"])
            return
        echoed, first, last = answer["result"]["structuredContent"]["result"]
        assert (echoed, first) == (word, last)
        self.answers.append(int(first))


async def tool_call(http: httpx2.AsyncClient, tool: str, **arguments: str) -> dict[str, Any]:
    """Return the whole answer to a call of the server's tool."""
    body, headers = modern("tools/call", {"name": tool, "arguments": arguments})
    path = "/servers/numbered/mcp"
    return (await http.post(path, json=body, headers={**ACCEPT, **headers})).json()


def save(server: Path, code: str) -> None:
    """Save the code as an editor does: whole, under its name at once."""
    (server / "server.py.new").write_text(code, encoding="utf-8")
    (server / "server.py.new").rename(server / "server.py")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with one server whose answers name its code."""
    place = make_place(tmp_path)
    (tmp_path / "dynamic" / "numbered").mkdir()
    save(tmp_path / "dynamic" / "numbered", CODE.format(number=0))
    return place


@asynccontextmanager
async def callers(live: LiveGateway) -> AsyncGenerator[Callers]:
    """Keep calls in flight while the body runs."""
    headers = {"Authorization": f"Bearer {live.token}"}
    async with httpx2.AsyncClient(
        base_url=live.url, headers=headers, timeout=STALL_S, trust_env=False
    ) as http:
        calling = Callers(http)
        async with anyio.create_task_group() as group:
            for caller in range(IN_FLIGHT):
                group.start_soon(calling.call_on, caller)
            await calling.more(IN_FLIGHT)
            yield calling
            calling.stop()


async def test_reloads_and_broken_edits_fail_no_call(
    place: Place, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue: zero failed calls, every answer from old or new code, none mixed."""
    reloads, broken = counts(4, 100), iter(BROKEN[: counts(2, 10)] * counts(1, 2))
    calls = counts(200, 10_000)
    server = place.folder / "dynamic" / "numbered"
    with place.gateway() as live:
        wait_ready(live)
        async with callers(live) as calling:
            for number in range(1, reloads + 1):
                await edit_badly(calling, server, broken)
                save(server, CODE.format(number=number))
                await calling.until(lambda number=number: calling.answers[-1] == number)
            await calling.until(lambda: calling.ended >= calls)
    assert calling.failures == []
    assert list(broken) == []
    swaps = [later for before, later in pairwise(calling.answers) if later < before]
    demonstrations.record(
        "Calls answered at 16 in flight during reloads and broken edits",
        len(calling.answers),
        f"{reloads} reloads, none failed, {len(swaps)} answered by old code that was draining",
    )


def pid_of_child(place: Place) -> int:
    """Return the process that serves now."""
    (server,) = place.json("call", "list_dynamic_mcp_servers", "{}")["servers"]
    return server["pid"]


async def edit_badly(calling: Callers, server: Path, broken: Iterator[str]) -> None:
    """Save one of the broken edits: the code before it goes on answering."""
    for code in broken:
        serving = calling.answers[-1]
        save(server, code)
        await calling.more(10 * IN_FLIGHT)
        assert set(calling.answers[-IN_FLIGHT:]) == {serving}
        return


async def test_killed_children_cost_only_the_calls_in_flight(
    place: Place, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue: only calls in flight at that instant fail, and the same callers go on."""
    kills = counts(2, 50)
    with place.gateway(QUARANTINE_DEATHS="1000") as live:
        wait_ready(live)
        async with callers(live) as calling:
            for _ in range(kills):
                child = await to_thread.run_sync(pid_of_child, place)
                before = len(calling.failures)
                os.kill(child, signal.SIGKILL)
                await calling.more(4 * IN_FLIGHT)
                assert len(calling.failures) - before <= IN_FLIGHT
    assert {failure for failure in calling.failures if "killed by SIGKILL" not in failure} == set()
    assert len(calling.failures) <= kills * IN_FLIGHT
    demonstrations.record(
        "kill -9 of a child with 16 calls in flight",
        kills,
        f"{len(calling.failures)} calls in flight failed, none of {len(calling.answers)} others",
    )
