"""Jobs, runs and webhooks through their tools, on the real store."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mcp_types import ImageContent

from gateway.budgets.days import day_of
from gateway.budgets.prices import AS_OF, PriceList
from gateway.domain.budget import Charge, Tokens
from gateway.domain.clock import utc_ms
from gateway.domain.job import OnInterrupt
from gateway.domain.run import RunResult, RunStatus
from gateway.run_files.shelf import mark_beginning
from tests.tools.conftest import Gateway, text_of
from tests.tools.servers import SEND

DAILY: dict[str, Any] = {"name": "News", "cron": "0 8 * * *", "prompt": "Read the news."}
HOOK: dict[str, Any] = {"name": "Build", "prompt_template": "Look at {{payload.ref}}."}


async def test_a_job_is_stored_as_it_was_given(gateway: Gateway) -> None:
    """Ours: defaults come from the settings, everything else from the caller."""
    created = await gateway.call("create_job", **DAILY, tools=["Read"], budget_usd=0.5)
    job = created["job"]
    assert job["id"].startswith("job_")
    assert {key: job[key] for key in ("name", "cron", "prompt", "tools", "servers")} == {
        **DAILY,
        "tools": ["Read"],
        "servers": [],
    }
    assert (job["timezone"], job["enabled"], job["timeout_s"]) == ("Europe/Berlin", True, 1800)
    assert (job["budget_usd"], job["model"], job["max_turns"]) == (0.5, None, None)
    assert created["tool_warnings"] == []
    times = [datetime.fromisoformat(text) for text in created["next_runs"]]
    assert [(time.hour, time.utcoffset()) for time in times] == [
        (8, time.astimezone(ZoneInfo("Europe/Berlin")).utcoffset()) for time in times
    ]
    assert len(times) == 5
    assert times[0] == datetime.fromisoformat(job["next_run_at"])
    assert created["timezone_note"].startswith("Times are in Europe/Berlin, whose clocks change:")
    assert await gateway.call("get_job", job_id=job["id"]) == created
    assert await gateway.call("list_jobs") == {"jobs": [job]}


async def test_output_schema_is_checked_shown_and_taken_away(gateway: Gateway) -> None:
    """Issue 7: for jobs and webhooks alike; a refused one changes nothing."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    for create, update, key, given in (
        ("create_job", "update_job", "job", DAILY),
        ("create_webhook", "update_webhook", "webhook", HOOK),
    ):
        made = (await gateway.call(create, **given, output_schema=schema))[key]
        assert made["output_schema"] == schema
        about = {f"{key}_id": made["id"]}
        words = await gateway.refusal(update, **about, output_schema={"type": "string"})
        assert words.startswith("The argument output_schema must describe an object")
        assert (await gateway.call(f"get_{key}", **about))[key]["output_schema"] == schema
        changed = await gateway.call(update, **about, output_schema={})
        assert changed[key]["output_schema"] is None


async def test_tools_are_normalised_and_doubts_are_said(gateway: Gateway) -> None:
    """Ours: unknown is a warning, for the server may come later."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    created = await gateway.call(
        "create_job", **DAILY, tools=["email:send", "email.send", "fax:send"], servers=["fax"]
    )
    assert created["job"]["tools"] == ["mcp__email__send", "mcp__fax__send"]
    assert created["tool_warnings"] == [
        "'email:send' is read as 'mcp__email__send'.",
        "'email.send' is read as 'mcp__email__send'.",
        "'fax:send' is read as 'mcp__fax__send'.",
        "There is no server named 'fax'.",
    ]
    shown = await gateway.call("get_job", job_id=created["job"]["id"])
    assert shown["tool_warnings"] == ["There is no server named 'fax'."]


async def test_an_update_changes_what_is_given_and_nothing_else(gateway: Gateway) -> None:
    """Ours: what is not given stays; an empty text or 0 clears."""
    created = await gateway.call("create_job", **DAILY, model="opus", max_turns=5, budget_usd=1)
    before = created["job"]
    changed = await gateway.call(
        "update_job", job_id=before["id"], cron="30 9 * * *", model="", max_turns=0, budget_usd=0
    )
    after = changed["job"]
    different = {key for key in before if before[key] != after[key]}
    assert different - {"updated_at"} == {
        "cron",
        "model",
        "max_turns",
        "budget_usd",
        "next_run_at",
    }
    assert (after["model"], after["max_turns"], after["budget_usd"]) == (None, None, None)


async def test_a_job_that_says_nothing_gets_the_owners_limits(gateway: Gateway) -> None:
    """Issue 7, points 1 and 4: a budget a run; 0 takes one away."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    limits = ("budget_usd", "budget_per_day_usd", "max_turns", "timeout_s")
    assert [job[name] for name in limits] == [5.0, None, None, 1800.0]
    own = {"budget_usd": 0, "budget_per_day_usd": 2.5, "max_turns": 9, "timeout_s": 60}
    job = (await gateway.call("create_job", **DAILY, **own))["job"]
    assert [job[name] for name in limits] == [None, 2.5, 9, 60.0]


