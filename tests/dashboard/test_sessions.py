"""Sessions and the store: what outlives a restart, and what ends them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.dashboard.sessions import MAX_SESSIONS, SESSION_LIFE_S, Sessions
from gateway.domain.dashboard_session import Way
from gateway.store import Store
from tests.databases import open_store


class Clock:
    """Milliseconds that a test moves."""

    now = 1_795_330_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    """A database of its own."""
    async with open_store(tmp_path / "jobs.db") as opened:
        yield opened


async def restarted(store: Store, clock: Clock, login: str = "login") -> Sessions:
    """Return the sessions of a gateway that starts now."""
    sessions = Sessions(clock, store.dashboard_sessions, login)
    await sessions.load()
    return sessions


async def opened(sessions: Sessions) -> str:
    """Open a session and return its cookie's value."""
    return await sessions.open(Way.PASSWORD, address="192.0.2.1", agent="Agent \x00<b>" + "x" * 999)


async def test_sessions_outlive_a_restart_until_they_end(store: Store, tmp_path: Path) -> None:
    """Ours: twelve hours from the login, restarts or not; the file holds no cookie."""
    clock = Clock()
    before = await restarted(store, clock)
    value, closed, ended = await opened(before), await opened(before), await opened(before)
    before.note_use(value)
    clock.now += 1000
    before.note_use(value)
    await before.note_uses()
    await before.close(closed)
    session = before.find(ended)
    assert session is not None
    assert await before.end(session.id)
    after = await restarted(store, clock)
    assert [after.is_open(each) for each in (value, closed, ended)] == [True, False, False]
    assert [each.last_used_at for each in after.all()] == [clock.now]
    clock.now += SESSION_LIFE_S * 1000
    assert not after.is_open(value)
    assert (await restarted(store, clock)).all() == ()
    for path in tmp_path.iterdir():
        assert value.encode() not in path.read_bytes()


async def test_another_login_in_the_settings_ends_all_sessions(store: Store) -> None:
    """Ours: who changes the password wants everybody out; so does a new OAUTH_SECRET_KEY."""
    value = await opened(await restarted(store, Clock()))
    assert not (await restarted(store, Clock(), "another")).is_open(value)
    assert not (await restarted(store, Clock())).is_open(value)


async def test_logging_out_everywhere_leaves_nobody(store: Store) -> None:
    """Ours."""
    sessions = await restarted(store, Clock())
    values = [await opened(sessions) for _ in range(3)]
    assert await sessions.end_all() == 3
    assert not any(sessions.is_open(value) for value in values)
    assert (await restarted(store, Clock())).all() == ()


async def test_there_are_at_most_so_many(store: Store) -> None:
    """Ours: the oldest ends."""
    clock = Clock()
    sessions = Sessions(clock)
    first, *others = [await opened(sessions) for _ in range(MAX_SESSIONS + 1)]
    assert not sessions.is_open(first)
    assert all(sessions.is_open(value) for value in others)
