"""The keys of a home that no gateway holds, straight from its store."""

import asyncio
from dataclasses import asdict
from typing import Any

from gateway.audit.actions import REPLACE_KEY
from gateway.audit.offline import note_offline
from gateway.cli.exits import Exit, Failure
from gateway.local import GatewayLock
from gateway.settings import Settings
from gateway.store import StoreError
from gateway.vault import VaultError
from gateway.vault.opening import open_unlocked


def act(settings: Settings, rotate: str | None) -> dict[str, Any]:
    """Replace the "data" key or the "master" key, or neither; return how the keys stand.

    Raises Failure and HomeTaken.
    """
    with GatewayLock(settings.home):
        try:
            return asyncio.run(_act(settings, rotate))
        except (StoreError, VaultError) as error:
            raise Failure(Exit.FAILED, str(error)) from error


async def _act(settings: Settings, rotate: str | None) -> dict[str, Any]:
    async with open_unlocked(settings) as (store, vault):
        if rotate == "data":
            await vault.rotate()
        elif rotate == "master":
            await vault.rotate_master()
        if rotate is not None:
            await note_offline(store, settings, REPLACE_KEY, target=rotate)
        return asdict(await vault.standing())