async def test_a_money_budget_with_a_model_without_a_price_is_refused(gateway: Gateway) -> None:
    """Issue 7, point 4: when the job is made or changed, and nothing is changed then."""
    sentence = (
        "The price of model 'glm-9' is not known, so a run with a money budget cannot use it;"
        " choose another model, put its price into PRICES_FILE, or remove the budget."
    )
    assert await gateway.refusal("create_job", **DAILY, model="glm-9") == sentence
    hook = {"name": "h", "prompt_template": "x", "model": "glm-9"}
    assert await gateway.refusal("create_webhook", **hook) == sentence
    assert await gateway.refusal("run_prompt", prompt="x", model="glm-9") == sentence
    job = (await gateway.call("create_job", **DAILY, model="glm-9", budget_usd=0))["job"]
    wish = {"job_id": job["id"], "budget_per_day_usd": 1}
    assert await gateway.refusal("update_job", **wish) == sentence
    assert (await gateway.call("get_job", job_id=job["id"]))["job"] == job


async def test_costs_are_shown_with_todays_sum(gateway: Gateway) -> None:
    """Issue 7, point 4: what each group adds up is the store's; here is how it is told."""
    services = gateway.services
    day = day_of(utc_ms(), services.settings.default_timezone).name
    tokens = Tokens(1, 10, 20, 30, 40, 1_500_000)
    await services.store.costs.charge(Charge("run_x", 1, day, "", "claude-a", tokens))
    for by, name in (("day", day), ("job", ""), ("model", "claude-a")):
        costs = await gateway.call("get_costs", by=by, days=1)
        row = {
            "name": name,
            "cost_usd": 1.5,
            "unpriced": 0,
            "requests": 1,
            "input_tokens": 10,
            "output_tokens": 20,
            "cache_read_tokens": 30,
            "cache_write_tokens": 40,
            "runs": None,
            "calls": None,
        }
        assert costs == {
            "since": day,
            "rows": [row],
            "today_usd": 1.5,
            "daily_budget_usd": None,
            "prices_as_of": AS_OF.isoformat(),
            "prices_remark": PriceList().remark(datetime.now(UTC).date()),
        }
    assert (await gateway.call("get_costs", by="server"))["rows"] == []


async def test_the_network_of_runs_is_public_unless_it_is_narrowed(gateway: Gateway) -> None:
    """Issue 3, 7: `public` because WebFetch is a default tool; a list of hosts narrows it."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    assert job["network"] == "public"
    hosts = ["api.example.com", "*.example.org"]
    narrowed = await gateway.call("update_job", job_id=job["id"], network=hosts)
    assert narrowed["job"]["network"] == hosts
    run_id = (await gateway.call("trigger_job", job_id=job["id"]))["run_id"]
    run = await gateway.call("get_run", run_id=run_id)
    assert (run["network"], run["refused_hosts"]) == (hosts, [])
    closed = await gateway.call("update_job", job_id=job["id"], network=[], tools=["WebFetch"])
    assert closed["job"]["network"] == "none"
    assert closed["tool_warnings"] == ["WebFetch has nothing to fetch from: the network is 'none'."]


async def test_the_network_of_a_webhook_is_closed_unless_it_fetches(gateway: Gateway) -> None:
    """Ours: strangers write its prompt, so it gets what its author named and no more."""
    bare = (await gateway.call("create_webhook", **HOOK))["webhook"]
    fetching = (await gateway.call("create_webhook", **HOOK, tools=["WebFetch"]))["webhook"]
    assert (bare["network"], fetching["network"]) == ("none", "public")
    narrowed = await gateway.call(
        "update_webhook", webhook_id=fetching["id"], network=["api.example.com"]
    )
    assert narrowed["webhook"]["network"] == ["api.example.com"]


async def test_a_paused_job_has_no_next_run(gateway: Gateway) -> None:
    """Ours: enabled=false pauses, true resumes."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    paused = await gateway.call("update_job", job_id=job["id"], enabled=False)
    assert (paused["job"]["next_run_at"], paused["next_runs"]) == (None, [])
    resumed = await gateway.call("update_job", job_id=job["id"], enabled=True)
    assert resumed["job"]["next_run_at"] == job["next_run_at"]


