"""The official conformance suite against one server, directly and behind the relay."""

import json
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import anyio
import pytest

from tests.cli.gateways import make_place
from tests.conformance.bearer import add_bearer
from tests.conformance.differences import (
    Cell,
    Differences,
    Reason,
    compare,
    expected,
    listed,
    scenarios_of,
)
from tests.conformance.official import Official, Results
from tests.demonstrations import Demonstrations
from tests.e2e.conftest import wait_ready
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(240)

FIXTURE = Path(__file__).parent / "fixture"
REVISIONS = ("2025-11-25", "2026-07-28")
CELLS = tuple(Cell(*each) for each in product(("handshake", "modern"), REVISIONS))
AT_ONCE = 4
SECOND_LOOKS = 2
MAX_DOUBTS = 6
"""More differences than that are no matter of a busy machine."""
CLEAN = {"SUCCESS", "INFO", "SKIPPED"}


@dataclass(slots=True)
class Street:
    """The fixture directly and behind the relay, and what the suite found at either."""

    official: Official
    direct_url: str
    relay_url: str
    direct: dict[str, Results]
    relayed: dict[Cell, Results]

    @property
    def differences(self) -> Mapping[Cell, Differences]:
        """Return what differs in each cell."""
        return {cell: compare(self.direct[cell.caller], self.relayed[cell]) for cell in CELLS}

    def doubts(self) -> list[tuple[Cell, str]]:
        """Return the scenarios with results that are not as listed."""
        return [
            (cell, scenario)
            for cell, differences in self.differences.items()
            for scenario in scenarios_of(differences, expected(cell))
        ]

    async def run_all(self) -> None:
        """Run both requirement sets directly and in each cell."""
        async with anyio.create_task_group() as group:
            for revision in REVISIONS:
                group.start_soon(self._run_directly, revision)
            for cell in CELLS:
                group.start_soon(self._run_relayed, cell)

    async def _run_directly(self, revision: str) -> None:
        self.direct[revision] = await self.official.run(self.direct_url, revision)

    async def _run_relayed(self, cell: Cell) -> None:
        url = self._url(cell)
        self.relayed[cell] = await self.official.run(url, cell.caller)

    async def look_again(self, cell: Cell, scenario: str) -> None:
        """Run one scenario once more, alone: some wait for half a second only."""
        revision = cell.caller
        direct = await self.official.run_again(self.direct_url, revision, scenario)
        relayed = await self.official.run_again(self._url(cell), revision, scenario)
        self.direct[revision] = {**without(self.direct[revision], scenario), **direct}
        self.relayed[cell] = {**without(self.relayed[cell], scenario), **relayed}

    def _url(self, cell: Cell) -> str:
        return f"{self.relay_url}/servers/{cell.server}/mcp"


def without(results: Results, scenario: str) -> Results:
    """Return all results but those of one scenario."""
    return {check: statuses for check, statuses in results.items() if check[0] != scenario}


@contextmanager
def serve_directly() -> Generator[str]:
    """Serve the fixture by its own library and yield its address."""
    command = [sys.executable, "-W", "ignore", str(FIXTURE / "server.py"), "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@dataclass(frozen=True, slots=True)
class Door:
    """How a client from elsewhere reaches the gateway."""

    url: str
    token: str


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Generator[Door]:
    """A gateway with the fixture once for each cell: a child asks whom it alone works for."""
    place = make_place(tmp_path_factory.mktemp("conformance"))
    for cell in CELLS:
        folder = place.folder / "dynamic" / cell.server
        shutil.copytree(FIXTURE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "metadata.json").write_text(json.dumps({"era": cell.child}), encoding="utf-8")
    with place.gateway() as live:
        wait_ready(live)
        made = place.run("token", "create", "--name", "suite", "--scope", "admin")
        yield Door(live.url, made.stdout.strip())


@pytest.fixture(scope="module")
async def street(
    door: Door, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Street:
    """What the suite finds; what is not as listed was looked at again."""
    official = Official(toolchain, tmp_path_factory.mktemp("found"), at_once=AT_ONCE)
    with serve_directly() as url:
        async with add_bearer(door.url, door.token) as base:
            street = Street(official, url, base, {}, {})
            await street.run_all()
            for _ in range(SECOND_LOOKS):
                doubts = street.doubts()
                for cell, scenario in doubts[:MAX_DOUBTS]:
                    await street.look_again(cell, scenario)
    return street


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_server_itself_meets_every_requirement(street: Street, revision: str) -> None:
    """Ours: a fault that both have in common would hide one of the relay."""
    bad = {check for check, statuses in street.direct[revision].items() if set(statuses) - CLEAN}
    assert {scenario for scenario, _ in bad if not scenario.startswith("tasks-")} <= {
        "server-sse-polling"
    }


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_the_relay_differs_where_it_is_listed_and_nowhere_else(
    street: Street, cell: Cell, demonstrations: Demonstrations
) -> None:
    """Issue: identical within an era; between the eras but for what the specification forbids."""
    assert street.differences[cell] == expected(cell), street.official.complaints
    shows = f"Checks of the official conformance suite, {cell}"
    demonstrations.record(shows, len(street.relayed[cell]), told(cell))


def told(cell: Cell) -> str:
    """Return how many results differ from the direct ones, by reason."""
    numbers = dict.fromkeys(Reason, 0)
    for each, reason, differences in listed():
        numbers[reason] += len(differences) if each == cell else 0
    counted = [f"{number} {reason.value}" for reason, number in numbers.items() if number]
    return f"as directly but for {', '.join(counted)}" if counted else "as directly"


def test_within_an_era_the_relay_is_no_worse_than_the_server() -> None:
    """Issue: identical results where caller and child share the era."""
    within = {reason for cell, reason, _ in listed() if cell.shared}
    assert within == {Reason.CHOICE, Reason.STRICTER}
