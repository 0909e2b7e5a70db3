"""Deliveries that come again, too often, unsigned or at the wrong time; and the log of all."""

import json
from functools import partial

import anyio

from gateway.domain.delivery import Outcome
from gateway.domain.webhook import Scheme
from gateway.webhooks.hooks import hash_of
from gateway.webhooks.ledger import KEPT_FOR, KEPT_LINES
from gateway.webhooks.pipeline import MAX_BAD_SIGNATURES
from tests.webhooks.parts import JSON, MAX_QUEUED, WEBHOOK, Answer, Door

BODY = b'{"id":"evt_1","event_id":"Ev1","branch":"main"}'
HOUR_MS = 3600 * 1000
SIGNED = [scheme for scheme in Scheme if scheme is not Scheme.NONE]


async def test_each_scheme_takes_its_sender_and_nobody_else(door: Door):
    """Security D 3, 4: 401 without detail, in one form for every reason."""
    for scheme in SIGNED:
        await door.have(scheme)
        good = door.signed(scheme, BODY)
        refused = await door.post(BODY)
        assert (refused.status, refused.body) == (401, {"error": "The delivery is not authentic."})
        assert (await door.post(BODY, good)).status == 202
        door.now += HOUR_MS
        late = await door.post(BODY, good)
        if scheme in (Scheme.GITHUB, Scheme.BEARER):
            assert (late.status, late.body["duplicate"]) == (200, True)
        else:
            assert (late.status, late.body) == (401, refused.body)


async def test_the_same_delivery_at_once_and_often_is_one_run(door: Door):
    """Security D 6: fifty replays of one id at the same time."""
    answers: list[Answer] = []

    async def deliver(path: str) -> None:
        answers.append(await door.post(BODY, door.signed(scheme, BODY), path=path))

    for count, scheme in enumerate((Scheme.STANDARD, Scheme.GITHUB, Scheme.STRIPE), start=1):
        await door.have(scheme)
        answers.clear()
        path = await door.path()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(deliver, path)
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [200] * 49 + [202]
        assert len({answer.run_id for answer in answers}) == 1
        assert len(await door.runs()) == count


async def test_an_id_that_came_with_another_body_is_a_conflict(door: Door):
    """Security D 4: 409, and nothing starts."""
    for scheme in (Scheme.STANDARD, Scheme.GITHUB, Scheme.BEARER, Scheme.NONE):
        await door.have(scheme)
        assert (await door.post(BODY, door.signed(scheme, BODY))).status == 202
        other = await door.post(b"{}", door.signed(scheme, b"{}"))
        assert (other.status, other.body) == (
            409,
            {"error": "A delivery with this id came before with another body."},
        )
        assert (await door.post(b"{}", door.signed(scheme, b"{}", "msg_2"))).status == 202


async def test_events_of_stripe_and_slack_are_known_by_their_own_id(door: Door):
    """Theirs: an attempt is made anew, with another time and another body."""
    for scheme in (Scheme.STRIPE, Scheme.SLACK):
        await door.have(scheme)
        first = await door.post(BODY, door.signed(scheme, BODY))
        door.now += 1000
        again = BODY[:-1] + b',"attempt":2}'
        second = await door.post(again, door.signed(scheme, again))
        assert (second.status, second.run_id) == (200, first.run_id)


async def test_a_body_without_an_id_is_known_for_a_day(door: Door):
    """Security D 4: dedupe on the body's hash for 24 h; an empty body says nothing."""
    first = await door.post(BODY)
    door.now += 23 * HOUR_MS
    again = await door.post(BODY)
    assert (again.status, again.run_id) == (200, first.run_id)
    door.now += 2 * HOUR_MS
    assert (await door.post(BODY)).status == 202
    for _ in range(2):
        assert (await door.post(b"", {})).status == 202
    await door.have(same_body_s=0)
    for _ in range(2):
        assert (await door.post(BODY)).status == 202