async def test_a_due_instant_is_not_lost_by_an_update_of_something_else(gateway: Gateway) -> None:
    """Ours: the scheduler may not have seen it yet; a new schedule starts anew."""
    job_id = (await gateway.call("create_job", **DAILY))["job"]["id"]
    jobs = gateway.services.store.jobs
    job = await jobs.get(job_id)
    assert job is not None
    assert await jobs.reschedule(job, replace(job, next_fire_at=1_000))
    same = await gateway.call("update_job", job_id=job_id, name="Other", cron=DAILY["cron"])
    assert same["job"]["next_run_at"] == "1970-01-01T00:00:01Z"
    moved = await gateway.call("update_job", job_id=job_id, cron="1 8 * * *")
    assert datetime.fromisoformat(moved["job"]["next_run_at"]) == datetime.fromisoformat(
        moved["next_runs"][0]
    )
    job = await jobs.get(job_id)
    assert job is not None
    assert await jobs.update(job, replace(job, cron="61 8 * * *"))
    broken = await gateway.call("update_job", job_id=job_id, name="Seen")
    assert (broken["job"]["name"], broken["next_runs"]) == ("Seen", [])
    assert "Cron expression '61 8 * * *' cannot be used" in broken["job"]["schedule_problem"]


async def test_a_job_may_run_once_at_a_time_of_its_zone(gateway: Gateway) -> None:
    """Issue 7 (at): without an offset the job's zone is meant; cron and at replace each other."""
    once = {"name": "Party", "prompt": "Invite them.", "at": "2035-01-01T18:00"}
    created = await gateway.call("create_job", **once)
    job = created["job"]
    assert (job["cron"], job["at"]) == (None, "2035-01-01T17:00:00Z")
    assert created["next_runs"] == ["2035-01-01T18:00:00+01:00"]
    moved = await gateway.call("update_job", job_id=job["id"], at="2035-01-01T18:00-05:00")
    assert moved["next_runs"] == ["2035-01-02T00:00:00+01:00"]
    daily = await gateway.call("update_job", job_id=job["id"], cron="0 8 * * *")
    assert (daily["job"]["cron"], daily["job"]["at"]) == ("0 8 * * *", None)


async def test_a_job_is_paused_until_a_time(gateway: Gateway) -> None:
    """Issue 7 (pause until): its next run is the first one after; '' ends the pause."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    paused = await gateway.call("update_job", job_id=job["id"], paused_until="2035-06-01T00:00")
    assert paused["next_runs"][0] == "2035-06-01T08:00:00+02:00"
    assert paused["job"]["next_run_at"] == "2035-06-01T06:00:00Z"
    back = await gateway.call("update_job", job_id=job["id"], paused_until="")
    assert back["job"]["next_run_at"] == job["next_run_at"]


async def test_a_job_may_lead_to_another_but_not_to_itself(gateway: Gateway) -> None:
    """Issue 7, 1 (chaining): circles and unknown jobs are refused, '' ends a chain."""
    send = (await gateway.call("create_job", **DAILY, enabled=False))["job"]["id"]
    news = (await gateway.call("create_job", **DAILY, on_success=send))["job"]
    assert (news["on_success"], news["on_failure"]) == (send, None)
    circle = await gateway.refusal("update_job", job_id=send, on_failure=news["id"])
    assert circle.startswith("The job would run after itself, on and on;")
    unknown = await gateway.refusal("update_job", job_id=send, on_failure="job_x")
    assert unknown == 'There is no job "job_x"; list_jobs shows the ids.'
    ended = await gateway.call("update_job", job_id=news["id"], on_success="")
    assert ended["job"]["on_success"] is None


async def test_the_rules_of_a_schedule_are_kept(gateway: Gateway) -> None:
    """Issue 7: defaults are catch_up latest with an hour's grace and overlap skip."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    rules = (
        "jitter_s", "catch_up", "catch_up_max", "grace_s", "overlap", "start_within_s", "retries",
        "concurrency", "on_interrupt",
    )  # fmt: skip
    assert [job[rule] for rule in rules] == [
        0, "latest", 10, 3600, "skip", None, 0, None, "mark",
    ]  # fmt: skip
    wanted = {
        "jitter_s": 30, "catch_up": "all", "catch_up_max": 3, "grace_s": 0, "overlap": "allow",
        "start_within_s": 60, "retries": 2, "concurrency": 4, "on_interrupt": "resume",
    }  # fmt: skip
    changed = await gateway.call("update_job", job_id=job["id"], **wanted)
    assert {rule: changed["job"][rule] for rule in rules} == wanted
    run_id = (await gateway.call("trigger_job", job_id=job["id"]))["run_id"]
    run = await gateway.services.store.runs.get(run_id)
    assert run is not None
    assert (run.expires_at, run.retries, run.concurrency, run.on_interrupt) == (
        run.created_at + 60_000,
        2,
        4,
        OnInterrupt.RESUME,
    )


