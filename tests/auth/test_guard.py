"""Whose token a header carries, with a real store behind it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.auth.access_tokens import AccessTokens, Fingerprints
from gateway.auth.caller import CallerKind
from gateway.auth.endings import Endings
from gateway.auth.guard import Guard
from gateway.auth.machine_tokens import make_token
from gateway.auth.run_tokens import RunTokens, token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.token import Scope, Token
from gateway.store import Store
from tests.databases import open_store


class Room:
    """A guard, its store, and a clock that only moves when told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = utc_ms()
        self.runs = RunTokens(lambda: self.now)
        self.endings = Endings(lambda: self.now)
        self.ended: list[str] = []
        self.endings.listen(self.ended.append)
        access = AccessTokens(
            store.oauth_grants, Fingerprints(b"key"), lambda: self.now, self.endings
        )
        self.guard = Guard(store, self.runs, access, self.endings, lambda: self.now)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncGenerator[Room]:
    """A guard over an empty store."""
    async with open_store(tmp_path / "jobs.db") as store:
        yield Room(store)


async def test_a_stored_token_is_its_owners_with_its_scopes(room: Room) -> None:
    """RFC 6750, section 2.1; the scheme's case does not matter."""
    made = await make_token(room.store.tokens, name="laptop", scope="run")
    for scheme in ("Bearer", "bearer", "BEARER"):
        caller = await room.guard.caller(f"{scheme} {made.value}")
        assert caller is not None
        assert (caller.kind, caller.id) == (CallerKind.TOKEN, made.token.id)
        assert caller.scopes == {Scope.RUN}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic eDp5", "crt_x", "Bearer x"]
)
async def test_anything_else_is_nobodys(room: Room, header: str | None) -> None:
    """Ours."""
    assert await room.guard.caller(header) is None


async def test_a_revoked_token_is_nobodys_at_once(room: Room) -> None:
    """Ours."""
    made = await make_token(room.store.tokens, name="laptop", scope="admin")
    header = f"Bearer {made.value}"
    assert await room.guard.caller(header) is not None
    await room.store.tokens.revoke(made.token.id, room.now)
    room.guard.forget(made.token.id)
    assert await room.guard.caller(header) is None
    assert room.ended == [made.token.id]


async def test_others_tokens_stay_known_when_one_is_revoked(room: Room) -> None:
    """Ours: an address that showed too many wrong tokens has the store asked for none."""
    ended, other = [
        await make_token(room.store.tokens, name=name, scope="run") for name in ("ended", "other")
    ]
    for made in (ended, other):
        await room.guard.note_made(made.value)
    await room.store.tokens.revoke(ended.token.id, room.now)
    room.guard.forget(ended.token.id)
    for made, known in ((ended, False), (other, True)):
        caller = await room.guard.caller(f"Bearer {made.value}", ask_store=False)
        assert (caller is not None) is known


async def test_a_token_that_expires_while_it_is_known_is_nobodys(room: Room) -> None:
    """Ours."""
    value = "crt_expiring"
    token = Token(new_id("tok"), "x", frozenset({Scope.READ}), room.now, expires_at=room.now + 10)
    await room.store.tokens.add(token, token_hash(value))
    assert await room.guard.caller(f"Bearer {value}") is not None
    room.endings.end_expired()
    assert room.ended == []
    room.now += 10
    assert await room.guard.caller(f"Bearer {value}") is None
    assert await room.guard.caller(f"Bearer {value}") is None
    room.endings.end_expired()
    assert room.ended == [token.id]


async def test_the_local_token_may_do_everything_and_a_runs_token_its_grant(room: Room) -> None:
    """Design 3.11."""
    local = await room.guard.caller(f"Bearer {room.guard.make_local_token()}")
    assert local is not None
    assert (local.kind, local.scopes) == (CallerKind.LOCAL, frozenset(Scope))
    token = room.runs.issue("run_1", tools=["mcp__a__t"], ttl_s=60)
    run = await room.guard.caller(f"Bearer {token}")
    assert run is not None
    assert (run.kind, run.scopes) == (CallerKind.RUN, frozenset())
    assert (run.may_use("a"), run.may_use("b")) == (True, False)
    assert (run.may_call("a", "t"), run.may_call("a", "u")) == (True, False)
    room.runs.revoke("run_1")
    assert await room.guard.caller(f"Bearer {token}") is None


async def test_uses_are_noted_once(room: Room) -> None:
    """Ours: batched, away from the calls."""
    made = await make_token(room.store.tokens, name="laptop", scope="admin")
    await room.guard.caller(f"Bearer {made.value}")
    await room.guard.note_uses()
    (token,) = await room.store.tokens.all()
    assert token.last_used_at == room.now
    room.now += 5
    await room.guard.note_uses()
    (token,) = await room.store.tokens.all()
    assert token.last_used_at == room.now - 5
