"""What the vault promises: a copied database gives nothing, a wrong key changes nothing."""

import os
import stat
from pathlib import Path

import pytest

from gateway.domain.secret import Sealed
from gateway.secret import Secret
from gateway.store import Store
from gateway.vault import (
    KeySources,
    MasterKeysDiffer,
    MasterKeyUnusable,
    SealBroken,
    Vault,
    WrongMasterKey,
)
from tests.store import examples

SECRET = "hunter2-correct-horse-battery-staple"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Where the master key will be."""
    return tmp_path / "keys" / "master.key"


def write_key(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a key file as a person would."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="ascii")
    path.chmod(mode)


async def test_the_first_start_makes_a_private_key_file(store: Store, key_file: Path) -> None:
    """Ours: 0600 in a 0700 folder, and nothing else beside it."""
    await Vault.open(KeySources(key_file), store.data_keys)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in key_file.parent.iterdir()] == ["master.key"]
    assert len(bytes.fromhex(key_file.read_text(encoding="ascii"))) == 32


async def test_a_sealed_value_opens_after_a_restart(store: Store, key_file: Path) -> None:
    """Ours: with the same file and the same database, without a new key."""
    sealed = (await Vault.open(KeySources(key_file), store.data_keys)).seal(
        "email", "TOKEN", SECRET
    )
    again = await Vault.open(KeySources(key_file), store.data_keys)
    assert again.unseal("email", "TOKEN", sealed) == SECRET
    assert again.unseal("email", "U", again.seal("email", "U", "näme \U0001f600")) == (
        "näme \U0001f600"
    )
    assert len(await store.data_keys.all()) == 1


async def test_the_same_value_is_never_sealed_alike(store: Store, key_file: Path) -> None:
    """Ours: equal secrets do not show."""
    vault = await Vault.open(KeySources(key_file), store.data_keys)
    assert vault.seal("email", "TOKEN", SECRET) != vault.seal("email", "TOKEN", SECRET)
    assert SECRET.encode() not in vault.seal("email", "TOKEN", SECRET).data


async def test_a_sealed_value_opens_nowhere_else(store: Store, key_file: Path) -> None:
    """Ours: a row that is copied to another server, key or table is dead."""
    vault = await Vault.open(KeySources(key_file), store.data_keys)
    sealed = vault.seal("email", "TOKEN", SECRET)
    for server, key, table in (
        ("other", "TOKEN", "credentials"),
        ("email", "OTHER", "credentials"),
        ("email", "TOKEN", "webhooks"),
        ("emailTOKEN", "", "credentials"),
        ('email", "TOKEN', "", "credentials"),
    ):
        with pytest.raises(SealBroken):
            vault.unseal(server, key, sealed, table=table)


async def test_a_changed_or_foreign_value_is_named_without_its_content(
    store: Store, key_file: Path
) -> None:
    """Ours: one sentence that says which one to set again."""
    vault = await Vault.open(KeySources(key_file), store.data_keys)
    sealed = vault.seal("email", "TOKEN", SECRET)
    flipped = bytes([sealed.data[0] ^ 1]) + sealed.data[1:]
    for broken in (
        Sealed(sealed.key_id, flipped),
        Sealed(sealed.key_id, sealed.data[:-1]),
        Sealed(sealed.key_id, b""),
        Sealed("key_gone", sealed.data),
    ):
        with pytest.raises(SealBroken) as caught:
            vault.unseal("email", "TOKEN", broken)
        assert (caught.value.owner, caught.value.key) == ("email", "TOKEN")
        assert caught.value.__cause__ is None


async def test_a_wrong_master_key_refuses_and_changes_nothing(
    store: Store, key_file: Path, tmp_path: Path
) -> None:
    """Ours: nothing is reset; the right file opens everything again."""
    sealed = (await Vault.open(KeySources(key_file), store.data_keys)).seal(
        "email", "TOKEN", SECRET
    )
    keys = await store.data_keys.all()
    right = key_file.read_bytes()
    wrong = b"00" * 32
    key_file.write_bytes(wrong)

    with pytest.raises(WrongMasterKey) as caught:
        await Vault.open(KeySources(key_file), store.data_keys)

    assert caught.value.source == f"the master key file {key_file}"
    assert key_file.read_bytes() == wrong
    assert await store.data_keys.all() == keys
    key_file.write_bytes(right)
    assert (await Vault.open(KeySources(key_file), store.data_keys)).unseal(
        "email", "TOKEN", sealed
    ) == SECRET


async def test_a_lost_master_key_is_not_made_anew(store: Store, key_file: Path) -> None:
    """Ours: a new key would hide the loss until a server needs its secret."""
    await Vault.open(KeySources(key_file), store.data_keys)
    key_file.unlink()
    with pytest.raises(MasterKeyUnusable) as caught:
        await Vault.open(KeySources(key_file), store.data_keys)
    assert caught.value.source == f"the master key file {key_file}"
    assert not key_file.exists()


async def test_an_older_key_file_serves_a_new_database(store: Store, key_file: Path) -> None:
    """Ours: a new home beside a key that was kept."""
    write_key(key_file, "ab" * 32 + "\n")
    await Vault.open(KeySources(key_file), store.data_keys)
    assert key_file.read_text(encoding="ascii") == "ab" * 32 + "\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_key_file_that_others_reach_is_refused(
    store: Store, key_file: Path, mode: int
) -> None:
    """Ours: group and others have no right to it."""
    write_key(key_file, "ab" * 32, mode)
    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        await Vault.open(KeySources(key_file), store.data_keys)
    assert await store.data_keys.all() == ()


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"ab" * 33, b"zz" * 32, b"\xff" * 32])
async def test_a_key_file_of_another_size_or_kind_is_refused(
    store: Store, key_file: Path, content: bytes
) -> None:
    """Ours: and never overwritten."""
    key_file.parent.mkdir()
    key_file.write_bytes(content)
    key_file.chmod(0o600)
    with pytest.raises(MasterKeyUnusable, match="64 hexadecimal digits"):
        await Vault.open(KeySources(key_file), store.data_keys)
    assert key_file.read_bytes() == content


async def test_sources_are_asked_in_order(store: Store, tmp_path: Path) -> None:
    """Research C: systemd's credential, the file, the variable; only the file is ever made."""
    credential, file = tmp_path / "credential", tmp_path / "file"
    write_key(credential, "ab" * 32, 0o440)
    everything = KeySources(file, credential, Secret("ab" * 32))
    for sources, source in (
        (everything, f"the systemd credential {credential} and the variable MASTER_KEY"),
        (KeySources(file, None, Secret("ab" * 32)), "the variable MASTER_KEY"),
        (KeySources(file, tmp_path / "none", Secret("ab" * 32)), "the variable MASTER_KEY"),
    ):
        vault = await Vault.open(sources, store.data_keys)
        assert (await vault.standing()).source == source
    assert not file.exists()
    write_key(file, "AB" * 32)
    vault = await Vault.open(KeySources(file, None, Secret("ab" * 32)), store.data_keys)
    both = f"the master key file {file} and the variable MASTER_KEY"
    assert (await vault.standing()).source == both


