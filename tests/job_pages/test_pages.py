"""The owner's pages for jobs, without a browser; nothing runs."""

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from quart import typing as quart_typing

from gateway.audit.actions import ACTIONS
from gateway.auth.run_tokens import RunTokens, token_hash
from gateway.budgets.days import day_of
from gateway.budgets.report import CostReport
from gateway.cost_pages.pages import CostPages
from gateway.dashboard.cost_chart import HEIGHT, cost_chart
from gateway.dashboard.live import Live
from gateway.domain.budget import Charge, Tokens
from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.domain.run import RunStatus, Trigger, run_of_job
from gateway.job_pages.pages import JobPages
from gateway.jobs.clock import SystemClock
from gateway.jobs.desk import JobDesk
from gateway.jobs.limits import RunLimits
from gateway.jobs.options import AgentConfig
from gateway.jobs.runner import Runner
from gateway.jobs.scheduler import Scheduler
from gateway.settings import load
from gateway.store import Store
from gateway.webhooks.fire_tokens import FireTokens
from tests.dashboard.parts import Shown, send, sign_in
from tests.jobs.parts import Gate

DEAR = Tokens(3, 1_200, 40, 5, 6, 2_500_000, 1)
LIVE = {"notes": ["add", "list"]}
FIELDS = {
    "job": "",
    "name": "<b>brief</b>",
    "prompt": "Write the brief.",
    "cron": "30 8 * * 1-5",
    "at": "",
    "timezone": "Europe/Berlin",
    "jitter_s": "0",
    "tool": "mcp__notes__add",
    "others": "Read",
    "servers": "",
    "budget_usd": "0.5",
    "budget_per_day_usd": "0",
    "timeout_s": "90",
    "max_turns": "0",
    "model": "",
    "network": "none",
    "catch_up": "latest",
    "catch_up_max": "10",
    "grace_s": "3600",
    "overlap": "skip",
    "concurrency": "0",
    "start_within_s": "0",
    "retries": "0",
    "on_interrupt": "mark",
    "on_success": "",
    "on_failure": "",
    "notify_after": "",
    "system_prompt": "",
    "output_schema": "",
}


@dataclass
class Pages:
    """A dashboard with the pages, the owner's client, and the store below."""

    shown: Shown
    owner: quart_typing.TestClientProtocol
    store: Store

    async def act(self, path: str, form: dict[str, str]) -> Any:
        """Send a form."""
        return await send(self.owner, path, form, page="/jobs/new")

    async def text(self, path: str) -> str:
        """Return a page."""
        return await (await self.owner.get(path)).get_data(as_text=True)

    async def make(self, **changes: str) -> Job:
        """Return a job that was made by the form."""
        fields = {**FIELDS, **changes}
        if not fields["tool"]:
            del fields["tool"]  # a box that is not ticked is not sent
        made = await self.act("/jobs/new", fields)
        assert made.status_code == 303, await made.get_data(as_text=True)
        job = await self.store.jobs.get(made.headers["Location"].rpartition("/")[2])
        assert job is not None
        return job


@pytest.fixture(scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pages]:
    """One store for all tests of the module; each makes the jobs that it needs."""
    home = tmp_path_factory.mktemp("jobs")
    settings = load({"CLAUDE_RUNNER_HOME": str(home), "DEFAULT_TIMEZONE": "UTC"}, None)
    async with (
        Store.open(None, path=home / "jobs.db") as store,
        Runner(
            store=store,
            home=home,
            clock=SystemClock(),
            agent=AgentConfig(None, "claude-test-model"),
            gate=Gate(),
            run_tokens=RunTokens(),
            limits=RunLimits(0),
        ) as runner,
    ):
        scheduler = Scheduler(store, runner, SystemClock())
        desk = JobDesk(settings, store, runner, scheduler, lambda: LIVE)
        tokens = FireTokens(store, _base_url)
        followed = Live(time.monotonic)
        shown = Shown(
            followed=followed,
            further=lambda browser: (
                JobPages(
                    browser, settings, store, desk, tokens, lambda: LIVE, followed
                ).blueprint(),
                CostPages(
                    browser, store, CostReport(store, settings), utc_ms, followed
                ).blueprint(),
            ),
        )
        yield Pages(shown, await sign_in(shown), store)


async def _base_url() -> str:
    return "https://runner.example.org"


