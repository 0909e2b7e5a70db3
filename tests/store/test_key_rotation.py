"""What replacing a key promises: every value opens afterwards, whenever it was cut short."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from gateway.credentials import Credentials
from gateway.domain.secret import DataKey, Sealed
from gateway.secret import Secret
from gateway.store import DataKeyTable, Store
from gateway.store.schema import data_keys, metadata
from gateway.store.sealed_values import SEALED_COLUMNS
from gateway.variables import CHECKOUT
from gateway.vault import KeySources, RotationImpossible, SealBroken, Vault, WrongMasterKey
from gateway.vault.master_key import successor_of
from tests.demonstrations import Counts, Demonstrations
from tests.store import examples

VALUES = {f"KEY_{number}": f"value {number}" for number in range(20)}
HOOK = examples.webhook()
HOOK_SECRET, OAUTH_KEY = "the secret of a webhook", "the key of the hashes"

ROTATE_FOR_EVER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from gateway.store import Store
from gateway.vault import KeySources, Vault

async def main():
    async with Store.open(None, path=Path(sys.argv[2])) as store:
        vault = await Vault.open(KeySources(Path(sys.argv[3])), store.data_keys)
        print("ready", flush=True)
        while True:
            await vault.rotate()
            await vault.rotate_master()
            print("again", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def sources(tmp_path: Path) -> KeySources:
    """A key file that the first start makes."""
    return KeySources(tmp_path / "master.key")


async def fill(store: Store, vault: Vault) -> None:
    """Put a sealed value into every place that has them."""
    credentials = Credentials(store.credentials, vault)
    for key, value in VALUES.items():
        await credentials.set("email", key, value)
    sealed = vault.seal(HOOK.id, "secret", HOOK_SECRET, table="webhooks")
    await store.webhooks.add(HOOK, secret_hash="h", sealed_secret=sealed)
    key = vault.seal("oauth", "tokens", OAUTH_KEY, table="oauth_keys")
    await store.oauth_keys.add("tokens", key)


async def check(store: Store, vault: Vault) -> None:
    """Assert that every value opens and is what it was."""
    opened = await Credentials(store.credentials, vault).values("email", VALUES)
    assert opened == VALUES
    sealed = await store.webhooks.sealed_secret(HOOK.id)
    assert sealed is not None
    assert vault.unseal(HOOK.id, "secret", sealed, table="webhooks") == HOOK_SECRET
    key = await store.oauth_keys.get("tokens")
    assert key is not None
    assert vault.unseal("oauth", "tokens", key, table="oauth_keys") == OAUTH_KEY


def test_every_sealed_column_is_known() -> None:
    """Ours: a table that a rotation forgot would be lost with the old key."""
    referring = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if any(key.column is data_keys.c.id for key in column.foreign_keys)
    }
    assert {(each.table.name, each.key_id.name) for each in SEALED_COLUMNS} == referring


async def test_a_rotation_seals_everything_anew(store: Store, sources: KeySources) -> None:
    """Issue 6, 7: one new key, no old one, and the values of every table, also after a restart."""
    vault = await Vault.open(sources, store.data_keys)
    await fill(store, vault)
    (old,) = await store.data_keys.all()
    before = await store.credentials.get_sealed("email")
    assert await vault.rotate() == len(VALUES) + 2
    (new,) = await store.data_keys.all()
    assert new.id != old.id
    after = await store.credentials.get_sealed("email")
    assert {sealed.key_id for sealed in after.values()} == {new.id}
    assert {sealed.data for sealed in after.values()}.isdisjoint(
        sealed.data for sealed in before.values()
    )
    await check(store, vault)
    await check(store, await Vault.open(sources, store.data_keys))
    standing = await vault.standing()
    assert (standing.key_id, standing.data_keys, standing.sealed) == (new.id, 1, len(VALUES) + 2)


async def test_a_new_master_key_opens_everything_and_the_old_one_nothing(
    store: Store, sources: KeySources
) -> None:
    """Issue 6, 7: re-wrapped, not re-sealed; the file is private and alone."""
    vault = await Vault.open(sources, store.data_keys)
    await fill(store, vault)
    old = sources.file.read_bytes()
    sealed = await store.credentials.get_sealed("email")
    assert await vault.rotate_master() == f"the master key file {sources.file}"
    assert sources.file.read_bytes() != old
    assert sources.file.stat().st_mode & 0o777 == 0o600
    assert not successor_of(sources.file).exists()
    assert await store.credentials.get_sealed("email") == sealed
    await vault.rotate()
    await check(store, await Vault.open(sources, store.data_keys))
    sources.file.write_bytes(old)
    with pytest.raises(WrongMasterKey):
        await Vault.open(sources, store.data_keys)


class CutShort(Exception):
    """The process ends here."""


class Dying(DataKeyTable):
    """A table whose process dies before or after the keys are wrapped anew."""

    def __init__(self, table: DataKeyTable, *, wrapped: bool) -> None:
        self._table = table
        self._wrapped = wrapped

    async def rewrap(
        self, rewrap: Callable[[DataKey], DataKey], committed: Callable[[], None]
    ) -> None:
        if self._wrapped:
            await self._table.rewrap(rewrap, lambda: None)
        raise CutShort

    async def all(self) -> tuple[DataKey, ...]:
        return await self._table.all()


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_new_master_key_that_was_cut_short_is_found(
    store: Store, sources: KeySources, *, wrapped: bool
) -> None:
    """Issue 6, 7: before the database changed the old file opens it, after that the new one."""
    await fill(store, await Vault.open(sources, store.data_keys))
    old = sources.file.read_bytes()
    vault = await Vault.open(sources, Dying(store.data_keys, wrapped=wrapped))
    with pytest.raises(CutShort):
        await vault.rotate_master()
    beside = successor_of(sources.file).read_bytes()
    again = await Vault.open(sources, store.data_keys)
    await check(store, again)
    assert sources.file.read_bytes() == (beside if wrapped else old)
    await again.rotate_master()
    await check(store, await Vault.open(sources, store.data_keys))


async def test_a_master_key_that_is_not_in_our_file_is_not_replaced(
    store: Store, tmp_path: Path
) -> None:
    """Ours: a variable or systemd's credential is its owner's to change."""
    sources = KeySources(tmp_path / "none", None, Secret("ab" * 32))
    vault = await Vault.open(sources, store.data_keys)
    keys = await store.data_keys.all()
    with pytest.raises(RotationImpossible) as caught:
        await vault.rotate_master()
    assert caught.value.source == "the variable MASTER_KEY"
    assert list(tmp_path.glob("none*")) == []
    assert await store.data_keys.all() == keys


async def test_a_value_that_does_not_open_stops_a_rotation_and_nothing_changed(
    store: Store, sources: KeySources
) -> None:
    """Ours: it is named, so that it can be set again."""
    vault = await Vault.open(sources, store.data_keys)
    await fill(store, vault)
    (key,) = await store.data_keys.all()
    await store.credentials.put("evil", "TOKEN", Sealed(key.id, b"moved here"), 1)
    with pytest.raises(SealBroken) as caught:
        await vault.rotate()
    assert (caught.value.owner, caught.value.key) == ("evil", "TOKEN")
    assert await store.data_keys.all() == (key,)
    await store.credentials.delete("evil", "TOKEN")
    await check(store, vault)
    await vault.rotate()
    await check(store, vault)


async def test_values_set_during_rotations_are_kept(store: Store, sources: KeySources) -> None:
    """Ours: neither waits for long and neither takes the other's key away."""
    vault = await Vault.open(sources, store.data_keys)
    credentials = Credentials(store.credentials, vault)

    async def rotate() -> None:
        for _ in range(5):
            await vault.rotate()

    async def put(key: str) -> None:
        for number in range(5):
            await credentials.set("email", key, f"value {number}")
            assert await credentials.values("email", (key,)) == {key: f"value {number}"}

    async with anyio.create_task_group() as group:
        group.start_soon(rotate)
        for key in VALUES:
            group.start_soon(put, key)
    again = Credentials(store.credentials, await Vault.open(sources, store.data_keys))
    assert await again.values("email", VALUES) == dict.fromkeys(VALUES, "value 4")


@pytest.mark.timeout(600)
async def test_a_rotation_that_is_killed_loses_nothing(
    tmp_path: Path, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 6, 7: kill -9 at any point of either rotation; the next start opens every value."""
    path, sources = tmp_path / "home" / "jobs.db", KeySources(tmp_path / "master.key")
    async with Store.open(None, path=path) as store:
        await fill(store, await Vault.open(sources, store.data_keys))
    kills = counts(3, 100)
    for number in range(kills):
        with subprocess.Popen(
            [sys.executable, "-I", "-c", ROTATE_FOR_EVER, CHECKOUT, path, sources.file],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            for _ in range(2 + number % 3):
                process.stdout.readline()
            # Somewhere in the next round, which takes a few milliseconds.
            await anyio.sleep(number % 10 / 1000)
            process.kill()
        async with Store.open(None, path=path) as store:
            await check(store, await Vault.open(sources, store.data_keys))
    demonstrations.record("kill -9 in rotations of both kinds of keys", kills, "every value opens")
