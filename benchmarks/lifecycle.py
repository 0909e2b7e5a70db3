"""What people wait for: `python -m benchmarks.lifecycle [--rounds N] [--servers N]`.

A real gateway at level strong, driven through its management tools by a real client, beside
the same server started as `python server.py`; medians of one run, in turn, so that a busy machine
is busy for both. Issue 4 says what is to be reached. `--servers 200` takes about 4 GB.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psutil
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from benchmarks import idle, plain
from gateway.local import LiveGateway
from tests.cli.gateways import make_place
from tests.e2e.conftest import client, wait_ready

MIB = 1024 * 1024
ROUNDS = 9
SERVERS = 20
IDLE = 1000
GUARD_S = 120.0
ASK_AGAIN_S = 0.002
SUM = 5


@dataclass
class Row:
    """One thing that is measured."""

    name: str
    goal: float
    unit: str = "s"
    values: list[float] = field(default_factory=list)
    against: list[float] = field(default_factory=list)
    """The same of plain servers; empty where there is no such thing."""


class Desk:
    """Where somebody sits who makes and calls servers."""

    def __init__(
        self, session: Client[StreamableHttpTransport], http: httpx2.AsyncClient, folder: Path
    ) -> None:
        self._session = session
        self._http = http
        self._watched: dict[str, str] = {}
        self._dynamic = folder / "dynamic"
        self.script = folder / "server.py"
        self.script.write_text(plain.SERVER.format(plus=0), encoding="utf-8")

    async def tool(self, tool: str, **arguments: object) -> Any:
        """Use a management tool and return its structured answer."""
        return (await self._session.call_tool(tool, arguments)).structured_content

    async def create(self, name: str, *, enable: bool = True) -> None:
        """Make a server."""
        code = plain.SERVER.format(plus=0)
        await self.tool("create_mcp_server", name=name, code=code, enable=enable)

    async def call(self, name: str) -> int:
        """Return what a server says that 2 and 3 are."""
        arguments = {"tool": f"mcp__{name}__add", "payload": {"a": 2, "b": 3}}
        answer = await self._session.call_tool("invoke_internal_mcp_tool", arguments)
        return int(answer.content[0].text)  # pyright: ignore[reportAttributeAccessIssue] - it is text

    async def made(self, name: str) -> None:
        """Make a server and call it."""
        await self.create(name)
        assert await self.call(name) == SUM

    async def changed(self, name: str) -> None:
        """Give a server other code and call it."""
        code = plain.SERVER.format(plus=1)
        await self.tool("update_mcp_server", name=name, code=code)
        assert await self.call(name) == SUM + 1

    async def saved(self, name: str) -> None:
        """Save a server's file as an editor does, and call it."""
        beside = self._dynamic / name / "server.py.new"
        beside.write_text(plain.SERVER.format(plus=2), encoding="utf-8")
        beside.rename(beside.with_name("server.py"))
        await self.until(name, SUM + 2)

    async def repaired(self, name: str, pid: int) -> None:
        """Kill a server's process and call it."""
        process = psutil.Process(pid)
        process.kill()
        # Until the kernel has ended all of it, a call may still be answered by what was killed.
        await anyio.to_thread.run_sync(process.wait, GUARD_S)
        await self.until(name, SUM + 2)

    async def enabled(self, name: str) -> None:
        """Enable a server and call it."""
        await self.tool("enable_mcp_server", name=name)
        assert await self.call(name) == SUM

    async def pid(self, name: str) -> int:
        """Return the process of a server."""
        detail = await self.tool("get_dynamic_mcp_server", name=name)
        return detail["server"]["pid"]

    async def until(self, name: str, wanted: int) -> None:
        """Return once a server answers this, asking again and again in one session of its own.

        A client that has a processor for itself would take it from what is measured.
        """
        with anyio.fail_after(GUARD_S):
            while await self._asked(name) != wanted:  # noqa: ASYNC110 - nothing tells of another process
                await anyio.sleep(ASK_AGAIN_S)

    async def watch(self, name: str) -> None:
        """Open the session in which a server is asked."""
        path = f"/servers/{name}/mcp"
        answer = await self._http.post(path, content=plain.SESSION.splitlines()[0])
        self._watched[name] = answer.headers["mcp-session-id"]

    async def _asked(self, name: str) -> int | None:
        answer = await self._http.post(
            f"/servers/{name}/mcp",
            content=plain.SESSION.splitlines()[-1],
            headers={"mcp-session-id": self._watched[name]},
        )
        result = answer.json().get("result")
        return None if result is None else int(result["content"][0]["text"])


