"""What the log of deliveries and their keys promise, on both databases."""

from dataclasses import replace

from gateway.domain.delivery import Arrival, DeliveryKey, Outcome, Verdict
from gateway.domain.ids import new_id
from gateway.domain.notice import Occasion, new_notice
from gateway.domain.run import RunStatus, Trigger
from gateway.domain.secret import DataKey, Sealed
from gateway.domain.webhook import Scheme, WebhookSecret
from gateway.store import Store
from tests.store import examples

ACCEPTED, DUPLICATE = Outcome.ACCEPTED, Outcome.DUPLICATE


def arrival(webhook_id: str, key: str = "k", digest: str = "d") -> Arrival:
    """Return a delivery that is known by `key` until 1000."""
    run = examples.run(
        trigger=Trigger.WEBHOOK, status=RunStatus.QUEUED, job_id=None, webhook_id=webhook_id
    )
    delivery = examples.delivery(webhook_id=webhook_id, run_id=None)
    return Arrival(delivery, run, DeliveryKey(key, digest, 1000))


async def a_webhook(store: Store) -> tuple[str, Sealed]:
    """Store a webhook; return its id and something sealed."""
    key = DataKey(new_id("key"), b"wrapped", 1)
    await store.data_keys.add(key)
    sealed = Sealed(key.id, b"sealed")
    hook = examples.webhook()
    await store.webhooks.add(hook, secret_hash=hook.id, sealed_secret=sealed)
    return hook.id, sealed


async def test_a_delivery_is_accepted_once_until_its_key_expires(store: Store) -> None:
    """Ours: with its run, in one transaction; later it is a new one."""
    hook, _ = await a_webhook(store)
    first, second = arrival(hook), arrival(hook)

    async def settle(each: Arrival, now: int) -> Verdict:
        (verdict,) = await store.deliveries.settle([each], [], now=now, max_queued=10)
        return verdict

    assert await settle(first, 10) == Verdict(ACCEPTED, first.run.id)
    assert await settle(second, 20) == Verdict(DUPLICATE, first.run.id)
    assert await settle(arrival(hook, digest="other"), 20) == Verdict(Outcome.CONFLICT)
    assert await store.runs.get(first.run.id) == first.run
    assert await store.runs.get(second.run.id) is None
    later = arrival(hook)
    assert await settle(later, 1000) == Verdict(ACCEPTED, later.run.id)
    webhook = await store.webhooks.get(hook)
    assert webhook is not None
    assert (webhook.deliveries, webhook.last_delivery_at) == (2, 1000)
    assert await settle(arrival("hook_gone", "other"), 20) == Verdict(None)


async def test_a_batch_fills_the_queue_and_no_more(store: Store) -> None:
    """Ours: the ones that are known already are told so, whatever the queue."""
    hook, _ = await a_webhook(store)
    batch = [arrival(hook, key) for key in "abcd"]
    verdicts = await store.deliveries.settle(batch, [], now=1, max_queued=3)
    assert [verdict.outcome for verdict in verdicts] == [ACCEPTED] * 3 + [Outcome.QUEUE_FULL]
    again = [arrival(hook, key) for key in "ad"]
    verdicts = await store.deliveries.settle(again, [], now=1, max_queued=3)
    assert [verdict.outcome for verdict in verdicts] == [DUPLICATE, Outcome.QUEUE_FULL]


async def test_the_log_is_pruned_by_lines_bytes_and_age(store: Store) -> None:
    """Issue 7: for each webhook on its own."""
    for hook in [(await a_webhook(store))[0], (await a_webhook(store))[0]]:
        lines = [
            examples.delivery(webhook_id=hook, received_at=at, size=4, body=b"body")
            for at in range(5)
        ]
        assert await store.deliveries.settle([], lines, now=1, max_queued=1) == []
        newest = await store.deliveries.newest(hook, 10)
        assert newest == tuple(replace(line, body=None) for line in reversed(lines))
    await store.deliveries.prune(1, kept=3, kept_bytes=8, kept_since=0)
    kept = [await store.deliveries.get(line.id) for line in lines]
    assert kept == [None, None, replace(lines[2], body=None), lines[3], lines[4]]
    await store.deliveries.prune(1, kept=3, kept_bytes=8, kept_since=4)
    assert [line.id for line in await store.deliveries.newest(hook, 10)] == [lines[4].id]


async def test_a_replaced_secret_expires_and_older_ones_are_gone(store: Store) -> None:
    """Ours: two are valid at most; all of them go with their webhook."""
    hook, sealed = await a_webhook(store)
    webhook = await store.webhooks.get(hook)
    assert webhook is not None
    made = [WebhookSecret(f"s{at}", hook, sealed, at) for at in range(3)]
    for at, secret in enumerate(made):
        changed = replace(webhook, scheme=Scheme.GITHUB, updated_at=at)
        await store.webhooks.replace_secret(changed, secret, old_until=100 + at)
    assert await store.webhooks.secrets(hook) == (replace(made[1], expires_at=102), made[2])
    await store.webhooks.replace_secret(replace(webhook, scheme=Scheme.NONE), None, old_until=None)
    assert await store.webhooks.secrets() == ()
    notice = new_notice(Occasion.PAUSED, hook, "Paused", "Why.", 7)
    await store.webhooks.pause(hook, 7, notice)
    found = await store.webhooks.get(hook)
    assert found is not None
    assert (found.scheme, found.paused_at) == (Scheme.NONE, 7)


async def test_a_job_has_one_fire_token(store: Store) -> None:
    """Ours: the newest; it goes with the job."""
    job = examples.job()
    await store.jobs.add(job)
    await store.fire_tokens.put(job.id, "h1", 1)
    await store.fire_tokens.put(job.id, "h2", 2)
    assert await store.fire_tokens.job_of("h1") is None
    assert await store.fire_tokens.job_of("h2") == job.id
    await store.fire_tokens.note_use(job.id, 3)
    assert await store.fire_tokens.remove(job.id)
    assert not await store.fire_tokens.remove(job.id)
    assert await store.fire_tokens.job_of("h2") is None
