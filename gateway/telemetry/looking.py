"""Looks now and then at what is true of servers and runs, for whoever collects it."""

import logging
from collections.abc import Callable

import anyio

from gateway.store import Store, StoreError
from gateway.telemetry.opening import Telemetry
from gateway.telemetry.seen import Seen
from supervisor.supervisor import Supervisor

log = logging.getLogger(__name__)

EVERY_S = 5.0
COUNTED_RUNS = 100_000
"""A longer queue counts as this."""


class Looking:
    """The gateway's own loop looks; threads of the SDK only read what it saw."""

    def __init__(
        self,
        telemetry: Telemetry,
        supervisor: Supervisor,
        store: Store,
        live_runs: Callable[[], int],
    ) -> None:
        self._telemetry = telemetry
        self._supervisor = supervisor
        self._store = store
        self._live_runs = live_runs

    async def run(self) -> None:
        """Look until cancelled."""
        while self._telemetry.on:
            try:
                await self.look()
            except StoreError as error:
                log.warning("Figures of runs are as of a while ago: %s", error)
            await anyio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once. Raises StoreError."""
        metrics = self._supervisor.metrics
        servers = tuple((each, metrics(each.name)) for each in self._supervisor.snapshots())
        queued = await self._store.runs.count_queued(COUNTED_RUNS)
        self._telemetry.see(Seen(servers, self._live_runs(), queued))
