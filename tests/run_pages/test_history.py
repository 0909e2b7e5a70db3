"""The list of runs, over a store, without a gateway."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from quart import typing as quart_typing
from werkzeug.exceptions import Gone, NotFound

from gateway.budgets.days import day_of
from gateway.dashboard.live import Live
from gateway.dashboard.sessions import Sessions
from gateway.domain.budget import Charge, Tokens
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import Run, RunStatus
from gateway.run_export.routes import RunExport
from gateway.run_files.shelf import Shelf, mark_beginning
from gateway.run_pages.downloads import download_file
from gateway.run_pages.history import PAGE_RUNS, RunHistory
from gateway.run_pages.pages import RunPages
from gateway.store import Store
from tests.dashboard.parts import Shown, send, sign_in
from tests.store import examples
from tests.webhooks.parts import open_door

NOW = utc_ms()
HOSTILE = "</td><img src=x onerror=alert(1)>"
ROW = re.compile(r'<th scope="row" data-label="Run"><a href="/runs/(\w+)">')


@dataclass
class Stage:
    """The owner's client, and runs: 60 that ended, each a minute after the one before."""

    owner: quart_typing.TestClientProtocol
    store: Store
    job: Job
    runs: list[Run]
    live: Live

    async def page(self, query: str = "", status: int = 200) -> str:
        """Return the page."""
        answer = await self.owner.get(f"/runs{query}")
        assert answer.status_code == status
        return await answer.get_data(as_text=True)

    async def ids(self, query: str = "") -> list[str]:
        """Return the runs that it lists."""
        return ROW.findall(await self.page(query))


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One store for all tests here; its runner executes nothing."""
    home: Path = tmp_path_factory.mktemp("history")
    async with open_door(home) as door:
        store = door.store
        job = examples.job(name=HOSTILE)
        await store.jobs.add(job)
        runs = [
            examples.run(
                id=f"run_{number:02}",
                created_at=NOW - (60 - number) * 60_000,
                status=RunStatus.FAILED if number % 2 else RunStatus.SUCCEEDED,
                error=HOSTILE if number % 2 else None,
                job_id=job.id if number < 3 else None,
            )
            for number in range(60)
        ]
        for run in runs:
            await store.runs.add(run)
        today = day_of(NOW, "UTC").name
        for owner, cost in ((job.id, 2_000_000), ("", 500_000)):
            tokens = Tokens(requests=1, cost_micro_usd=cost)
            await store.costs.charge(Charge("run_00", 1, today, owner, "m", tokens))
        live = Live(time.monotonic)
        shown = Shown(
            followed=live,
            further=lambda browser: (
                RunPages(
                    browser,
                    Sessions(utc_ms),
                    store,
                    door.runner,
                    Shelf(home, store, str),
                    RunHistory(store, "UTC", lambda: NOW),
                    live,
                ).blueprint(),
                RunExport(store, lambda: NOW).pages(browser),
            ),
        )
        yield Stage(await sign_in(shown), store, job, runs, live)


async def test_pages_go_on_by_key_and_keep_the_filters(stage: Stage) -> None:
    """Issue 8: newest first, each run on one page only."""
    newest_first = [run.id for run in reversed(stage.runs)]
    first = await stage.page("?since=2h")
    assert ROW.findall(first) == newest_first[:PAGE_RUNS]
    (older,) = re.findall(r'rel="next" href="/runs([^"]*)"', first)
    assert "since=2h" in older
    last = await stage.page(older.replace("&amp;", "&"))
    assert ROW.findall(last) == newest_first[PAGE_RUNS:]
    assert "Older</a>" not in last
    assert "Newest</a>" in last


async def test_filters_narrow_the_list_and_the_cost(stage: Stage) -> None:
    """Issue 8: by job, webhook, state and time; a wrong one is said."""
    assert await stage.ids(f"?job={stage.job.id}") == ["run_02", "run_01", "run_00"]
    assert await stage.ids(f"?job={stage.job.id}&status=failed") == ["run_01"]
    assert await stage.ids("?webhook=webhook_none") == []
    assert await stage.ids("?since=3m&until=1m") == ["run_58", "run_57"]
    assert "<dd>$2.5000</dd>" in await stage.page()
    of_job = await stage.page(f"?job={stage.job.id}")
    assert "<dd>$2.0000</dd>" in of_job
    assert f'<a href="/jobs/{stage.job.id}">' in of_job
    for wrong in ("status=lost", "since=soon", "after=x"):
        assert "must be" in await stage.page(f"?{wrong}", status=400)


async def test_what_others_wrote_is_text(stage: Stage) -> None:
    """Issue 8: errors and names are the words of models and strangers."""
    page = await stage.page("?status=failed")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


async def test_a_run_is_started_again_and_killed_from_its_row(stage: Stage) -> None:
    """Issue 8: the buttons of a row are those of the run's page."""
    page = await stage.page("?status=succeeded")
    assert 'action="/runs/run_58/again"' in page
    assert "/kill" not in page
    again = await send(stage.owner, "/runs/run_58/again", {}, page="/runs")
    new = again.headers["Location"].rpartition("/")[2]
    assert await stage.ids("?status=queued") == [new]
    assert f'action="/runs/{new}/kill"' in await stage.page("?status=queued")
    assert (await send(stage.owner, f"/runs/{new}/kill", {}, page="/runs")).status_code == 303
    assert await stage.ids("?status=cancelled") == [new]


async def test_the_newest_page_follows_what_happens(stage: Stage) -> None:
    """Issue 8: live without reload, with its filters; a name that means nothing harms nobody."""
    assert 'data-live="run-list:status=skipped"' in await stage.page("?status=skipped")
    assert "No run is like that." in await stage.live.render("run-list:status=skipped")
    await stage.store.runs.add(examples.run(id="run_new", status=RunStatus.SKIPPED))
    assert ROW.findall(await stage.live.render("run-list:status=skipped")) == ["run_new"]
    assert "must be one of" in await stage.live.render("run-list:status=lost")
    older = await stage.page(f"?status=skipped&after={NOW}.run_zz")
    assert ROW.findall(older) == ["run_new"]
    assert "data-live" not in older


async def test_a_download_that_nobody_begins_to_read_holds_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    """Ours: a client may leave before the first bytes; what is not there is said at once."""
    shelf = Shelf(tmp_path, stage.store, str)
    work = tmp_path / "work"
    work.mkdir()
    beginning = mark_beginning(tmp_path / "began")
    (work / "report").write_text("done", "utf-8")
    left = await shelf.take("run_30", 1, work, beginning)
    assert left is not None
    await shelf.put(left)
    kept = tmp_path / "run_files" / "run_30" / "1" / "0"
    async with stage.owner.app.test_request_context("/"):
        response = await download_file(stage.store, shelf, "run_30", 1, 0)
        assert kept not in {path.resolve() for path in Path("/proc/self/fd").iterdir()}
        assert await response.get_data() == b"done"
        kept.unlink()
        with pytest.raises(Gone):
            await download_file(stage.store, shelf, "run_30", 1, 0)
        with pytest.raises(NotFound):
            await download_file(stage.store, shelf, "run_30", 1, 1)
