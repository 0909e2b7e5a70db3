"""What waits is bounded, what is lost is said, and what is too much is removed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.audit.programs import watch_programs
from gateway.audit.trail import (
    MAX_HELD_BYTES,
    MAX_WAITING,
    PRUNE_AFTER,
    STRANGERS_PER_MINUTE,
    Keeping,
    Trail,
)
from gateway.domain.audit import Actor, AuditEntry, AuditWish, Outcome
from gateway.oauth.journal import Journal
from gateway.store import Store
from supervisor.redaction import Redactor
from tests.databases import open_store
from tests.waiting import PATIENCE_S, until_seen

DAY_MS = 24 * 3600 * 1000
NOW = 1_790_000_000_000
GUARD_S = PATIENCE_S


def entry(**changes: Any) -> AuditEntry:
    """Return the entry of a call."""
    facts = {"at": NOW, "actor": Actor.TOKEN, "actor_id": "tok_1", "action": "tools/call"}
    return AuditEntry(**{**facts, "outcome": Outcome.OK, **changes})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with open_store(tmp_path / "jobs.db") as opened:
        yield opened


def trail_of(store: Store, *, entries: int = 1000, days: int = 90) -> Trail:
    """Return a trail at a fixed instant."""
    redactor = Redactor()
    redactor.know("KEY", "a-secret-in-the-wrong-place")
    return Trail(store.audit, redactor, Keeping(entries, days), lambda: NOW)


async def actions(store: Store, **wish: Any) -> list[str]:
    """Return what was done, newest first."""
    return [kept.entry.action for kept in await store.audit.find(AuditWish(**wish))]


async def until_kept(store: Store, number: int) -> None:
    """Return once the log holds just so many entries."""

    async def holds() -> bool:
        return len(await actions(store, limit=PRUNE_AFTER)) == number

    await until_seen(holds)


async def test_what_was_noted_is_written_down_also_at_the_end(store: Store) -> None:
    """Ours: nobody waits for the database, and the last entries are not lost."""
    trail = trail_of(store)
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as group:
            group.start_soon(trail.run)
            trail.note(lambda: entry(action="first"))
            await until_kept(store, 1)
            trail.note(lambda: entry(action="last"))
            group.cancel_scope.cancel()
    assert await actions(store) == ["last", "first"]


async def test_what_does_not_fit_is_counted_and_said(store: Store) -> None:
    """Ours: a full queue loses entries and never holds a call up."""
    trail = trail_of(store, entries=MAX_WAITING * 2)
    one = entry()
    for _ in range(MAX_WAITING + 7):
        trail.note(lambda: one)
    await trail.flush()
    (newest,) = await store.audit.find(AuditWish(limit=1))
    assert (newest.entry.outcome, newest.entry.arguments) == (Outcome.LOST, "7 entries")
    assert newest.number == MAX_WAITING + 1


async def test_what_cannot_be_made_or_stored_is_lost_alone(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: it is logged with its place and counted; the rest is written, and the log goes on."""

    def spoiled() -> AuditEntry:
        raise LookupError("no such thing")

    trail = trail_of(store)
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as group:
            group.start_soon(trail.run)
            trail.note(lambda: entry(action="first"))
            trail.note(spoiled)
            trail.note(spoiled, MAX_HELD_BYTES + 1)
            trail.note(lambda: entry(action="too large", asked_bytes=2**70))
            trail.note(lambda: entry(action="second"))
            await until_kept(store, 3)
            trail.note(lambda: entry(action="third"))
            await until_kept(store, 4)
            group.cancel_scope.cancel()
    assert await actions(store) == ["third", "audit", "second", "first"]
    (lost,) = await store.audit.find(AuditWish(outcome=Outcome.LOST))
    assert lost.entry.arguments == "3 entries"
    shown = caplog.text
    assert shown.count("spoiled") >= 2
    assert "LookupError: no such thing" in shown
    assert "An audit entry of 'too large' cannot be stored" in shown


