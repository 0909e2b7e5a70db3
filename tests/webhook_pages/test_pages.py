"""The owner's pages for webhooks, without a browser."""

import asyncio
import html
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from gateway.audit.actions import ACTIONS
from gateway.budgets.days import day_of, days_before
from gateway.domain.budget import Charge, Tokens
from gateway.domain.clock import utc_ms
from gateway.domain.delivery import Outcome
from gateway.domain.webhook import Scheme
from gateway.webhooks.curl import curl_of
from gateway.webhooks.reasons import REASONS
from tests.dashboard.parts import send
from tests.store import examples
from tests.webhook_pages.conftest import Pages
from tests.webhooks.parts import JSON, WEBHOOK, Door

ONE = f"/webhooks/{WEBHOOK.id}"
FIELDS = {
    "name": "deploys",
    "prompt_template": "Look at {{payload.branch}}.",
    "tool": "mcp__notes__add",
    "others": "Read\n mail:send",
    "scheme": "standard",
    "secret": "",
    "rate_per_minute": "60",
    "budget_usd": "0.5",
    "budget_per_day_usd": "2",
    "timeout_s": "90",
    "max_turns": "0",
    "model": "",
    "network": "api.example.com example.org:8443",
    "tolerance_s": "300",
    "same_body_s": "0",
    "missing": "error",
    "output_schema": '{"type": "object"}',
}
LISTENER = r'curl() { for each in "$@"; do printf "%s\036" "$each"; done; cat; }; '


async def text_of(answer: Any) -> str:
    """Return an answer's page."""
    return await (await answer).get_data(as_text=True)


async def act(pages: Pages, path: str, form: dict[str, str]) -> Any:
    """Send a form from the page of the webhook."""
    return await send(pages.owner, path, form, page="/webhooks/new")


async def test_the_list_flags_open_webhooks_and_never_has_an_address(pages: Pages) -> None:
    """Issue 8, 1: state, scheme, tools, deliveries of today; the address is a secret."""
    hook = await pages.door.have(name="<b>ci</b>")
    for body in (b"{}", b"{}", b"no JSON"):
        await pages.door.post(body)
    await pages.door.log()
    page = await text_of(pages.owner.get("/webhooks"))
    assert "&lt;b&gt;ci&lt;/b&gt;" in page
    assert "none: open" in page
    assert "2 accepted, 1 refused" in page
    assert "mcp__notes__add" in page
    secret = await pages.door.hooks.address_secret(hook.id)
    assert secret is not None
    assert secret not in page + await text_of(pages.owner.get(ONE))
    assert 'data-live="webhook-list"' in page
    await pages.door.post(b"{}")
    assert "3 accepted, 1 refused" in await pages.shown.live.render("webhook-list")


async def test_what_a_webhook_cost_is_drawn_by_day(pages: Pages) -> None:
    """Issue 8, 1: today, the last seven days, thirty days, and a bar for each of these."""
    hook = await pages.door.have(id="webhook_dear")
    run = examples.run(webhook_id=hook.id)
    await pages.door.store.runs.add(run)
    today = day_of(utc_ms(), "UTC").name
    for back, cost in ((0, 1_200_000), (6, 300_000), (7, 500_000), (30, 9_000_000)):
        tokens = Tokens(1, 1, 1, 0, 0, cost, 0)
        charge = Charge(run.id, 1, days_before(today, back), hook.id, "m", tokens)
        await pages.door.store.costs.charge(charge)
    page = await text_of(pages.owner.get(f"/webhooks/{hook.id}"))
    await pages.door.hooks.delete(hook.id)
    assert "$2.0000 in 30 days, $1.5000 in the last 7; at most $1.2000 in a day" in page
    assert page.count("<rect") == 30


async def test_the_address_is_shown_when_it_is_asked_for(pages: Pages) -> None:
    """Issue 7, 6: the owner sees it again; a POST, so that it leaves an entry."""
    hook = await pages.door.have(Scheme.GITHUB)
    url = await pages.door.hooks.url(hook.id)
    assert url is not None
    page = html.unescape(await text_of(act(pages, f"{ONE}/address", {})))
    assert f"curl -sS -X POST {url}" in page
    assert pages.door.secret not in page
    assert (await pages.owner.get(f"{ONE}/address")).status_code == 405


def test_each_deed_of_the_pages_has_a_name_in_the_audit_log(pages: Pages) -> None:
    """Issue 6: who did what; a new form needs its line."""
    rules = pages.shown.app.url_map.iter_rules()
    posts = {rule.endpoint for rule in rules if "POST" in (rule.methods or ())}
    mine = {endpoint for endpoint in posts if endpoint.startswith("webhooks.")}
    assert len(mine) == 8
    assert mine <= set(ACTIONS)


