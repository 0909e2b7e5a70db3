"""Crashes, edits, switches and calls at random for a long while: nothing piles up."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place
from tests.demonstrations import Counts, Demonstrations
from tests.e2e.conftest import client, wait_ready
from tests.waiting import until, until_seen

pytestmark = pytest.mark.timeout(1800)

SERVERS = ("a", "b", "c", "d")
GUARD_S = 30.0
STILL_S = 3.0
"""For so long the number of processes is the same before it counts: a saved file may bring one more
child after a restart has done so already."""
MAX_GROWN_MIB = 64
MAX_MORE_FILES = 12
"""Connections and logs come and go; a leak of one for each crash or edit is far above this."""

CODE = """
@mcp.tool
def number() -> int:
    return {number}
"""
BROKEN = ("def f(:\n", "raise ValueError('boom')\n", "import os; os._exit(3)\n")
EXPECTED = ("ended during the call", "is disabled", "is backoff", "is failed", "is stopping")
"""What a caller may be told while its server is killed and switched off."""


@dataclass
class Chaos:
    """Does something harmful to some server, again and again."""

    folder: Path
    caller: Client[StreamableHttpTransport]
    luck: random.Random
    done: dict[str, int] = field(default_factory=dict[str, int])

    async def act(self) -> None:
        """Do one thing at random."""
        server = self.luck.choice(SERVERS)
        action = self.luck.choice((self.edit, self.spoil, self.kill, self.switch))
        await action(server)
        name = action.__name__
        self.done[name] = self.done.get(name, 0) + 1

    async def edit(self, server: str) -> None:
        """Save code that works."""
        save(self.folder / server, CODE.format(number=self.luck.randrange(1000)))

    async def spoil(self, server: str) -> None:
        """Save code that does not."""
        save(self.folder / server, self.luck.choice(BROKEN))

    async def kill(self, server: str) -> None:
        """Kill the child, if there is one."""
        pid = (await pids(self.caller))[server]
        if pid is not None:
            # An edit may have ended it in between.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def switch(self, server: str) -> None:
        """Switch the server off and on."""
        await self.caller.call_tool_mcp("disable_mcp_server", {"name": server})
        await self.caller.call_tool_mcp("enable_mcp_server", {"name": server})


def save(folder: Path, code: str) -> None:
    """Save the code as an editor does."""
    (folder / "server.py.new").write_text(code, encoding="utf-8")
    (folder / "server.py.new").rename(folder / "server.py")


async def pids(caller: Client[StreamableHttpTransport]) -> dict[str, int | None]:
    """Return the process of each server."""
    answer = await caller.call_tool("list_dynamic_mcp_servers", {})
    assert answer.structured_content is not None
    return {server["name"]: server["pid"] for server in answer.structured_content["servers"]}


async def number(caller: Client[StreamableHttpTransport], server: str) -> Any:
    """Return what the server answers, or the sentence of its refusal."""
    arguments = {"tool": f"mcp__{server}__number", "payload": {}}
    answer = await caller.call_tool_mcp("invoke_internal_mcp_tool", arguments)
    if answer.is_error:
        return answer.content[0].model_dump()["text"]
    assert answer.structured_content is not None
    return answer.structured_content["result"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with a few servers."""
    place = make_place(tmp_path)
    for name in SERVERS:
        (tmp_path / "dynamic" / name).mkdir()
        save(tmp_path / "dynamic" / name, CODE.format(number=0))
    return place


async def test_nothing_piles_up_under_random_trouble(
    place: Place, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue: process count equals servers running, descriptors and memory flat."""
    luck = random.Random(7)  # noqa: S311 - repeats the same trouble
    seconds = counts(6, 1200)
    told: list[str] = []
    with place.gateway(QUARANTINE_DEATHS="100000") as live:
        wait_ready(live)
        gateway = psutil.Process(live.pid)
        async with client(live, "/mcp", "auto") as caller:
            chaos = Chaos(place.folder / "dynamic", caller, luck)
            await recovered(chaos, 1)
            processes, files, memory = await settled(gateway, Still())
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    for server in SERVERS:
                        group.start_soon(keep_calling, live, server, told)
                    while True:
                        await chaos.act()
            await recovered(chaos, 2)
            running = await pids(caller)
            after = await settled(gateway, lambda now: now[0] == processes)
    assert None not in running.values()
    assert after[0] == processes
    assert after[1] <= files + MAX_MORE_FILES
    assert after[2] <= memory + MAX_GROWN_MIB
    assert [sentence for sentence in told if not any(word in sentence for word in EXPECTED)] == []
    demonstrations.record(
        "Seconds of crashes, edits, switches and calls at random",
        seconds,
        f"{sum(chaos.done.values())} events; {processes} processes before and after, "
        f"{after[1] - files:+d} descriptors, {after[2] - memory:+d} MiB",
    )


async def keep_calling(live: LiveGateway, server: str, told: list[str]) -> None:
    """Call one server again and again; note every refusal."""
    async with client(live, "/mcp", "auto") as caller:
        while True:
            answer = await number(caller, server)
            if isinstance(answer, str):
                told.append(answer)


async def recovered(chaos: Chaos, goal: int) -> None:
    """Give every server code that works, and return once all answer with it."""

    async def answers(server: str) -> bool:
        return await number(chaos.caller, server) == -goal

    for server in SERVERS:
        save(chaos.folder / server, CODE.format(number=-goal))
        await chaos.caller.call_tool("enable_mcp_server", {"name": server})
        await chaos.caller.call_tool("restart_mcp_server", {"name": server})
        await until_seen(partial(answers, server), GUARD_S)


def seen(gateway: psutil.Process) -> tuple[int, int, int]:
    """Return the processes below the gateway, its descriptors and its memory in MiB."""
    below = len(gateway.children(recursive=True))
    return below, gateway.num_fds(), gateway.memory_info().rss >> 20


class Still:
    """Tells whether the number of processes has not changed for a while."""

    def __init__(self) -> None:
        self._processes = -1
        self._since = 0.0

    def __call__(self, now: tuple[int, int, int]) -> bool:
        """Take what is seen now."""
        if now[0] != self._processes:
            self._processes, self._since = now[0], time.monotonic()
        return time.monotonic() - self._since > STILL_S


async def settled(
    gateway: psutil.Process, reached: Callable[[tuple[int, int, int]], bool]
) -> tuple[int, int, int]:
    """Return what is seen once it is as wanted, or after the guard."""
    looks = [seen(gateway)]

    def look() -> bool:
        looks.append(seen(gateway))
        return reached(looks[-1])

    with suppress(TimeoutError):
        await until(look, GUARD_S)
    return looks[-1]