async def test_sources_that_disagree_are_refused(store: Store, tmp_path: Path) -> None:
    """Research C: which one is meant nobody knows; both are named, no key is."""
    credential, file = tmp_path / "credential", tmp_path / "file"
    write_key(credential, "ab" * 32, 0o400)
    write_key(file, "cd" * 32)
    for sources in (
        KeySources(file, credential),
        KeySources(file, None, Secret("ab" * 32)),
        KeySources(tmp_path / "none", credential, Secret("cd" * 32)),
    ):
        with pytest.raises(MasterKeysDiffer) as caught:
            await Vault.open(sources, store.data_keys)
        assert "abab" not in str(caught.value)
        assert "cdcd" not in str(caught.value)
    assert await store.data_keys.all() == ()


async def test_a_bad_file_is_refused_although_the_variable_is_right(
    store: Store, tmp_path: Path
) -> None:
    """Ours: what cannot be read may be the other key."""
    file = tmp_path / "file"
    write_key(file, "ab" * 32, 0o644)
    with pytest.raises(MasterKeyUnusable):
        await Vault.open(KeySources(file, None, Secret("ab" * 32)), store.data_keys)


async def test_a_link_a_folder_and_a_pipe_are_refused(store: Store, tmp_path: Path) -> None:
    """Ours: at once, for a pipe too, and naming the path."""
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    real.write_text("ab" * 32, encoding="ascii")
    real.chmod(0o600)
    link.symlink_to(real)
    os.mkfifo(pipe, 0o600)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    for path in (link, pipe, dangling, tmp_path):
        with pytest.raises(MasterKeyUnusable) as caught:
            await Vault.open(KeySources(path), store.data_keys)
        assert caught.value.source == f"the master key file {path}"
    assert not (tmp_path / "nothing").exists()


async def test_no_secret_is_in_a_repr(store: Store, key_file: Path) -> None:
    """Ours: a log line or a traceback with locals gives nothing."""
    vault = await Vault.open(KeySources(key_file), store.data_keys)
    sealed = vault.seal("email", "TOKEN", SECRET)
    keys = await store.data_keys.all()
    shown = f"{vault!r} {vars(vault)!r} {sealed!r} {keys!r}"
    master = key_file.read_text(encoding="ascii").strip()
    for hidden in (SECRET, master, repr(sealed.data), repr(keys[0].wrapped)):
        assert hidden not in shown


async def test_the_secret_of_a_webhook_is_sealed_in_its_own_place(
    store: Store, key_file: Path
) -> None:
    """Ours: what the intake stores is what the dashboard can show again."""
    vault = await Vault.open(KeySources(key_file), store.data_keys)
    hook = examples.webhook()
    sealed = vault.seal(hook.id, "secret", SECRET, table="webhooks")
    await store.webhooks.add(hook, secret_hash="h", sealed_secret=sealed)
    stored = await store.webhooks.sealed_secret(hook.id)
    assert stored is not None
    assert vault.unseal(hook.id, "secret", stored, table="webhooks") == SECRET
