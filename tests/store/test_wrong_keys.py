"""Starts with a wrong master key: nothing is written, nothing is lost."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.credentials import Credentials
from gateway.main import build
from gateway.settings import Settings, load
from gateway.vault import VaultError
from gateway.vault.opening import open_unlocked
from supervisor.redaction import Redactor
from tests.demonstrations import Demonstrations

VALUES = {f"KEY_{number}": f"value {number}" for number in range(5)}
WRONG_STARTS = 10


def figures(home: Path) -> dict[str, str]:
    """Return a digest of the database and of its log; an empty log is as good as none."""
    return {
        name: hashlib.sha256((home / name).read_bytes()).hexdigest()
        for name in ("jobs.db", "jobs.db-wal")
        if (home / name).exists() and (home / name).stat().st_size
    }


def leave_a_log(home: Path) -> None:
    """Leave the database as a killed gateway does: what was written last is in its log alone."""
    database = sqlite3.connect(home / "jobs.db", isolation_level=None)
    database.execute("PRAGMA user_version = 7")
    kept = {name: (home / name).read_bytes() for name in ("jobs.db", "jobs.db-wal")}
    database.close()
    for name, content in kept.items():
        (home / name).write_bytes(content)


def settings_of(folder: Path, **further: str) -> Settings:
    """Return the settings of a gateway whose key lies beside its home."""
    environ = {"CLAUDE_RUNNER_HOME": str(folder / "home"), **further}
    for name in ("FIXED_SERVERS_DIR", "DYNAMIC_SERVERS_DIR"):
        environ[name] = str(folder / name)
    return load(environ, None)


def wrong_keys(file: Path, right: bytes) -> list[tuple[Callable[[], object], str]]:
    """Return ways to spoil a key file, each with what the refusal says."""
    aside = file.with_name("aside.key")
    aside.write_bytes(right)
    aside.chmod(0o600)

    def link() -> None:
        file.unlink()
        file.symlink_to(aside)

    return [
        (lambda: file.write_bytes(b"00" * 32), "does not open this database's secrets"),
        (lambda: file.write_bytes(right[:40]), "does not hold 64 hexadecimal digits"),
        (lambda: file.write_bytes(b""), "does not hold 64 hexadecimal digits"),
        (lambda: file.chmod(0o640), "others may read it"),
        (file.unlink, "does not exist"),
        (link, "is a symbolic link"),
    ]


async def start(settings: Settings) -> None:
    """Start all of a gateway but its listener."""
    async with build(settings, "http://127.0.0.1:9", Redactor()):
        pass


async def test_ten_wrong_starts_in_a_row_lose_nothing(
    tmp_path: Path, demonstrations: Demonstrations
) -> None:
    """Issue 6, Shows: database, log and key are the same bytes, and the right key opens all."""
    settings = settings_of(tmp_path)
    file, home = settings.master_key_file, settings.home
    async with open_unlocked(settings) as (store, vault):
        for key, value in VALUES.items():
            await Credentials(store.credentials, vault).set("email", key, value)
    right = file.read_bytes()
    wrongs = wrong_keys(file, right)
    leave_a_log(home)
    before = figures(home)
    assert set(before) == {"jobs.db", "jobs.db-wal"}
    for number in range(WRONG_STARTS):
        spoil, sentence = wrongs[number % len(wrongs)]
        spoil()
        held = file.read_bytes() if file.exists() else None
        with pytest.raises(VaultError, match=sentence) as caught:
            await start(settings)
        assert f"he master key file {file}" in str(caught.value)
        assert figures(home) == before
        assert (file.read_bytes() if file.exists() else None) == held
        file.unlink(missing_ok=True)
        file.write_bytes(right)
        file.chmod(0o600)
    with pytest.raises(VaultError, match="hold different master keys"):
        await start(settings_of(tmp_path, MASTER_KEY="ab" * 32))
    assert figures(home) == before
    async with open_unlocked(settings) as (store, vault):
        opened = await Credentials(store.credentials, vault).values("email", VALUES)
    assert opened == VALUES
    demonstrations.record(
        "Starts with a wrong master key", WRONG_STARTS, "refused; no byte changed"
    )