async def test_an_idempotency_key_makes_a_callers_retries_one_run(door: Door):
    """Security D 4: for callers without a scheme of their own."""
    key = {**JSON, "idempotency-key": "order-7"}
    first = await door.post(BODY, key)
    again = await door.post(BODY, key)
    assert (first.status, again.status, again.run_id) == (202, 200, first.run_id)
    assert (await door.post(BODY, {**key, "idempotency-key": "order-8"})).status == 202
    assert (await door.post(BODY, {**key, "idempotency-key": "x" * 257})).status == 400
    repeated = [*key.items(), ("idempotency-key", "order-9")]
    assert (await door.post(BODY, repeated)).status == 400


async def test_the_same_id_at_two_webhooks_is_two_deliveries(door: Door):
    """Security D 3: unique by hook and id."""
    key = {**JSON, "idempotency-key": "order-7"}
    assert (await door.post(BODY, key)).status == 202
    await door.hooks.delete(WEBHOOK.id)
    await door.have()
    assert (await door.post(BODY, key)).status == 202


async def test_slack_and_github_may_try_the_address(door: Door):
    """Theirs: url_verification and ping are answered once they are signed, without a run."""
    await door.have(Scheme.SLACK)
    trial = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    assert (await door.post(trial)).status == 401
    answer = await door.post(trial, door.signed(Scheme.SLACK, trial))
    assert (answer.status, answer.body) == (200, {"challenge": "abc"})
    await door.have(Scheme.GITHUB)
    ping = {**door.signed(Scheme.GITHUB, BODY), "x-github-event": "ping"}
    answer = await door.post(BODY, ping)
    assert (answer.status, answer.body) == (200, {"pong": True})
    assert await door.runs() == ()


async def test_a_webhook_has_a_rate_and_says_when_to_come_again(door: Door):
    """Security D 4: 429 with Retry-After."""
    await door.have(rate_per_minute=60)
    statuses = [(await door.post(b"%d" % at)).status for at in range(12)]
    assert statuses == [202] * 10 + [429] * 2
    refused = await door.post(b"99")
    assert refused.headers["retry-after"] == "1"
    assert refused.body == {
        "error": "There were too many deliveries to this webhook; send it again later."
    }
    door.now += 1000
    assert (await door.post(b"99")).status == 202


async def test_one_address_cannot_use_up_what_others_have(door: Door):
    """Security D 3: a rate for each sender, before the webhook's own."""
    door.intake = door.make_intake(sender_rate=60)
    await door.have(rate_per_minute=600)
    statuses = [(await door.post(b"%d" % at, sender="192.0.2.1")).status for at in range(20)]
    assert statuses.count(429) == 10
    assert (await door.post(b"50", sender="192.0.2.2")).status == 202
    same_site = [
        (await door.post(b"1%d" % at, sender=f"2001:db8::{at}")).status for at in range(12)
    ]
    assert same_site.count(429) == 2


async def test_a_full_queue_is_503_and_known_deliveries_are_still_known(door: Door):
    """Security D 4: come again later; nothing is lost or doubled."""
    for at in range(MAX_QUEUED):
        assert (await door.post(b"%d" % at)).status == 202
    full = await door.post(b'"more"')
    assert (full.status, full.headers["retry-after"]) == (503, "60")
    assert (await door.post(b"7")).status == 200
    assert len(await door.runs()) == MAX_QUEUED
    await door.store.runs.claim_next(door.now)
    assert (await door.post(b'"more"')).status == 202


async def test_too_many_bad_signatures_in_a_row_pause_a_webhook(door: Door):
    """Security D 4: auto-pause after n; a good one in between begins anew; its owner resumes."""
    await door.have(Scheme.GITHUB)
    for _ in range(MAX_BAD_SIGNATURES - 1):
        assert (await door.post(BODY)).status == 401
    assert (await door.post(BODY, door.signed(Scheme.GITHUB, BODY))).status == 202
    for _ in range(MAX_BAD_SIGNATURES):
        assert (await door.post(BODY)).status == 401
    paused = await door.post(BODY, door.signed(Scheme.GITHUB, BODY))
    assert (paused.status, paused.headers["retry-after"]) == (503, "600")
    webhook = await door.store.webhooks.get(WEBHOOK.id)
    assert webhook is not None
    assert webhook.paused_at == door.now


