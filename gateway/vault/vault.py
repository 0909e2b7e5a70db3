"""The data keys of one database: what seals, what opens, and how both kinds of key are replaced.

Each value is bound to its table, owner, key name and data key, so that a row copied to another
place does not open.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.secret import DataKey, Sealed, SealedPlace
from gateway.store import DataKeyTable
from gateway.vault.errors import MasterKeyUnusable, RotationImpossible, SealBroken, WrongMasterKey
from gateway.vault.master_key import (
    KEY_BYTES,
    KeySources,
    MasterKey,
    find_master_key,
    make_key_file,
    put_successor_in_place,
    read_successor,
    write_successor,
)

NONCE_BYTES = 12

Know: TypeAlias = Callable[[str, str], None]
"""Is told what a secret is, and the secret."""


def forget(_what: str, _secret: str) -> None:
    """Know nothing: where nothing is logged."""


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """What may be shown of the keys."""

    source: str
    """Where the master key is."""
    key_id: str
    """The data key that seals new values."""
    made_at: int
    """When that key was made, in integer milliseconds UTC."""
    data_keys: int
    """How many keys there are, the ones that only open older values too."""
    sealed: int
    """How many values are sealed."""


def choose_master_key(sources: KeySources, stored: Sequence[DataKey]) -> MasterKey | None:
    """Return the key that opens all of `stored`; None when there is none and none is needed.

    Reads files and changes nothing. A rotation that a crash cut short is seen here: then the key
    beside the file is the one.

    Raises:
        MasterKeyUnusable, MasterKeysDiffer, WrongMasterKey.
    """
    found = find_master_key(sources)
    if not stored:
        return found
    if found is None:
        reason = "it does not exist; put it back from your back-up"
        raise MasterKeyUnusable(f"the master key file {sources.file}", reason)
    if _opens(found, stored):
        return found
    successor = read_successor(found.file) if found.file else None
    if successor is None or not _opens(successor, stored):
        raise WrongMasterKey(found.source)
    return successor


class Vault:
    """Seals and opens values with the data keys of one database."""

    def __init__(
        self, table: DataKeyTable, master: MasterKey, stored: Sequence[DataKey], know: Know
    ) -> None:
        know("master key", master.value.hex())
        self._know = know
        self._table = table
        self._master = master
        self._keys = {key.id: AESGCM(_unwrap(master, key)) for key in stored}
        self._newest = stored[-1]
        self._turn = anyio.Lock()
        self._unplaced = False
        """The key beside the file is the one, until it is renamed."""

    @classmethod
    async def open(cls, sources: KeySources, table: DataKeyTable, know: Know = forget) -> "Vault":
        """Find the master key, or make it when nothing was sealed yet and no source has one.

        Raises MasterKeyUnusable, MasterKeysDiffer and WrongMasterKey; none changes anything.
        """
        stored = await table.all()
        master = choose_master_key(sources, stored)
        if master is None:
            # Another process may be as early as this one; its key is as good.
            with suppress(FileExistsError):
                make_key_file(sources.file)
            master = choose_master_key(sources, stored)
            assert master is not None, "the file was just made"
        if master.is_successor:
            put_successor_in_place(sources.file)
        if not stored:
            fresh, _ = _new_data_key(master)
            await table.add(fresh)
            stored = (fresh,)
        return cls(table, master, stored, know)

    def seal(self, server: str, key: str, value: str, *, table: str = "credentials") -> Sealed:
        """Return `value` sealed for this place: `server` is the owner of the row in `table`.

        Call it inside of `storing`, or a rotation may take the data key away before the row is
        written, which the database then refuses.
        """
        place = SealedPlace(table, server, key)
        return _seal(place, value.encode("utf-8"), self._newest.id, self._keys[self._newest.id])

    def unseal(self, server: str, key: str, sealed: Sealed, *, table: str = "credentials") -> str:
        """Return what was sealed for this place. Raises SealBroken."""
        try:
            return self._open(SealedPlace(table, server, key), sealed).decode("utf-8")
        except UnicodeDecodeError:
            raise SealBroken(server, key) from None

    def storing(self) -> AbstractAsyncContextManager[object]:
        """Hold off a rotation while a sealed value is on its way into its row."""
        return self._turn

    async def rotate(self) -> int:
        """Seal every value anew under a new data key, in one transaction; return how many.

        Raises SealBroken for a value that does not open; then nothing was changed.
        """
        async with self._turn:
            fresh, cipher = _new_data_key(self._master)
            # Known before it is used: who reads a row right after the commit opens it.
            self._keys[fresh.id] = cipher

            def reseal(place: SealedPlace, sealed: Sealed) -> Sealed:
                return _seal(place, self._open(place, sealed), fresh.id, cipher)

            def committed() -> None:
                self._newest = fresh

            return await self._table.replace(fresh, reseal, committed)

    async def rotate_master(self) -> str:
        """Wrap the data keys with a new master key; return where that is.

        The new key is written beside the old one before the database changes, and takes its place
        after that: whenever this is cut short, one of the two files opens the database.

        Raises RotationImpossible and MasterKeyUnusable.
        """
        async with self._turn:
            path = self._master.file
            if path is None:
                raise RotationImpossible(self._master.source)
            self._place(path)
            old, new = self._master, write_successor(path)
            self._know("master key", new.value.hex())

            def rewrap(key: DataKey) -> DataKey:
                return _wrap(new, key.id, _unwrap(old, key), key.created_at)

            def committed() -> None:
                self._master, self._unplaced = new, True

            await self._table.rewrap(rewrap, committed)
            self._place(path)
            return new.source

    def _place(self, path: Path) -> None:
        if self._unplaced:
            put_successor_in_place(path)
            self._unplaced = False

    async def standing(self) -> KeyStanding:
        """Return what may be shown of the keys."""
        stored, sealed = await self._table.all(), await self._table.count_sealed()
        newest = self._newest
        return KeyStanding(self._master.source, newest.id, newest.created_at, len(stored), sealed)

    def _open(self, place: SealedPlace, sealed: Sealed) -> bytes:
        try:
            return _decrypt(self._keys[sealed.key_id], sealed.data, _bound(place, sealed.key_id))
        except (KeyError, InvalidTag, ValueError):
            raise SealBroken(place.owner, place.key) from None


def _bound(place: SealedPlace, key_id: str) -> bytes:
    return json.dumps([place.table, place.owner, place.key, key_id]).encode("ascii")


def _seal(place: SealedPlace, value: bytes, key_id: str, cipher: AESGCM) -> Sealed:
    return Sealed(key_id, _encrypt(cipher, value, _bound(place, key_id)))


def _encrypt(key: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, bound)


def _decrypt(key: AESGCM, data: bytes, bound: bytes) -> bytes:
    return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)


def _new_data_key(master: MasterKey) -> tuple[DataKey, AESGCM]:
    fresh = secrets.token_bytes(KEY_BYTES)
    return _wrap(master, new_id("key"), fresh, utc_ms()), AESGCM(fresh)


def _wrap(master: MasterKey, key_id: str, key: bytes, made_at: int) -> DataKey:
    place = SealedPlace("data_keys", "", "")
    wrapped = _encrypt(AESGCM(master.value), key, _bound(place, key_id))
    return DataKey(key_id, wrapped, made_at)


def _unwrap(master: MasterKey, key: DataKey) -> bytes:
    place = SealedPlace("data_keys", "", "")
    try:
        return _decrypt(AESGCM(master.value), key.wrapped, _bound(place, key.id))
    except (InvalidTag, ValueError):
        raise WrongMasterKey(master.source) from None


def _opens(master: MasterKey, stored: Sequence[DataKey]) -> bool:
    try:
        for key in stored:
            _unwrap(master, key)
    except WrongMasterKey:
        return False
    return True
