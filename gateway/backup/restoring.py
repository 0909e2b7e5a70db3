"""Puts what an archive holds into a home that no gateway holds, or takes all of it away.

Whoever asks holds the lock of the home.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.backup.emptying import (
    RESTORED_SETTINGS,
    UNPACKING,
    check_made,
    content,
    empty_home,
)
from gateway.backup.errors import BackupError
from gateway.backup.manifest import DATABASE, DYNAMIC, FIXED, HOME, SETTINGS, Manifest
from gateway.backup.reading import unpack
from gateway.backup.telling import Told, untold
from gateway.backup.writing import write_archive
from gateway.domain.clock import utc_ms
from gateway.setting_origins import Standing
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.copying import hold_notices, interrupt_runs
from gateway.store.transfer import emptying_postgres, holds_rows, replacing_postgres
from gateway.vault.master_key import find_master_key
from gateway.vault.opening import key_sources
from gateway.vault.vault import choose_master_key
from sandboxes.limits import tree

DATABASE_FILE = "jobs.db"
NOT_SENT = "It came with a restored backup, in which it was not sent yet; it may have been since."
RESTORED = "The run was restored from a backup, in which it had not ended yet."


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a home."""

    manifest: Manifest
    before: Path | None
    """The back-up of what was there; None: there was nothing."""
    sealed: bool
    """Whether there are secrets for which a master key is needed."""
    key: str | None
    """Where the key that opens them is; None: it is not on this machine yet."""
    held_notices: int
    """How many had not been sent; they are not sent now, for they may have been since."""


async def restore(
    settings: Settings,
    standings: Sequence[Standing],
    path: Path,
    *,
    replace: bool,
    told: Told = untold,
) -> Restored:
    """Unpack and check an archive, then put it in place of what is there.

    `told` hears how many files are done, of the archive and of the back-up of what is there.

    Raises:
        BackupError: the archive may not be used, or there is something and `replace` was not said.
        VaultError: the master key of this machine is another one.
        StoreError, OSError: something cannot be read or written.
    """
    there = has_content(settings)
    staging = settings.home / UNPACKING
    tree.remove(staging)
    staging.mkdir(mode=0o700)
    try:
        # First: whoever named the wrong file is told so, and not to replace what is there.
        manifest = unpack(path, staging, told)
        if there and not replace:
            raise BackupError(
                f"There is something in {settings.home}, or there are servers beside it, already; "
                "add --replace to keep a back-up of them and put the archive in their place."
            )
        check_made(settings)
        keys = await Store.peek_data_keys(None, path=staging / DATABASE)
        sources = key_sources(settings)
        found = find_master_key(sources) and choose_master_key(sources, keys)
        # Since then they may have ended elsewhere: none of them begins a second time.
        interrupt_runs(staging / DATABASE, RESTORED, utc_ms())
        held = hold_notices(staging / DATABASE, NOT_SENT, utc_ms())
        before = await keep_before(settings, standings, told) if there else None
        await _put_all_in_place(settings, staging)
    finally:
        tree.remove(staging)
    return Restored(manifest, before, bool(keys), found.source if found else None, held)


async def reset(
    settings: Settings, standings: Sequence[Standing], told: Told = untold
) -> Path | None:
    """Empty the home and the folder of dynamic servers; return the back-up of what was there.

    Installed servers, settings and the master key stay. `told` hears how many files the back-up
    has. Raises as `restore`.
    """
    check_made(settings)
    url = database_url(settings)
    before = await keep_before(settings, standings, told) if has_content(settings) else None
    with nullcontext() if url is None else emptying_postgres(url):
        empty_home(settings)
        _empty_servers(settings.dynamic_servers_dir)
    return before


def has_content(settings: Settings) -> bool:
    """Tell whether there is anything that would be lost. Raises StoreError."""
    url = database_url(settings)
    return bool(
        content(settings)
        or _servers(settings.dynamic_servers_dir)
        or (url is not None and holds_rows(url))
    )


def database_url(settings: Settings) -> str | None:
    """Return the address of PostgreSQL; None: the database is a file in the home."""
    return None if settings.database_url is None else settings.database_url.reveal()


async def keep_before(
    settings: Settings, standings: Sequence[Standing], told: Told = untold
) -> Path:
    """Write an archive beside the home and return its path."""
    url, file = database_url(settings), settings.home / DATABASE_FILE
    if url is not None or not file.exists():
        # Servers alone: an archive always has a database.
        async with Store.open(url, path=file):
            pass
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = settings.home.with_name(f"{settings.home.name}-before-{now}.tar.gz")
    write_archive(settings, standings, target, told)
    return target


async def _put_all_in_place(settings: Settings, staging: Path) -> None:
    url, file = database_url(settings), settings.home / DATABASE_FILE
    if url is None:
        _put_in_place(settings, staging)
        # The last step: without a database nothing was restored yet.
        (staging / DATABASE).rename(file)
    else:
        # Both are brought to this release's schema first.
        for each in (None, url):
            async with Store.open(each, path=staging / DATABASE):
                pass
        with replacing_postgres(url, staging / DATABASE):
            _put_in_place(settings, staging)
    _sync(settings.home)


def _put_in_place(settings: Settings, staging: Path) -> None:
    empty_home(settings)
    _empty_servers(settings.dynamic_servers_dir)
    for name, folder in (
        (DYNAMIC, settings.dynamic_servers_dir),
        (FIXED, settings.fixed_servers_dir),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for server in _servers(staging / name):
            # A server that is installed here already is this machine's; its folder stays.
            if not (folder / server.name).exists():
                shutil.move(server, folder / server.name)
    for part in sorted((staging / HOME).glob("*")):
        part.rename(settings.home / part.name)
    (staging / SETTINGS).rename(settings.home / RESTORED_SETTINGS)


def _servers(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] != ".")


def _empty_servers(root: Path) -> None:
    for server in _servers(root):
        tree.remove(server)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
