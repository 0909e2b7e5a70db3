"""What webhooks, tokens, credentials, servers and data keys promise, on both databases."""

from dataclasses import replace

import pytest

from gateway.domain.dashboard_session import DashboardSession, Way
from gateway.domain.ids import new_id
from gateway.domain.oauth import Client, ClientSource, Grant, RefreshToken
from gateway.domain.secret import CredentialTimes, DataKey, Sealed
from gateway.domain.server_version import VersionFile, VersionResult
from gateway.domain.token import Scope
from gateway.domain.view import View
from gateway.store import Store
from gateway.store.errors import VersionTaken
from tests.store import examples


async def sealed(store: Store, data: bytes = b"\x00\xffsealed") -> Sealed:
    """Return a sealed value under a data key that the store has."""
    key = DataKey(new_id("key"), b"wrapped", 1)
    await store.data_keys.add(key)
    return Sealed(key.id, data)


async def test_a_webhook_is_found_by_the_hash_of_its_secret(store: Store) -> None:
    """Ours: the clear secret is never stored."""
    secret = await sealed(store)
    full = examples.webhook(created_at=31, model="m", max_turns=2, budget_micro_usd=5, tools=())
    plain = examples.webhook()
    await store.webhooks.add(full, secret_hash="h2", sealed_secret=secret)
    await store.webhooks.add(plain, secret_hash="h1", sealed_secret=secret)
    assert await store.webhooks.get(full.id) == full
    assert await store.webhooks.all() == (plain, full)
    assert await store.webhooks.all_by_address() == {"h1": plain, "h2": full}
    assert await store.webhooks.sealed_secret(plain.id) == secret
    assert await store.webhooks.sealed_secret("hook_nothere") is None


async def test_a_deleted_webhook_leaves_its_runs(store: Store) -> None:
    """Ours: history outlives the address."""
    hook = examples.webhook()
    await store.webhooks.add(hook, secret_hash="h", sealed_secret=await sealed(store))
    run = examples.run(webhook_id=hook.id)
    await store.runs.add(run)
    assert await store.webhooks.delete(hook.id)
    assert not await store.webhooks.delete(hook.id)
    assert not await store.webhooks.update(hook)
    assert await store.runs.get(run.id) == run


async def test_a_token_is_valid_until_it_expires_or_is_revoked(store: Store) -> None:
    """Ours: by_hash gives only what may still be used."""
    view = View(frozenset({"mcp__a__*", "mcp__b__t"}), (("mcp__b__t", "mine"),))
    lasting = examples.token(scopes=frozenset(Scope), view=view)
    expiring = examples.token(created_at=41, expires_at=1000)
    await store.tokens.add(lasting, "h1")
    await store.tokens.add(expiring, "h2")
    assert await store.tokens.by_hash("h1", 2**50) == lasting
    assert await store.tokens.by_hash("h2", 999) == expiring
    assert await store.tokens.by_hash("h2", 1000) is None
    assert await store.tokens.by_hash("h3", 0) is None
    assert await store.tokens.revoke(lasting.id, 500)
    assert not await store.tokens.revoke(lasting.id, 600)
    assert await store.tokens.by_hash("h1", 501) is None
    assert await store.tokens.all() == (replace(lasting, revoked_at=500), expiring)


async def test_use_of_tokens_is_noted_in_one_go(store: Store) -> None:
    """Ours: the walk of a call writes nothing; a batch behind it does."""
    tokens = [examples.token(created_at=at) for at in range(3)]
    for token in tokens:
        await store.tokens.add(token, token.id)
    await store.tokens.touch({tokens[0].id, tokens[2].id}, 700)
    await store.tokens.touch((), 800)
    used = [token.last_used_at for token in await store.tokens.all()]
    assert used == [700, None, 700]


async def test_credentials_are_kept_per_server(store: Store) -> None:
    """Ours: one server's keys never show up at another's."""
    first, second = await sealed(store, b"one"), await sealed(store, b"two")
    await store.credentials.put("email", "TOKEN", first, 1)
    await store.credentials.put("email", "USER", first, 2)
    await store.credentials.put("email", "TOKEN", second, 3)
    await store.credentials.put("other", "TOKEN", first, 4)
    assert await store.credentials.get_sealed("email") == {"TOKEN": second, "USER": first}
    assert list((await store.credentials.times("email")).items()) == [
        ("TOKEN", CredentialTimes(3, None)),
        ("USER", CredentialTimes(2, None)),
    ]
    assert await store.credentials.delete("email", "USER")
    assert not await store.credentials.delete("email", "USER")
    await store.credentials.delete_server("email")
    assert await store.credentials.get_sealed("email") == {}
    assert await store.credentials.get_sealed("other") == {"TOKEN": first}