async def test_a_job_is_made_changed_and_deleted_by_forms(pages: Pages) -> None:
    """Issue 8, 1: all that a job says; what is optional is cleared by an empty field or 0."""
    job = await pages.make(budget_per_day_usd="2", system_prompt="Be short.")
    assert (job.cron, job.timezone, job.tools) == (
        "30 8 * * 1-5",
        "Europe/Berlin",
        ("mcp__notes__add", "Read"),
    )
    assert (job.budget_micro_usd, job.day_budget_micro_usd) == (500_000, 2_000_000)
    edit = await pages.text(f"/jobs/{job.id}/edit")
    assert edit.count(" checked") == 2
    changed = await pages.act(
        f"/jobs/{job.id}/edit",
        {**FIELDS, "name": "once", "cron": "", "at": "2099-12-24T18:00", "on_success": ""},
    )
    assert changed.status_code == 303
    found = await pages.store.jobs.get(job.id)
    assert found is not None
    assert (found.name, found.cron, found.at) == ("once", None, 4_101_814_800_000)
    assert (found.day_budget_micro_usd, found.system_prompt) == (None, None)
    assert (await pages.act(f"/jobs/{job.id}/delete", {})).headers["Location"] == "/jobs"
    assert (await pages.owner.get(f"/jobs/{job.id}")).status_code == 404


async def test_the_longest_prompts_are_saved(pages: Pages) -> None:
    """Ours: what `create_job` takes fits into the form, however a browser encodes it."""
    longest = "\N{OWL}" * 200_000
    job = await pages.make(prompt=longest, system_prompt=longest)
    assert (job.prompt, job.system_prompt) == (longest, longest)
    stranger = pages.shown.app.test_client()
    refused = await stranger.post("/jobs/new", form={**FIELDS, "prompt": longest})
    assert refused.status_code == 413


async def test_what_is_wrong_with_a_job_is_said_at_its_field(pages: Pages) -> None:
    """Issue 8, 1: nothing is stored, and what was typed stays."""
    count = len(await pages.store.jobs.all())
    for wrong, name in (
        ({"name": " "}, "name"),
        ({"cron": ""}, "cron"),
        ({"cron": "nonsense"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "", "at": "yesterday"}, "at"),
        ({"budget_usd": "much"}, "budget_usd"),
        ({"on_success": "job_none"}, "on_success"),
        ({"network": "everything"}, "network"),
        ({"output_schema": "{"}, "output_schema"),
        ({"others": "mcp__"}, "others"),
    ):
        answer = await pages.act("/jobs/new", {**FIELDS, **wrong})
        page = await answer.get_data(as_text=True)
        assert answer.status_code == 422, wrong
        assert f'id="error-{name}"' in page, wrong
        assert "Write the brief." in page
    assert len(await pages.store.jobs.all()) == count


async def test_a_change_keeps_a_schedule_only_if_it_is_typed(pages: Pages) -> None:
    """Ours: a form without one would claim to have changed it."""
    job = await pages.make(name="kept")
    answer = await pages.act(f"/jobs/{job.id}/edit", {**FIELDS, "cron": "", "at": ""})
    assert answer.status_code == 422
    assert 'id="error-cron"' in await answer.get_data(as_text=True)
    assert await pages.store.jobs.get(job.id) == job


async def test_a_job_that_could_not_be_made_any_more_is_still_switched_off(pages: Pages) -> None:
    """Ours: its model has lost its price, its cron expression its meaning; else it runs on."""
    job = await pages.make(name="stale")
    switch = f"/jobs/{job.id}/switch"
    await pages.store.jobs.update(job, replace(job, model="unheard-of"))
    await pages.act(switch, {"do": "pause", "until": "2099-12-24T18:00"})
    paused = await pages.store.jobs.get(job.id)
    assert paused is not None
    assert paused.paused_until == 4_101_814_800_000
    broken = replace(paused, timezone="Mars/Olympus", next_fire_at=None)
    await pages.store.jobs.reschedule(paused, broken)
    for path in ("/jobs", f"/jobs/{job.id}"):
        assert "There is no time zone &#39;Mars/Olympus" in await pages.text(path)
    stale = replace(broken, cron="<b>nonsense", timezone="Europe/Berlin")
    await pages.store.jobs.update(broken, stale)
    await pages.act(switch, {"do": "pause", "until": "2098-12-24T18:00"})
    again = await pages.store.jobs.get(job.id)
    assert again is not None
    assert (again.paused_until, again.next_fire_at) == (4_070_278_800_000, None)
    fields = {**FIELDS, "cron": "<b>nonsense", "name": "seen"}
    assert (await pages.act(f"/jobs/{job.id}/edit", fields)).status_code == 303
    refused = await pages.act(switch, {"do": "resume"})
    assert refused.status_code == 422
    assert "Cron expression &#39;&lt;b&gt;nonsense" in await refused.get_data(as_text=True)
    await pages.act(switch, {"do": "off"})
    off = await pages.store.jobs.get(job.id)
    assert off is not None
    assert (off.name, off.enabled, off.next_fire_at) == ("seen", False, None)
    await pages.act(f"/jobs/{job.id}/delete", {})


