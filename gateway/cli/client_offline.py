"""The pre-registered client of a home that no gateway holds, straight from its store."""

import asyncio

from gateway.audit.actions import ROTATE_CLIENT
from gateway.audit.offline import note_offline
from gateway.cli.exits import Exit, Failure
from gateway.local import GatewayLock
from gateway.oauth.clients import env_lines, rotate
from gateway.oauth.server import RotationRefused
from gateway.settings import Settings
from gateway.store import Store, StoreError


def rotate_client(settings: Settings) -> str:
    """Return the lines of a new client. Raises Failure and HomeTaken."""
    if settings.oauth_client_id is not None:
        raise Failure(Exit.FAILED, str(RotationRefused()))
    with GatewayLock(settings.home):
        try:
            return asyncio.run(_rotate(settings))
        except StoreError as error:
            raise Failure(Exit.FAILED, str(error)) from error


async def _rotate(settings: Settings) -> str:
    url = settings.database_url.reveal() if settings.database_url else None
    async with Store.open(url, path=settings.home / "jobs.db") as store:
        made = await rotate(store.oauth_clients)
        await note_offline(store, settings, ROTATE_CLIENT)
        return env_lines(made)