async def test_a_webhook_is_made_and_its_secret_shown_once(pages: Pages) -> None:
    """Issue 8, 1: all that a webhook says; without tools it has none; the secret never again."""
    made = await act(pages, "/webhooks/new", FIELDS)
    assert made.status_code == 303
    path = made.headers["Location"]
    page = await text_of(pages.owner.get(path))
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{40,}", html.unescape(page))
    assert secret is not None
    assert secret[0] not in html.unescape(await text_of(pages.owner.get(path)))
    hook = await pages.door.store.webhooks.get(path.rpartition("/")[2])
    assert hook is not None
    assert (hook.tools, hook.budget_micro_usd, hook.max_turns) == (
        ("mcp__notes__add", "Read", "mcp__mail__send"),
        500_000,
        None,
    )
    assert hook.network.hosts == ("api.example.com", "example.org:8443")
    assert (hook.scheme, hook.missing, hook.timeout_s) == ("standard", "error", 90.0)
    edit = await text_of(pages.owner.get(f"{path}/edit"))
    assert edit.count(" checked") == 3
    changed = await act(pages, f"{path}/edit", {**FIELDS, "budget_usd": "0", "tool": "Read"})
    assert changed.status_code == 303
    hook = await pages.door.store.webhooks.get(hook.id)
    assert hook is not None
    assert (hook.tools, hook.budget_micro_usd) == (("Read", "mcp__mail__send"), None)
    assert (await act(pages, f"{path}/delete", {})).headers["Location"] == "/webhooks"
    assert (await pages.owner.get(path)).status_code == 404


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_stored(pages: Pages) -> None:
    """Issue 8, 1: what was typed stays, but for a secret."""
    count = len(await pages.door.store.webhooks.all())
    for wrong, field, sentence in (
        ({"name": " "}, "name", "Please fill this in."),
        ({"budget_usd": "much"}, "budget_usd", "Please give a number."),
        ({"rate_per_minute": "-1"}, "rate_per_minute", "This should be greater than or equal"),
        ({"others": "rm -rf /"}, "others", "'rm -rf /' is not a tool name"),
        ({"network": "all"}, "network", "The network 'all' is unknown"),
        ({"output_schema": "{"}, "output_schema", "This is no JSON"),
        ({"model": "unheard-of"}, "model", "The price of model 'unheard-of' is not known"),
        ({"scheme": "github", "secret": "brief-5Lq"}, "secret", "The secret is no secret of"),
    ):
        answer = await act(pages, "/webhooks/new", {**FIELDS, **wrong})
        page = html.unescape(await answer.get_data(as_text=True))
        assert answer.status_code == 422
        assert f'id="error-{field}">{sentence}' in page, (wrong, page)
        assert "Look at {{payload.branch}}." in page
        assert "brief-5Lq" not in page
    assert len(await pages.door.store.webhooks.all()) == count


async def test_the_log_says_why_and_pages_back_and_replays(pages: Pages) -> None:
    """Issue 7, 6: a log with the reason of each refusal, and replay of one delivery."""
    await pages.door.have()
    for body in (b'{"branch": 50}', b'{"branch": 51}', *(b"{" for _ in range(49))):
        pages.door.now += 1000
        await pages.door.post(body, JSON)
    *_, second, first = await pages.door.log()
    page = await text_of(pages.owner.get(ONE))
    assert page.count(REASONS[Outcome.MALFORMED]) == 49
    assert page.count(">Replay</button>") == 1
    older = re.search(r'href="([^"]*before=[^"]*)"', page)
    assert older is not None
    end = await text_of(pages.owner.get(older[1]))
    assert (first.id in end, second.id in end) == (True, False)
    assert (f'data-live="webhook-log:{WEBHOOK.id}"' in page, "data-live" in end) == (True, False)
    replayed = await act(pages, f"{ONE}/replay", {"delivery": first.id})
    run = await pages.door.store.runs.get(replayed.headers["Location"].rpartition("/")[2])
    assert run is not None
    assert ">50</payload-" in run.prompt
    await pages.door.log()
    assert run.id in await pages.shown.live.render(f"webhook-log:{WEBHOOK.id}")
    assert "There is no webhook" in await pages.shown.live.render("webhook-log:webhook_x")
    lost = await act(pages, f"{ONE}/replay", {"delivery": "delivery_x"})
    assert "There is no delivery" in await lost.get_data(as_text=True)


async def test_a_trial_shows_the_prompt_or_starts_a_run(pages: Pages) -> None:
    """Issue 7, 6: a test sender that signs, with a preview; hostile text stays text."""
    await pages.door.have(Scheme.SLACK, missing="error")
    hostile = '{"branch": "<img src=x onerror=alert(1)>"}'
    shown = await text_of(act(pages, f"{ONE}/test", {"payload": hostile, "do": "preview"}))
    assert "<img" not in shown
    assert "onerror=alert(1)&gt;&lt;/payload-" in shown
    assert await pages.door.log() == ()
    refused = await text_of(act(pages, f"{ONE}/test", {"payload": "{}", "do": "start"}))
    assert "A sender would get 422: The delivery has no payload.branch" in refused
    started = await act(pages, f"{ONE}/test", {"payload": hostile, "do": "start"})
    assert started.headers["Location"].startswith("/runs/run_")