async def test_two_changes_at_once_are_both_kept(pages: Pages) -> None:
    """Ours: each is applied to the job as the other left it."""
    job = await pages.make()
    switch = f"/jobs/{job.id}/switch"
    await asyncio.gather(
        pages.act(switch, {"do": "pause", "until": "2099-12-24T18:00"}),
        pages.act(switch, {"do": "off"}),
    )
    both = await pages.store.jobs.get(job.id)
    assert both is not None
    assert (both.enabled, both.paused_until) == (False, 4_101_814_800_000)


async def test_the_next_times_are_shown_before_a_job_is_stored(pages: Pages) -> None:
    """Issue 8, 1: in the job's zone, by a button of the form and for its script alike."""
    count = len(await pages.store.jobs.all())
    answer = await pages.act("/jobs/preview", {**FIELDS, "cron": "0 9 1 1 *"})
    page = await answer.get_data(as_text=True)
    times = re.findall(r"\d{4}-01-01 09:00:00\+01:00", page)
    assert len(times) == 5
    assert 'value="0 9 1 1 *"' in page
    asked = "cron=0+9+1+1+*&timezone=Europe/Berlin&jitter_s=0"
    part = await pages.text(f"/jobs/times?{asked}&at=")
    assert re.findall(r"\d{4}-01-01 09:00:00\+01:00", part) == times
    assert "<html" not in part
    wrong = await pages.text("/jobs/times?cron=nonsense&timezone=UTC&jitter_s=0")
    assert 'class="error"' in wrong
    assert len(await pages.store.jobs.all()) == count


async def test_the_list_tells_how_each_job_goes(pages: Pages) -> None:
    """Issue 8, 1: state and why, next times, last result, cost of seven days."""
    job = await pages.make(name="<b>told</b>")
    run = replace(run_of_job(job, trigger=Trigger.MANUAL, now=utc_ms()), status=RunStatus.TIMED_OUT)
    skipped = replace(
        run_of_job(job, trigger=Trigger.CRON, now=utc_ms() + 1), status=RunStatus.SKIPPED
    )
    for each in (run, skipped):
        await pages.store.runs.add(each)
    today = day_of(utc_ms(), "UTC").name
    for day, cost in ((today, 1_200_000), ("2020-01-01", 9_000_000)):
        await pages.store.costs.charge(
            Charge(run.id, 1, day, job.id, "m", Tokens(1, 1, 1, 0, 0, cost, 0))
        )
    page = await pages.text("/jobs")
    (row,) = [each for each in page.split("<tr ") if "told" in each]
    assert "&lt;b&gt;told&lt;/b&gt;" in row
    assert "timed out" in row
    assert f"/runs/{run.id}" in row
    assert "$1.2000" in row
    assert "30 8 * * 1-5 (Europe/Berlin)" in row
    assert 'data-live="job-list"' in page
    started = await send(pages.owner, f"/jobs/{job.id}/run", {}, page="/jobs")
    assert started.headers["Location"] in await pages.shown.live.render("job-list")
    one = await pages.text(f"/jobs/{job.id}")
    assert f'data-live="job-runs:{job.id}"' in one
    assert run.id in one
    assert "skipped" in one
    assert f"<title>{today}: $1.2000</title>" in one


