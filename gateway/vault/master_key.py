"""Finds the key that wraps the data keys: systemd's credential, a private file, or a variable.

Several sources may hold it if they agree. Nothing is made or changed here but by `make_key_file`.
"""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.secret import Secret
from gateway.vault.errors import MasterKeysDiffer, MasterKeyUnusable

KEY_BYTES = 32
KEY_FILE_MODE = 0o600
MAX_KEY_FILE_BYTES = 4096
"""A key file has 65 bytes; more than this is not read."""
VARIABLE = "MASTER_KEY"


@dataclass(frozen=True, slots=True)
class KeySources:
    """Where the master key may be, in the order in which the places are named."""

    file: Path
    """A file outside the home; made there at the first start if there is no other source."""
    credential: Path | None = None
    """What systemd hands to the service: it alone decides who may read it."""
    variable: Secret | None = None


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The key and where it was found."""

    source: str
    """Completes the sentence "the master key in ..."."""
    value: bytes = field(repr=False)
    file: Path | None = None
    """The file that alone holds it, so that another key can take its place."""
    is_successor: bool = False
    """It lies beside that file: it was about to take the place of the key there."""


def find_master_key(sources: KeySources) -> MasterKey | None:
    """Return the master key; None when no source holds one.

    Raises:
        MasterKeyUnusable: a source is there and is no key, or others may read it.
        MasterKeysDiffer: two sources hold different keys.
    """
    found = [key for key in (_credential(sources), _file(sources), _variable(sources)) if key]
    for other in found[1:]:
        if not secrets.compare_digest(found[0].value, other.value):
            raise MasterKeysDiffer(found[0].source, other.source)
    if not found:
        return None
    only = sources.file if len(found) == 1 and found[0].file else None
    return MasterKey(" and ".join(key.source for key in found), found[0].value, only)


def make_key_file(path: Path) -> None:
    """Write a fresh key beside `path` and link it there, so that no half file is ever read.

    Raises:
        FileExistsError: there is one already; it was left alone.
        MasterKeyUnusable: it cannot be made.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(partial, secrets.token_bytes(KEY_BYTES))
        os.link(partial, path, follow_symlinks=False)
        _sync(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise MasterKeyUnusable(_named(path), f"it cannot be made ({error.strerror})") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def successor_of(path: Path) -> Path:
    """Return where the next master key lies until it takes the place of the one at `path`."""
    return path.with_name(f"{path.name}.next")


def write_successor(path: Path) -> MasterKey:
    """Write a fresh key beside `path`, durably, in place of one that never came into use.

    Raises MasterKeyUnusable.
    """
    beside = successor_of(path)
    try:
        beside.unlink(missing_ok=True)
        _write(beside, secrets.token_bytes(KEY_BYTES))
        _sync(path.parent)
    except OSError as error:
        raise MasterKeyUnusable(_named(beside), f"it cannot be made ({error.strerror})") from error
    return MasterKey(_named(path), _read_file(beside), path)


def read_successor(path: Path) -> MasterKey | None:
    """Return the key that was written beside `path`, or None. Raises MasterKeyUnusable."""
    beside = successor_of(path)
    if not os.path.lexists(beside):
        return None
    return MasterKey(_named(path), _read_file(beside), path, is_successor=True)


def put_successor_in_place(path: Path) -> None:
    """Make the key beside `path` the one at `path`, durably. Raises MasterKeyUnusable."""
    try:
        successor_of(path).replace(path)
        _sync(path.parent)
    except OSError as error:
        reason = f"{successor_of(path)} cannot be renamed to it ({error.strerror})"
        raise MasterKeyUnusable(_named(path), reason) from error


def _credential(sources: KeySources) -> MasterKey | None:
    path = sources.credential
    if path is None or not os.path.lexists(path):
        return None
    # systemd shows a service user its file by an ACL, whose mask looks like the group's right.
    name = f"the systemd credential {path}"
    return MasterKey(name, _read(path, name, _check_regular))


def _file(sources: KeySources) -> MasterKey | None:
    path = sources.file
    return MasterKey(_named(path), _read_file(path), path) if os.path.lexists(path) else None


def _variable(sources: KeySources) -> MasterKey | None:
    if sources.variable is None:
        return None
    name = f"the variable {VARIABLE}"
    return MasterKey(name, _parse(name, sources.variable.reveal().encode()))


def _named(path: Path) -> str:
    return f"the master key file {path}"


def _read_file(path: Path) -> bytes:
    return _read(path, _named(path), _check_private)


def _read(path: Path, name: str, check: Callable[[str, os.stat_result], None]) -> bytes:
    try:
        # NONBLOCK: a named pipe must not hold the start up.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except OSError as error:
        link = path.is_symlink()
        reason = "it is a symbolic link; name the file itself" if link else str(error.strerror)
        raise MasterKeyUnusable(name, reason) from error
    try:
        check(name, os.fstat(descriptor))
        text = os.read(descriptor, MAX_KEY_FILE_BYTES)
    finally:
        os.close(descriptor)
    return _parse(name, text)


def _check_regular(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MasterKeyUnusable(name, "it is not a regular file")


def _check_private(name: str, status: os.stat_result) -> None:
    _check_regular(name, status)
    if status.st_uid not in (os.geteuid(), 0):
        raise MasterKeyUnusable(name, "it belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise MasterKeyUnusable(name, "others may read it; run chmod 600 on it")


def _parse(name: str, text: bytes) -> bytes:
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyUnusable(name, f"it does not hold {2 * KEY_BYTES} hexadecimal digits")
    return key


def _write(path: Path, key: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_FILE_MODE)
    try:
        os.write(descriptor, f"{key.hex()}\n".encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
