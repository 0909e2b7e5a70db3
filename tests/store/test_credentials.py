"""What credentials promise to the person who sets them and to the child that gets them."""

from pathlib import Path
from typing import Any

import pytest

from gateway.credentials import BROKEN, CredentialRefused, Credentials
from gateway.store import Store
from gateway.store.schema import settings as settings_table
from gateway.vault import KeySources, SealBroken, Vault
from sandboxes.errors import RefusedName

LONG = "sk-0123456789-abcdefgh"


@pytest.fixture
async def credentials(store: Store, tmp_path: Path) -> Credentials:
    """Credentials over a fresh vault."""
    return Credentials(
        store.credentials, await Vault.open(KeySources(tmp_path / "key"), store.data_keys)
    )


async def put_env_vars(store: Store, value: Any) -> None:
    """Write the row as an older program or a person's shell would."""
    row = settings_table.c.key == "mcp_env_vars"
    await store.settings._db.change(settings_table.update().where(row).values(value=value))  # pyright: ignore[reportPrivateUsage] - no method writes it


async def test_a_child_gets_only_what_it_declared(credentials: Credentials) -> None:
    """Ours: of its own server, and what is set."""
    await credentials.set("email", "TOKEN", "t")
    await credentials.set("email", "OLD_TOKEN", "o")
    await credentials.set("other", "SECRET", "s")
    assert await credentials.values("email", ("TOKEN", "SECRET", "UNSET")) == {"TOKEN": "t"}
    assert await credentials.values("nothere", ("TOKEN",)) == {}


async def test_a_new_value_replaces_the_old_one(credentials: Credentials) -> None:
    """Ours: no history of secrets."""
    await credentials.set("email", "TOKEN", "first")
    await credentials.set("email", "TOKEN", "second")
    assert await credentials.values("email", ("TOKEN",)) == {"TOKEN": "second"}
    assert await credentials.keys("email") == {"TOKEN"}


async def test_masks_give_nothing_away(credentials: Credentials, store: Store) -> None:
    """Issue 6, 7: every value looks alike; told are when it was set, under which key, its use."""
    await credentials.set("email", "LONG", LONG)
    await credentials.set("email", "SHORT", "pw")
    (key,) = await store.data_keys.all()
    shown = await credentials.masked("email")
    assert [(one.key, one.masked, one.key_id, one.last_used_at) for one in shown] == [
        ("LONG", "••••", key.id, None),
        ("SHORT", "••••", key.id, None),
    ]
    assert all(one.set_at > 0 for one in shown)


async def test_the_last_use_is_told_until_the_value_is_another(credentials: Credentials) -> None:
    """Issue 6, 7: a child got it; what it did not declare it did not get."""
    await credentials.set("email", "TOKEN", "t")
    await credentials.set("email", "OTHER", "o")
    await credentials.values("email", ("TOKEN",))
    other, token = await credentials.masked("email")
    assert other.last_used_at is None
    assert token.last_used_at is not None
    assert token.last_used_at >= token.set_at
    await credentials.set("email", "TOKEN", "another")
    assert (await credentials.masked("email"))[1].last_used_at is None


async def test_a_deleted_credential_is_gone(credentials: Credentials) -> None:
    """Ours: one key, or all of a server."""
    for key in ("A", "B", "C"):
        await credentials.set("email", key, "v")
    assert await credentials.delete("email", "A")
    assert not await credentials.delete("email", "A")
    assert await credentials.keys("email") == {"B", "C"}
    await credentials.delete_server("email")
    assert await credentials.masked("email") == ()


@pytest.mark.parametrize("key", ["LD_PRELOAD", "PATH", "PYTHONPATH", "HTTPS_PROXY", "lower", ""])
async def test_a_name_that_steers_the_child_is_refused(credentials: Credentials, key: str) -> None:
    """Ours: it would be code execution outside the sandbox."""
    with pytest.raises(RefusedName):
        await credentials.set("email", key, "value")
    assert await credentials.keys("email") == frozenset()


@pytest.mark.parametrize("value", ["", "hidden\x00hidden", "hidden" * 6000, "hidden\ud800"])
async def test_a_value_that_no_environment_holds_is_refused(
    credentials: Credentials, value: str
) -> None:
    """Ours: the sentence names the place and never the value."""
    with pytest.raises(CredentialRefused) as caught:
        await credentials.set("email", "TOKEN", value)
    assert (caught.value.server, caught.value.key) == ("email", "TOKEN")
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert await credentials.keys("email") == frozenset()


async def test_rows_that_were_swapped_do_not_open(credentials: Credentials, store: Store) -> None:
    """Ours: who can write to the database still cannot hand one server another's secret."""
    await credentials.set("email", "TOKEN", "mail secret")
    stolen = (await store.credentials.get_sealed("email"))["TOKEN"]
    await store.credentials.put("evil", "TOKEN", stolen, 1)
    with pytest.raises(SealBroken) as caught:
        await credentials.values("evil", ("TOKEN",))
    assert (caught.value.owner, caught.value.key) == ("evil", "TOKEN")
    assert [one.masked for one in await credentials.masked("evil")] == [BROKEN]


async def test_the_database_file_holds_no_clear_value(tmp_path: Path) -> None:
    """Ours: a copied database gives nothing, the row of settings included."""
    path = tmp_path / "home" / "jobs.db"
    async with Store.open(None, path=path) as store:
        credentials = Credentials(
            store.credentials, await Vault.open(KeySources(tmp_path / "key"), store.data_keys)
        )
        await credentials.set("email", "TOKEN", LONG)
        for file in path.parent.iterdir():
            assert LONG.encode() not in file.read_bytes()
    assert LONG.encode() not in path.read_bytes()


async def test_variables_of_the_settings_become_credentials(
    credentials: Credentials, store: Store
) -> None:
    """Ours: moved once, then the row is empty."""
    await put_env_vars(store, {"email": {"TOKEN": "t", "USER_NAME": "u"}, "git": {"KEY": "k"}})
    assert await credentials.import_env_vars(store.settings) == 3
    assert await store.settings.get("mcp_env_vars") == {}
    assert await credentials.values("email", ("TOKEN", "USER_NAME")) == {
        "TOKEN": "t",
        "USER_NAME": "u",
    }
    assert await credentials.keys("git") == {"KEY"}
    assert await credentials.import_env_vars(store.settings) == 0


@pytest.mark.parametrize("row", [["x"], {"email": "x"}, {"email": {"TOKEN": 1}}])
async def test_variables_of_another_shape_stay_where_they_are(
    credentials: Credentials, store: Store, row: Any
) -> None:
    """Ours: refused in one sentence, nothing half taken."""
    await put_env_vars(store, row)
    with pytest.raises(CredentialRefused):
        await credentials.import_env_vars(store.settings)
    assert await store.settings.get("mcp_env_vars") == row
    assert await credentials.keys("email") == frozenset()
