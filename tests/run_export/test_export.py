"""Runs as the owner downloads them."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from werkzeug.exceptions import Unauthorized

from gateway.dashboard.browser import Browser
from gateway.domain.run import RunStatus
from gateway.run_export.forms import csv_heading, csv_lines
from gateway.run_export.routes import RunExport
from gateway.run_export.rows import PAGE
from tests.databases import open_store
from tests.store import examples

NOW = 1_790_000_000_000
HOUR = 3600 * 1000
RUNS = PAGE + 10


class Door:
    """A browser that is logged in, or not."""

    def __init__(self) -> None:
        self.open = True

    def require_session(self) -> None:
        """Let in whom the test lets in."""
        if not self.open:
            raise Unauthorized


@pytest.fixture
def door() -> Door:
    """Open at first."""
    return Door()


@pytest.fixture
async def client(tmp_path: Path, door: Door) -> AsyncIterator[Client]:
    """The downloads over a page of runs and some more, two made in each minute."""
    async with open_store(tmp_path / "jobs.db") as store:
        job = examples.job()
        await store.jobs.add(job)
        for number in range(RUNS):
            run = examples.run(
                id=f"run_{number:03}",
                job_id=job.id if number == 0 else None,
                status=RunStatus.SUCCEEDED,
                created_at=NOW - HOUR + number // 2 * 60_000,
                output='=SUM(A1) said "Ann",\nand more',
            )
            await store.runs.add(run)
        app, export = Quart(__name__), RunExport(store, lambda: NOW)
        app.register_blueprint(export.pages(cast(Browser, door)))
        app.register_blueprint(export.local_routes())
        yield app.test_client()


async def test_every_run_is_a_line_oldest_first(client: Client) -> None:
    """Issue 7, 9: over several pages, also where two were made at the same instant."""
    text = await (await client.get("/runs.jsonl")).get_data(as_text=True)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["id"] for row in rows] == [f"run_{number:03}" for number in range(RUNS)]
    assert rows[0]["prompt"] == "Say what is new."


async def test_filters_bound_what_is_written(client: Client) -> None:
    """Issue 7, 9: by age and by job; a wrong one is said."""
    early = await (await client.get("/runs.jsonl?until=59m")).get_data(as_text=True)
    assert [json.loads(line)["id"] for line in early.splitlines()] == ["run_000", "run_001"]
    first = json.loads(early.splitlines()[0])
    mine = await (await client.get(f"/runs.jsonl?job={first['job_id']}")).get_data(as_text=True)
    assert [json.loads(line)["id"] for line in mine.splitlines()] == ["run_000"]
    for wrong in ("since=yesterday", "until=soon", "after=x"):
        assert (await client.get(f"/runs.csv?{wrong}")).status_code == 400


async def test_csv_reads_back_and_holds_no_formula(client: Client) -> None:
    """RFC 4180, and OWASP's "CSV Injection"."""
    answer = await client.get("/runs.csv")
    rows = list(csv.DictReader(io.StringIO(await answer.get_data(as_text=True), newline="")))
    assert len(rows) == RUNS
    assert rows[0]["output"] == '\'=SUM(A1) said "Ann",\nand more'
    assert rows[0]["tools"] == "Read"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="runs.csv"'


async def test_downloads_are_the_owners(client: Client, door: Door) -> None:
    """Ours."""
    door.open = False
    for path in ("/runs.jsonl", "/runs.csv"):
        assert (await client.get(path)).status_code == 401


def test_numbers_stay_numbers() -> None:
    """Ours: only text can be a formula."""
    row = {"a": -1, "b": "-1", "c": None, "d": ["x", "y"]}
    assert csv_heading("abcd") == "a,b,c,d\r\n"
    assert csv_lines("abcd", [row]) == "-1,'-1,,x y\r\n"