def asking(gateway: LiveGateway) -> httpx2.AsyncClient:
    """Return a client that sends what it is told, and does no more."""
    headers = {
        "authorization": f"Bearer {gateway.token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    return httpx2.AsyncClient(base_url=gateway.url, headers=headers, trust_env=False)


async def timed(action: Awaitable[object]) -> float:
    """Return the seconds that it takes."""
    begun = time.perf_counter()
    await action
    return time.perf_counter() - begun


async def live(desk: Desk, rounds: int) -> list[Row]:
    """Make, change and kill one server after the other."""
    rows = [
        Row("create to first answered call", 0.25),
        Row("update_mcp_server to new code answering", 0.2),
        Row("file saved to new code answering", 0.2),
        Row("kill -9 to next good call, same session", 0.15),
        Row("private memory of a child, all its processes", 20.0, "MiB"),
    ]
    for number in range(-1, rounds):
        name = f"server-{number + 1}"
        took = [await timed(desk.made(name)), await timed(desk.changed(name))]
        await desk.watch(name)
        took.append(await timed(desk.saved(name)))
        pid = await desk.pid(name)
        took += [await timed(desk.repaired(name, pid)), private_mib(await desk.pid(name))]
        beside = await anyio.to_thread.run_sync(plain.start, desk.script)
        # The first round fills the caches of disks and is not counted.
        if number >= 0:
            for row, value in zip(rows, took, strict=True):
                row.values.append(value)
                row.against.append(
                    beside.private_bytes / MIB if row.unit == "MiB" else beside.took_s
                )
        await desk.tool("delete_mcp_server", name=name)
    return rows


def private_mib(pid: int) -> float:
    """Return what a child and its processes have for themselves alone."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().uss for each in family) / MIB


async def many(desk: Desk, count: int) -> Row:
    """Enable servers all at once and call each."""
    row = Row(f"{count} servers until all answered a call", 2.0 * count / SERVERS)
    names = [f"many-{number}" for number in range(count)]
    for name in names:
        await desk.create(name, enable=False)

    async def all_answered() -> None:
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(desk.enabled, name)

    row.values.append(await timed(all_answered()))
    for name in names:
        await desk.tool("delete_mcp_server", name=name)
    if count <= SERVERS:
        row.against.append(await anyio.to_thread.run_sync(plain.start_many, desk.script, count))
    return row


async def measure(folder: Path, rounds: int, servers: int) -> list[Row]:
    """Return everything that is measured in one gateway."""
    with make_place(folder).gateway() as gateway:
        await anyio.to_thread.run_sync(wait_ready, gateway)
        async with client(gateway, "/mcp", "legacy") as session, asking(gateway) as http:
            desk = Desk(session, http, folder)
            return [*await live(desk, rounds), await many(desk, servers)]


def report(rows: list[Row], rounds: int) -> None:
    """Print a table for a document."""
    user = "root" if os.geteuid() == 0 else "plain user"
    load = os.getloadavg()[0]
    print(f"{rounds} rounds, {os.cpu_count()} processors, load {load:.1f}, as {user}\n")
    print("| What | Median | Fastest | Slowest | To reach | `python server.py` | Ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        median = statistics.median(row.values)
        cells = [f"{value:.3g} {row.unit}" for value in (median, min(row.values), max(row.values))]
        cells.append(f"{row.goal:g} {row.unit}")
        if row.against:
            plainly = statistics.median(row.against)
            cells += [f"{plainly:.3g} {row.unit}", f"1/{plainly / median:.1f}"]
        print("| " + " | ".join([row.name, *cells]) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--servers", type=int, default=SERVERS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="claude-runner-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        rows = anyio.run(measure, folder, given.rounds, given.servers)
    cost = idle.added(IDLE)
    rows += [
        Row(f"{IDLE} servers that do not run: memory", 100, "MiB", [cost.private_mib]),
        Row(f"{IDLE} servers that do not run: processor", 1, "%", [cost.cpu_percent]),
    ]
    report(rows, given.rounds)


if __name__ == "__main__":
    main()