async def test_a_triggered_job_is_a_queued_run(gateway: Gateway) -> None:
    """Ours: trigger answers at once; get_run tells the rest."""
    job = (await gateway.call("create_job", **DAILY, tools=["Read"], timeout_s=60))["job"]
    triggered = await gateway.call("trigger_job", job_id=job["id"])
    assert triggered["status"] == "queued"
    detail = await gateway.call("get_run", run_id=triggered["run_id"])
    assert detail["prompt"] == DAILY["prompt"]
    assert detail["tools"] == ["Read"]
    assert (detail["run"]["trigger"], detail["run"]["job_id"]) == ("manual", job["id"])
    runs = (await gateway.call("list_runs", job_id=job["id"]))["runs"]
    assert runs == [detail["run"]]


async def test_a_waiting_run_is_killed_once(gateway: Gateway) -> None:
    """Ours: a final run is refused with its status."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    run_id = (await gateway.call("trigger_job", job_id=job["id"]))["run_id"]
    assert (await gateway.call("kill_run", run_id=run_id))["status"] == "cancelled"
    refusal = await gateway.refusal("kill_run", run_id=run_id)
    assert refusal == f"Run {run_id!r} has already ended as cancelled."


async def test_a_deleted_job_takes_its_runs_along(gateway: Gateway) -> None:
    """Ours: a waiting run is cancelled first, then job and runs are gone."""
    job = (await gateway.call("create_job", **DAILY))["job"]
    run_id = (await gateway.call("trigger_job", job_id=job["id"]))["run_id"]
    await gateway.call("delete_job", job_id=job["id"])
    assert await gateway.call("list_jobs") == {"jobs": []}
    assert await gateway.call("list_runs") == {"runs": [], "next": None}
    assert await gateway.refusal("get_run", run_id=run_id) == f"There is no run {run_id!r}."


async def leave(gateway: Gateway, run_id: str, files: dict[str, bytes]) -> None:
    """Have a run leave files."""
    work = gateway.folder / "work"
    work.mkdir()
    beginning = mark_beginning(gateway.folder / "began")
    for name, data in files.items():
        (work / name).write_bytes(data)
    (work / "away").symlink_to("/etc/passwd")
    left = await gateway.services.shelf.take(run_id, 1, work, beginning)
    assert left is not None
    await gateway.services.shelf.put(left)


async def test_a_finished_run_shows_output_money_time_and_files(gateway: Gateway) -> None:
    """Ours: micro-dollars and milliseconds are shown as dollars and seconds.

    Issue 7, What 5: its files are listed with it and read as they are, by pages.
    """
    job = (await gateway.call("create_job", **DAILY))["job"]
    run_id = (await gateway.call("trigger_job", job_id=job["id"]))["run_id"]
    runs = gateway.services.store.runs
    now = utc_ms()
    run = await runs.claim(run_id, now)
    assert run is not None
    result = RunResult(RunStatus.SUCCEEDED, output="Rain.", cost_micro_usd=12_500, turns=2)
    assert await runs.finish(run_id, run.attempt, result, now + 1500)
    detail = await gateway.call("get_run", run_id=run_id)
    assert detail["output"] == "Rain."
    shown = detail["run"]
    assert (shown["status"], shown["cost_usd"], shown["duration_s"], shown["turns"]) == (
        "succeeded",
        0.0125,
        1.5,
        2,
    )
    long, png = "\N{GREEK SMALL LETTER ALPHA}" * 40_000, b"\x89PNG\r\n\x1a\n..."
    await leave(gateway, run_id, {"a.txt": long.encode(), "b.png": png, "c.bin": b"\x00\xff"})
    listed = await gateway.call("list_run_files", run_id=run_id)
    assert [(each["path"], each["kind"], each["not_kept"]) for each in listed["files"]] == [
        ("a.txt", "text/plain", None),
        ("away", "link", "It is a link, no file."),
        ("b.png", "image/png", None),
        ("c.bin", "application/octet-stream", None),
    ]
    assert (await gateway.call("get_run", run_id=run_id))["files"] == listed
    pages: list[str] = []
    while sum(map(len, pages)) < len(long):
        offset = len("".join(pages).encode())
        page = await gateway.raw("read_run_file", run_id=run_id, path="a.txt", offset=offset)
        pages.append(text_of(page).partition("]\n")[2])
    assert (len(pages) > 1, "".join(pages)) == (True, long)
    (image,) = (await gateway.raw("read_run_file", run_id=run_id, path="b.png")).content
    data = base64.b64encode(png).decode()
    assert image == ImageContent(type="image", data=data, mime_type="image/png")
    for path, sentence in {
        "c.bin": "cannot be shown here",
        "away": "It is a link",
        "../jobs.db": "left no file",
    }.items():
        assert sentence in await gateway.refusal("read_run_file", run_id=run_id, path=path)
    beyond = {"run_id": run_id, "path": "a.txt", "offset": 80_000}
    assert "nothing at 80000" in await gateway.refusal("read_run_file", **beyond)


async def test_a_webhook_has_an_address_that_only_get_shows(gateway: Gateway) -> None:
    """Ours: the secret is stored hashed and sealed; lists leave it out."""
    created = await gateway.call("create_webhook", **HOOK, tools=["email:send"])
    webhook = created["webhook"]
    base, _, secret = webhook["url"].rpartition("/")
    assert base == "http://127.0.0.1:8080/webhook"
    assert len(secret) >= 40
    digest = hashlib.sha256(secret.encode()).hexdigest()
    (stored,) = await gateway.services.store.webhooks.all_by_address()
    assert stored == digest
    assert created["tool_warnings"] == [
        "'email:send' is read as 'mcp__email__send'.",
        "There is no server named 'email'.",
    ]
    shown = await gateway.call("get_webhook", webhook_id=webhook["id"])
    assert shown["webhook"] == webhook
    listed = await gateway.call("list_webhooks")
    assert listed == {"webhooks": [{**webhook, "url": None}]}


async def test_a_changed_base_address_is_used(gateway: Gateway) -> None:
    """Ours: the settings row counts only once it was changed."""
    webhook = (await gateway.call("create_webhook", **HOOK))["webhook"]
    await gateway.services.store.settings.set("webhook_base_url", "https://runner.example.com")
    shown = (await gateway.call("get_webhook", webhook_id=webhook["id"]))["webhook"]
    assert shown["url"].startswith("https://runner.example.com/webhook/")


async def test_a_webhook_is_changed_and_deleted(gateway: Gateway) -> None:
    """Ours: the address stays the same through every change."""
    webhook = (await gateway.call("create_webhook", **HOOK, max_turns=3))["webhook"]
    changed = await gateway.call(
        "update_webhook", webhook_id=webhook["id"], enabled=False, max_turns=0
    )
    assert changed["webhook"] == {
        **webhook,
        "enabled": False,
        "state": "off",
        "max_turns": None,
        "updated_at": changed["webhook"]["updated_at"],
    }
    await gateway.call("delete_webhook", webhook_id=webhook["id"])
    assert await gateway.call("list_webhooks") == {"webhooks": []}


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("get_job", {"job_id": "job_x"}, 'There is no job "job_x"; list_jobs shows the ids.'),
        ("update_job", {"job_id": "../x"}, 'There is no job "../x"; list_jobs shows the ids.'),
        ("delete_job", {"job_id": ""}, 'There is no job ""; list_jobs shows the ids.'),
        ("trigger_job", {"job_id": "job_x"}, 'There is no job "job_x"; list_jobs shows the ids.'),
        ("list_runs", {"job_id": "job_x"}, 'There is no job "job_x"; list_jobs shows the ids.'),
        ("get_run", {"run_id": "run_x"}, "There is no run 'run_x'."),
        ("kill_run", {"run_id": "run_x"}, "There is no run 'run_x'."),
        (
            "get_webhook",
            {"webhook_id": "x"},
            "There is no webhook 'x'; list_webhooks shows the ids.",
        ),
        (
            "delete_webhook",
            {"webhook_id": "x"},
            "There is no webhook 'x'; list_webhooks shows the ids.",
        ),
    ],
)
async def test_an_unknown_id_is_one_sentence(
    untouched: Gateway, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    """Ours: what is unknown, and where the ids are."""
    assert await untouched.refusal(tool, **arguments) == sentence