async def test_a_secret_that_was_replaced_goes_on_for_a_while(door: Door):
    """Security D 1: rotation with overlap; the one before last ends."""
    webhook = await door.have(Scheme.GITHUB, "first-secret-of-github")
    for secret in ("second-secret-of-github", "third-secret-of-github"):
        await door.hooks.sign_with(webhook, Scheme.GITHUB, secret, overlap_s=3600)
    bodies = iter(range(100))

    async def status(secret: str) -> int:
        door.secret, body = secret, b"%d" % next(bodies)
        return (await door.post(body, door.signed(Scheme.GITHUB, body, str(body)))).status

    assert await status("first-secret-of-github") == 401
    assert await status("second-secret-of-github") == 202
    assert await status("third-secret-of-github") == 202
    door.now += 3600 * 1000
    assert await status("second-secret-of-github") == 401
    assert await status("third-secret-of-github") == 202
    await door.hooks.sign_with(webhook, Scheme.BEARER, "bearer-secret-of-it", overlap_s=3600)
    assert await status("third-secret-of-github") == 401


async def test_the_log_tells_what_became_of_each_delivery(door: Door):
    """Issue 7: delivery log; of what was not proven it keeps no body."""
    await door.have(Scheme.GITHUB)
    good = door.signed(Scheme.GITHUB, BODY)
    run_id = (await door.post(BODY, good)).run_id
    for headers, body in ((good, BODY), (JSON, BODY), ({**good, "content-encoding": "x"}, BODY)):
        await door.post(body, headers)
    lines = await door.log()
    assert sorted((line.outcome, line.status, line.run_id) for line in lines) == sorted(
        [
            (Outcome.ACCEPTED, 202, run_id),
            (Outcome.DUPLICATE, 200, run_id),
            (Outcome.BAD_SIGNATURE, 401, None),
            (Outcome.UNSUPPORTED, 415, None),
        ]
    )
    kept = [await door.store.deliveries.get(line.id) for line in lines]
    assert [line.body for line in kept if line and line.body is not None] == [BODY]
    assert {line.sender for line in lines} == {"192.0.2.7"}


async def test_a_flood_of_refusals_does_not_fill_the_log(door: Door):
    """Issue 7: nothing grows without bound."""
    await door.have(Scheme.STANDARD)
    for _ in range(40):
        await door.post(BODY)
    assert 0 < len(await door.log()) <= 20


async def test_old_lines_bodies_and_keys_are_forgotten(door: Door):
    """Issue 7: retention is bounded in lines, bytes and days; the newest stay."""
    for at in range(5):
        door.now += 1
        assert (await door.post(b"1000%d" % at)).status == 202
    prune = partial(door.store.deliveries.prune, kept=KEPT_LINES, kept_bytes=10, kept_since=0)
    await prune(door.now)
    lines = [await door.store.deliveries.get(line.id) for line in await door.log()]
    assert [line.body for line in lines if line] == [b"10004", b"10003", None, None, None]
    await door.store.deliveries.prune(door.now, kept=2, kept_bytes=10, kept_since=0)
    assert [line.id for line in await door.log()] == [line.id for line in lines[:2] if line]
    assert (await door.post(b"10000")).status == 200
    door.now += round(KEPT_FOR.total_seconds() * 1000)
    await door.store.deliveries.prune(
        door.now, kept=KEPT_LINES, kept_bytes=10, kept_since=door.now - 1
    )
    assert await door.log() == ()
    assert (await door.post(b"10000")).status == 202
    assert len(await door.runs()) == 6


async def test_a_deleted_webhook_takes_its_log_and_keys_along(door: Door):
    """Ours: and its address leads nowhere at once."""
    path = await door.path()
    assert (await door.post(BODY)).status == 202
    assert await door.hooks.delete(WEBHOOK.id)
    assert (await door.post(BODY, path=path)).status == 404
    assert await door.log() == ()
    assert door.hooks.find(hash_of(path)) is None
    assert len(await door.runs()) == 1
