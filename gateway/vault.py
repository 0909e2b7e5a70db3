"""Seals secrets for the store: AES-256-GCM under a data key, which the master key wraps.

Each value is bound to its table, owner, key name and data key, so that a row copied to another
place does not open. The master key lives in a file outside the home and never in the database.
"""

import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.secret import DataKey, Sealed
from gateway.store import DataKeyTable

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_FILE_MODE = 0o600
MAX_KEY_FILE_BYTES = 4096
"""A key file has 65 bytes; more than this is not read."""


class VaultError(Exception):
    """Base of this module's errors. The message is one sentence and never holds a secret."""


class MasterKeyUnusable(VaultError):
    """The master key file is missing, not private or not a key."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The master key file {path} cannot be used: {reason}.")
        self.path = path
        self.reason = reason


class WrongMasterKey(VaultError):
    """The master key file holds another key than the one this database was made with."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The master key file {path} does not open this database's secrets; put back the file "
            "that was made with it. Nothing was changed."
        )
        self.path = path


class SealBroken(VaultError):
    """A sealed value was changed, moved, or sealed by a key that is gone."""

    def __init__(self, owner: str, key: str) -> None:
        super().__init__(f"The stored value of {key!r} of {owner!r} does not open; set it again.")
        self.owner = owner
        self.key = key


class Vault:
    """Seals and opens values with the data keys of one database."""

    def __init__(self, keys: Mapping[str, AESGCM], *, newest: str) -> None:
        self._keys = keys
        self._newest = newest

    @classmethod
    async def open(cls, path: Path, keys: DataKeyTable) -> "Vault":
        """Read the master key at `path`, or make it when nothing was sealed yet.

        Raises MasterKeyUnusable and WrongMasterKey; neither changes the file or the database.
        """
        stored = await keys.all()
        if not stored:
            master = AESGCM(_read_or_make(path))
            fresh, data_key = _new_data_key(master)
            await keys.add(data_key)
            return cls({data_key.id: AESGCM(fresh)}, newest=data_key.id)
        master = AESGCM(_read(path))
        opened = {key.id: AESGCM(_unwrap(master, key, path)) for key in stored}
        return cls(opened, newest=stored[-1].id)

    def seal(self, server: str, key: str, value: str, *, table: str = "credentials") -> Sealed:
        """Return `value` sealed for this place: `server` is the owner of the row in `table`."""
        bound = _place(table, server, key, self._newest)
        data = _encrypt(self._keys[self._newest], value.encode("utf-8"), bound)
        return Sealed(self._newest, data)

    def unseal(self, server: str, key: str, sealed: Sealed, *, table: str = "credentials") -> str:
        """Return what was sealed for this place. Raises SealBroken."""
        try:
            bound = _place(table, server, key, sealed.key_id)
            return _decrypt(self._keys[sealed.key_id], sealed.data, bound).decode("utf-8")
        except (KeyError, InvalidTag, ValueError):
            raise SealBroken(server, key) from None


def _place(table: str, owner: str, key: str, key_id: str) -> bytes:
    return json.dumps([table, owner, key, key_id]).encode("ascii")


def _encrypt(key: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, bound)


def _decrypt(key: AESGCM, data: bytes, bound: bytes) -> bytes:
    return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)


def _new_data_key(master: AESGCM) -> tuple[bytes, DataKey]:
    fresh = secrets.token_bytes(KEY_BYTES)
    key_id = new_id("key")
    wrapped = _encrypt(master, fresh, _place("data_keys", "", "", key_id))
    return fresh, DataKey(key_id, wrapped, utc_ms())


def _unwrap(master: AESGCM, key: DataKey, path: Path) -> bytes:
    try:
        return _decrypt(master, key.wrapped, _place("data_keys", "", "", key.id))
    except (InvalidTag, ValueError):
        raise WrongMasterKey(path) from None


def _read_or_make(path: Path) -> bytes:
    # The file may be older than the database: a new home beside a key that is kept.
    with suppress(FileExistsError):
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    """Write a fresh key beside `path` and link it there, so that no half file is ever read."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_FILE_MODE)
        try:
            os.write(descriptor, f"{secrets.token_hex(KEY_BYTES)}\n".encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        raise MasterKeyUnusable(path, f"it cannot be made ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        # NONBLOCK: a named pipe must not hold the start up.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise MasterKeyUnusable(path, "it does not exist; put it back from your back-up") from None
    except OSError as error:
        link = path.is_symlink()
        reason = "it is a symbolic link; name the file itself" if link else str(error.strerror)
        raise MasterKeyUnusable(path, reason) from error
    try:
        _check_private(path, os.fstat(descriptor))
        text = os.read(descriptor, MAX_KEY_FILE_BYTES)
    finally:
        os.close(descriptor)
    return _parse(path, text)


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MasterKeyUnusable(path, "it is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        raise MasterKeyUnusable(path, "it belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise MasterKeyUnusable(path, "others may read it; run chmod 600 on it")


def _parse(path: Path, text: bytes) -> bytes:
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyUnusable(path, f"it does not hold {2 * KEY_BYTES} hexadecimal digits")
    return key