async def test_what_a_spent_day_would_end_is_refused_at_once(pages: Pages) -> None:
    """Ours: a trial or replay says why; a preview says what a sender would get now."""
    hook = await pages.door.have(day_budget_micro_usd=100)
    await pages.door.post(b"{}")
    (first,) = await pages.door.log()
    day = day_of(utc_ms(), "UTC").name
    charge = Charge("run_1", 1, day, hook.id, "m", Tokens(cost_micro_usd=100))
    await pages.door.store.costs.charge(charge)
    sentence = "No run is started: the budget of 0.0001 US dollars a day for this webhook"
    test, trial = f"{ONE}/test", {"payload": "{}", "do": "start"}
    assert f"would get 503: {sentence}" in await text_of(act(pages, test, trial))
    again = {"delivery": first.id}
    assert sentence in await text_of(act(pages, f"{ONE}/replay", again))
    await pages.door.hooks.update(hook, replace(hook, enabled=False))
    preview = await text_of(act(pages, test, {**trial, "do": "preview"}))
    assert "would get 404 The webhook is switched off; on, a delivery like this" in preview
    assert len(await pages.door.log()) == 1


async def test_a_webhook_is_switched_and_its_secret_replaced(pages: Pages) -> None:
    """Issue 7, 6: a pause ends by hand; the old secret goes on beside the new one."""
    hook = await pages.door.have(Scheme.GITHUB)
    await pages.door.hooks.pause(hook, 50)
    assert ">Resume</button>" in await text_of(pages.owner.get(ONE))
    for do, status in (("on", 202), ("off", 404), ("on", 202)):
        assert (await act(pages, f"{ONE}/switch", {"do": do})).status_code == 303
        body = b'{"n": "%s%d"}' % (do.encode(), status)
        headers = pages.door.signed(Scheme.GITHUB, body, f"id-{do}-{pages.door.now}")
        pages.door.now += 1
        assert (await pages.door.post(body, headers)).status == status
    form = {"scheme": "github", "secret": "", "overlap_s": "3600"}
    assert (await act(pages, f"{ONE}/secret", form)).status_code == 303
    assert "The new secret" in await text_of(pages.owner.get(ONE))
    old = pages.door.signed(Scheme.GITHUB, b"{}", "after-rotation")
    assert (await pages.door.post(b"{}", old)).status == 202
    wrong = await act(pages, f"{ONE}/secret", {**form, "overlap_s": "-1"})
    assert wrong.status_code == 422
    assert 'id="error-overlap_s"' in await wrong.get_data(as_text=True)
    assert (await act(pages, f"{ONE}/switch", {"do": "burn"})).status_code == 400


async def test_the_lines_for_a_shell_are_taken_by_the_webhook(pages: Pages) -> None:
    """Issue 8, 1: ready to paste, signed for each scheme; no secret in an argument of curl."""
    for scheme in Scheme:
        await pages.door.have(scheme)
        arguments = await lines_of(pages.door, scheme)
        assert not pages.door.secret or pages.door.secret not in " ".join(arguments[:-1])
        headers = dict(
            re.split(": ?", value, maxsplit=1)
            for name, value in pairwise(arguments)
            if name == "-H" and value != "@-"
        )
        if scheme is Scheme.BEARER:
            name, _, value = arguments[-1].strip().partition(": ")
            headers[name] = value
        body = arguments[arguments.index("-d") + 1].encode()
        sent = {name.lower(): value for name, value in headers.items()}
        assert (await pages.door.post(body, sent)).status == 202, scheme


async def lines_of(door: Door, scheme: Scheme) -> list[str]:
    """Run the lines with a `curl` that tells its arguments, then its standard input."""
    lines = curl_of(scheme, None)
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        LISTENER + lines.replace("read -rsp", "read -r IGNORED <<<''; : "),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env={"SECRET": door.secret, "URL": "http://x.test", "PATH": "/usr/bin:/bin"},
    )
    told, _ = await shell.communicate()
    assert shell.returncode == 0
    return told.decode().split("\x1e")


async def test_a_stranger_sees_and_changes_nothing(pages: Pages) -> None:
    """Ours: every page and form wants the owner's session."""
    await pages.door.have(name="mine")
    client = pages.shown.app.test_client()
    for answer in (
        await client.get("/webhooks"),
        await client.get(ONE),
        await client.post(f"{ONE}/address", form={}),
        await client.post(f"{ONE}/delete", form={}),
    ):
        assert answer.status_code in (401, 403)
        assert "mine" not in await answer.get_data(as_text=True)
    assert await pages.door.store.webhooks.get(WEBHOOK.id) is not None