async def test_costs_are_added_up_as_the_owner_asks(pages: Pages) -> None:
    """Issue 8: as `get_costs` does, with the job by its name; what cannot be asked is said."""
    job = await pages.make(name="<b>dear</b>")
    charge = Charge("run_dear", 1, day_of(utc_ms(), "UTC").name, job.id, "m-dear", DEAR)
    await pages.store.costs.charge(charge)
    page = await pages.text(f"/costs?by=job&days=7&of={job.id}")
    (row,) = [each for each in page.split("<tr>") if "data-label" in each]
    assert "&lt;b&gt;dear&lt;/b&gt;" in row
    assert re.findall(r'number">([^<]*)<', row) == ["$2.5000", "3", "1,200", "40", "5", "6", "1"]
    assert "m-dear" in await pages.text(f"/costs?by=model&of={job.id}")
    assert "Nothing was spent since" in await pages.text(f"/costs?by=server&of={job.id}")
    for wrong in ("by=hour", "days=0", "days=401", "days=x"):
        assert (await pages.owner.get(f"/costs?{wrong}")).status_code == 400
    assert (await pages.shown.app.test_client().get("/costs")).status_code == 401


async def test_a_job_is_run_paused_and_switched_off(pages: Pages) -> None:
    """Issue 8, 1: with the time of the pause in the job's zone."""
    job = await pages.make(name="paused")
    ran = await pages.act(f"/jobs/{job.id}/run", {})
    run = await pages.store.runs.get(ran.headers["Location"].removeprefix("/runs/"))
    assert run is not None
    assert (run.job_id, run.trigger) == (job.id, Trigger.MANUAL)
    switch = f"/jobs/{job.id}/switch"
    for until in ("", "some day", "2001-01-01T00:00"):
        assert (await pages.act(switch, {"do": "pause", "until": until})).status_code == 422
    await pages.act(switch, {"do": "pause", "until": "2099-12-24T18:00"})
    assert "until 2099-12-24 18:00:00+01:00" in await pages.text(f"/jobs/{job.id}")
    await pages.act(switch, {"do": "resume"})
    await pages.act(switch, {"do": "off"})
    found = await pages.store.jobs.get(job.id)
    assert found is not None
    assert (found.paused_until, found.enabled, found.next_fire_at) == (None, False, None)
    assert "switched off by its owner" in await pages.text("/jobs")
    assert (await pages.act(switch, {"do": "nothing"})).status_code == 400


async def test_a_fire_token_is_shown_once_and_ended(pages: Pages) -> None:
    """Issue 7, 6: only for a job that names its tools."""
    job = await pages.make(name="fired")
    answer = await pages.act(f"/jobs/{job.id}/open", {})
    token = re.search(r"crf_[\w-]{40,}", html.unescape(await answer.get_data(as_text=True)))
    assert token is not None
    assert await pages.store.fire_tokens.job_of(token_hash(token[0])) == job.id
    page = await pages.text(f"/jobs/{job.id}")
    assert token[0] not in page
    assert "and never used." in page
    await pages.store.fire_tokens.note_use(job.id, 1_795_330_000_000)
    assert "2026-11-22 06:46" in (await pages.text(f"/jobs/{job.id}")).partition("last used")[2]
    assert f"https://runner.example.org/jobs/{job.id}/fire" in page
    await pages.act(f"/jobs/{job.id}/close", {})
    assert not await pages.store.fire_tokens.find(job.id)
    free = await pages.make(name="free", tool="", others="")
    assert (await pages.act(f"/jobs/{free.id}/open", {})).status_code == 422


def test_each_deed_of_the_pages_has_a_name_in_the_audit_log(pages: Pages) -> None:
    """Issue 6: who did what; a new form needs its line."""
    rules = pages.shown.app.url_map.iter_rules()
    posts = {rule.endpoint for rule in rules if "POST" in (rule.methods or ())}
    mine = {endpoint for endpoint in posts if endpoint.startswith("jobs.")}
    assert len(mine) == 8
    assert mine <= set(ACTIONS)


def test_the_chart_has_a_bar_for_each_of_thirty_days() -> None:
    """Ours: the dearest day fills it; days without a run are flat."""
    chart = cost_chart({"2026-11-22": 500_000, "2026-11-21": 1_000_000}, "2026-11-22")
    assert [bar.height for bar in chart.bars[-3:]] == [0.0, HEIGHT, HEIGHT / 2]
    assert (len(chart.bars), chart.first, chart.total) == (30, "2026-10-24", "$1.5000")
    assert {bar.height for bar in cost_chart({}, "2026-11-22").bars} == {0.0}
