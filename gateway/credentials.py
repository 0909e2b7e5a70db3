"""Secrets of servers: set by a person, shown masked, given to a child by declared name."""

import logging
from collections.abc import Collection, Iterable
from typing import cast

from gateway.domain.clock import utc_ms
from gateway.domain.secret import MaskedCredential, Sealed
from gateway.store import CredentialTable, SettingTable, StoreError
from gateway.vault import SealBroken, Vault
from sandboxes.environment import check_name

log = logging.getLogger(__name__)

MAX_VALUE_BYTES = 32 * 1024
"""The kernel takes 128 KiB for one variable; what is longer than this is no secret but a file."""
MASK = "••••"
"""Of every value: neither its length nor its end."""
BROKEN = "does not open; set it again"


class CredentialRefused(Exception):
    """A credential cannot have this value. The message is one sentence without the value."""

    def __init__(self, server: str, key: str, reason: str) -> None:
        super().__init__(f"Credential {key!r} of {server!r} {reason}.")
        self.server = server
        self.key = key
        self.reason = reason


class Credentials:
    """The sealed credentials of every server."""

    def __init__(self, table: CredentialTable, vault: Vault) -> None:
        self._table = table
        self._vault = vault

    def check(self, server: str, key: str, value: str) -> None:
        """Accept a value that `set` would store.

        Raises CredentialRefused for the value and RefusedName for the key.
        """
        check_name(key)
        _check_value(server, key, value)

    async def set(self, server: str, key: str, value: str) -> None:
        """Seal and store a value, in place of an older one.

        Raises CredentialRefused for the value and RefusedName for the key.
        """
        self.check(server, key, value)
        async with self._vault.storing():
            await self._table.put(server, key, self._vault.seal(server, key, value), utc_ms())

    async def keys(self, server: str) -> frozenset[str]:
        """Return which keys of a server have a value."""
        return frozenset(await self._table.times(server))

    async def stored(self) -> dict[str, list[str]]:
        """Return which keys have a value, by server, whether it is still there or not."""
        found: dict[str, list[str]] = {}
        for server, key in sorted(await self._table.names()):
            found.setdefault(server, []).append(key)
        return found

    async def masked(self, server: str) -> tuple[MaskedCredential, ...]:
        """Return what may be shown of a server's credentials, in key order.

        One that does not open any more is shown as such, so that it can be set again.
        """
        sealed = await self._table.get_sealed(server)
        times = await self._table.times(server)
        return tuple(
            MaskedCredential(
                key,
                self._masked(server, key, sealed[key]),
                at.set_at,
                sealed[key].key_id,
                at.last_used_at,
            )
            for key, at in times.items()
            if key in sealed
        )

    def _masked(self, server: str, key: str, sealed: Sealed) -> str:
        try:
            self._vault.unseal(server, key, sealed)
        except SealBroken:
            return BROKEN
        return MASK

    async def values(self, server: str, declared: Collection[str]) -> dict[str, str]:
        """Return the values a child may have, those it declared and that are set, as used now.

        Raises SealBroken.
        """
        sealed = await self._table.get_sealed(server)
        found = {
            key: self._vault.unseal(server, key, value)
            for key, value in sealed.items()
            if key in declared
        }
        if found:
            await self._note_used(server, found)
        return found

    async def _note_used(self, server: str, keys: Collection[str]) -> None:
        try:
            await self._table.note_used(server, keys, utc_ms())
        except StoreError as error:
            # A full disk must not keep a server from being restarted.
            log.warning("The use of credentials of server %s is not noted: %s", server, error)

    async def delete(self, server: str, key: str) -> bool:
        """Forget one value; False when there is none."""
        return await self._table.delete(server, key)

    async def delete_server(self, server: str) -> None:
        """Forget every value of a server."""
        await self._table.delete_server(server)

    async def import_env_vars(self, settings: SettingTable) -> int:
        """Seal what the row `mcp_env_vars` holds as {server: {KEY: value}}, then empty the row.

        Returns how many values were taken. Raises CredentialRefused and RefusedName; the row then
        stays as it is.
        """
        found = _env_vars(await settings.get("mcp_env_vars"))
        for server, key, value in found:
            await self.set(server, key, value)
        if found:
            await settings.clear_env_vars()
        return len(found)


def _check_value(server: str, key: str, value: str) -> None:
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise CredentialRefused(server, key, "is not valid text") from None
    if not value:
        raise CredentialRefused(server, key, "is empty; delete it instead")
    if "\x00" in value:
        raise CredentialRefused(server, key, "holds a NUL character")
    if size > MAX_VALUE_BYTES:
        raise CredentialRefused(server, key, f"is longer than {MAX_VALUE_BYTES} bytes")


def _env_vars(row: object) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for server, variables in _entries("mcp_env_vars", row):
        for key, value in _entries(server, variables):
            if not isinstance(value, str):
                raise CredentialRefused(server, key, "must be a string")
            found.append((server, key, value))
    return found


def _entries(server: str, row: object) -> Iterable[tuple[str, object]]:
    if not isinstance(row, dict):
        raise CredentialRefused(server, "mcp_env_vars", "must be {server: {KEY: value}}")
    return cast("dict[str, object]", row).items()