async def test_a_server_remembers_whether_it_was_switched_on(store: Store) -> None:
    """Ours: None means that nobody chose."""
    assert await store.servers.enabled("email") is None
    await store.servers.set_enabled("email", True)
    assert await store.servers.enabled("email") is True
    await store.servers.set_enabled("email", False)
    assert await store.servers.enabled("email") is False
    await store.servers.delete("email")
    assert await store.servers.enabled("email") is None


async def test_data_keys_come_back_oldest_first(store: Store) -> None:
    """Ours: the last one seals."""
    keys = [DataKey(new_id("key"), bytes([at]), at) for at in range(3)]
    for key in reversed(keys):
        await store.data_keys.add(key)
    assert await store.data_keys.all() == tuple(keys)


async def test_versions_keep_equal_files_once_and_come_newest_first(store: Store) -> None:
    """Issue 4: every version is kept, content-addressed."""
    table = store.server_versions
    other = VersionFile("lib/x.bin", "b", 2, executable=True)
    first = examples.server_version()
    second = examples.server_version(2, files=(*(first.files or ()), other), restored=1)
    lost = examples.server_version(3, files=None)
    await table.add(first, {"a": b"one"})
    await table.add(second, {"a": b"never written again", "b": b"\x00\xff"})
    await table.add(lost, {})
    await table.add(replace(first, server="news"), {"a": b"of news"})
    assert await table.all("email") == (lost, second, first)
    assert await table.contents("email", ["a", "b", "c"]) == {"a": b"one", "b": b"\x00\xff"}
    assert await table.all("nobody") == ()


async def test_two_gateways_write_no_version_of_one_number(store: Store) -> None:
    """Issue 10: the second is told, and what the first wrote stays."""
    first = examples.server_version()
    await store.server_versions.add(first, {"a": b"one"})
    with pytest.raises(VersionTaken) as refused:
        await store.server_versions.add(replace(first, author="other"), {})
    assert refused.value.server == "email"
    assert await store.server_versions.all("email") == (first,)


async def test_a_version_that_became_ready_is_noted_by_its_digest(store: Store) -> None:
    """Ours: one that waited for a credential worked in the end."""
    table = store.server_versions
    await table.add(examples.server_version(), {})
    await table.add(examples.server_version(2), {})
    await table.note_worked("email", "digest 2")
    results = [(version.number, version.result) for version in await table.all("email")]
    assert results == [(2, VersionResult.WORKED), (1, VersionResult.UNTRIED)]


async def test_forgotten_versions_take_their_files_along(store: Store) -> None:
    """Ours: the number of versions is bounded, and a deleted server leaves none."""
    table = store.server_versions
    for number in (1, 2, 3):
        await table.add(examples.server_version(number), {str(number): b"x"})
    await table.forget("email", numbers=[1, 2], hashes=["1"])
    assert [version.number for version in await table.all("email")] == [3]
    assert set(await table.contents("email", ["1", "2", "3"])) == {"2", "3"}
    await table.delete_server("email")
    assert await table.all("email") == ()
    assert await table.contents("email", ["2", "3"]) == {}


async def test_sessions_of_the_dashboard_end_by_time_by_id_and_by_another_login(
    store: Store,
) -> None:
    """Ours: found by the hash of a cookie, oldest first."""
    table = store.dashboard_sessions
    named = {
        number: DashboardSession(
            f"session_{number}", Way.LINK, number, 100 + number, number, "192.0.2.1", "b\x00\u202e"
        )
        for number in range(1, 5)
    }
    for number, session in reversed(named.items()):
        login = "old" if number == 3 else "new"
        await table.add(session, f"hash {number}", login)
    await table.touch("session_4", 50)
    await table.remove(["session_2", "session_none"])
    found = await table.all()
    assert list(found) == ["hash 1", "hash 3", "hash 4"]
    assert found["hash 4"] == replace(found["hash 4"], last_used_at=50, way=Way.LINK)
    await table.remove_ended("new", 101)
    assert list(await table.all()) == ["hash 4"]


async def test_clients_are_listed_with_the_grants_that_something_stands_for(store: Store) -> None:
    """Ours: a grant whose code and tokens have all expired is none any more."""
    for name in ("one", "two"):
        await store.oauth_clients.put(Client(name, name, ClientSource.REGISTERED, (), 1))
    for number in range(3):
        grant = Grant(f"grant_{number}", "one", frozenset({Scope.READ}), "r", created_at=number)
        await store.oauth_grants.add(grant)
        token = RefreshToken(grant.id, 1, 10 * number)
        await store.oauth_grants.add_refresh(token, f"hash {number}")
    assert [each.id for each in await store.oauth_clients.all()] == ["one", "two"]
    assert [each.id for each in await store.oauth_grants.live(5)] == ["grant_2", "grant_1"]
    await store.oauth_grants.revoke("grant_2", 5)
    assert [each.id for each in await store.oauth_grants.live(5)] == ["grant_1"]
    await store.oauth_clients.remove("one")
    assert [each.id for each in await store.oauth_clients.all()] == ["two"]
    assert await store.oauth_grants.live(5) == ()