async def test_what_programs_ask_of_oauth_leaves_entries(store: Store) -> None:
    """Issue 6, point 9: a token by its grant, who gets none by the address; no guessed client."""
    trail, journal = trail_of(store), Journal(lambda: NOW)
    watch_programs(journal, trail)
    for path, status, facts in (
        ("/token", 200, {"grant": "grant_1", "client": "c1", "grant_type": "refresh_token"}),
        ("/oauth/token", 401, {"client": "guessed", "address": "192.0.2.1"}),
        ("/register", 201, {"client": "c2", "address": "192.0.2.1"}),
        ("/authorize", 200, {}),
    ):
        asked = journal.entry("POST", path)
        asked.note(**facts)
        asked.write(status)
    await trail.flush()
    kept = [each.entry for each in await store.audit.find(AuditWish())]
    assert [(e.action, e.actor, e.actor_id, e.target, e.outcome) for e in reversed(kept)] == [
        ("oauth token", Actor.CLIENT, "grant_1", "c1", Outcome.OK),
        ("oauth token", Actor.STRANGER, "192.0.2.1", "", Outcome.REFUSED),
        ("oauth registration", Actor.STRANGER, "192.0.2.1", "c2", Outcome.OK),
    ]
    assert len({e.correlation for e in kept}) == 3


async def test_strangers_cannot_wash_the_log_out(store: Store) -> None:
    """Ours: more than so many in a minute are only counted."""
    trail = trail_of(store)
    for _ in range(STRANGERS_PER_MINUTE * 3):
        trail.stranger_did(entry(actor=Actor.STRANGER))
    await trail.flush()
    assert len(await actions(store, who="stranger")) <= 2 * STRANGERS_PER_MINUTE
    assert await actions(store, outcome=Outcome.LOST) == ["audit"]


async def test_old_entries_and_too_many_are_removed(store: Store) -> None:
    """Issue 6, point 9: retained by setting, in days and in entries."""
    await store.audit.add([entry(at=NOW - 91 * DAY_MS)] * 10)
    await store.audit.add([entry(at=NOW - n) for n in range(PRUNE_AFTER)])
    trail = trail_of(store, entries=100)
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as group:
            group.start_soon(trail.run)
            trail.note(lambda: entry(action="newest"))
            await until_kept(store, 100)
            group.cancel_scope.cancel()
    assert (await actions(store, limit=1)) == ["newest"]


async def test_no_entries_at_all_if_the_owner_wants_none(store: Store) -> None:
    """Ours: AUDIT_ENTRIES=0."""
    trail = trail_of(store, entries=0)
    trail.note(entry)
    await trail.flush()
    assert await actions(store) == []


async def test_a_name_of_a_callers_own_that_holds_a_secret_is_left_out(store: Store) -> None:
    """Ours: somebody may paste a key where a name belongs."""
    trail = trail_of(store)
    trail.note(lambda: entry(server="x", target="a-secret-in-the-wrong-place"))
    await trail.flush()
    (kept,) = await store.audit.find(AuditWish())
    assert (kept.entry.server, kept.entry.target, kept.entry.action) == ("x", "", "tools/call")


async def test_entries_are_found_by_each_filter(store: Store) -> None:
    """Issue 6, point 9: queryable."""
    await store.audit.add(
        [
            entry(action="a", server="x", tool="t"),
            entry(action="b", actor=Actor.RUN, actor_id="run_1", at=NOW + 5),
            entry(action="c", outcome=Outcome.DIED, server="y"),
        ]
    )
    assert await actions(store) == ["c", "b", "a"]
    assert await actions(store, who="run") == await actions(store, who="run_1") == ["b"]
    assert await actions(store, server="x") == await actions(store, tool="t") == ["a"]
    assert await actions(store, tool="c") == await actions(store, outcome=Outcome.DIED) == ["c"]
    assert await actions(store, since=NOW + 1) == ["b"]
    assert await actions(store, before=3) == ["b", "a"]
    assert await actions(store, after=1, limit=1) == ["b"]


def test_an_entry_is_not_made_on_the_way_of_a_call() -> None:
    """Ours: nothing but a list is there; the entry is made by who writes it down."""
    made: list[AuditEntry] = []

    def make() -> AuditEntry:
        made.append(entry())
        return made[-1]

    trail = Trail(None, Redactor(), Keeping(1, 1), lambda: NOW)  # pyright: ignore[reportArgumentType] - never written down
    for _ in range(100):
        trail.note(make)
    assert not made
