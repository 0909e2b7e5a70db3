"""Opens this gateway's membership from its settings."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from gateway.domain.node import Newcomer
from gateway.errors import CannotStart
from gateway.nodes.identity import FILE_NAME, read_identity
from gateway.nodes.membership import Membership
from gateway.nodes.times import LEAVE_S
from gateway.settings import Settings
from gateway.store import Store
from gateway.version import read_version

LEASE_NAME = "node-lease"


@asynccontextmanager
async def open_node(settings: Settings, store: Store, address: str) -> AsyncGenerator[Membership]:
    """Join for as long as the body runs. Raises CannotStart, StoreError."""
    try:
        identity = read_identity(settings.home)
    except OSError as error:
        raise CannotStart(
            f"{settings.home / FILE_NAME} cannot be written ({error.strerror}); set "
            "CLAUDE_RUNNER_HOME to a folder of yours."
        ) from error
    name = settings.node_name or socket.gethostname()
    comer = Newcomer(name, identity, read_version(), settings.run_concurrency, address)
    membership = Membership(store, comer, settings.home / LEASE_NAME)
    await membership.join()
    try:
        yield membership
    finally:
        with anyio.move_on_after(LEAVE_S, shield=True):
            await membership.leave()
