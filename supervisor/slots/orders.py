"""What others ask of a slot: posted here, carried out by its owner task one after the other."""

import asyncio
import math
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import anyio

from supervisor.spec import ServerSpec


class Want(Enum):
    """What an order asks for."""

    START = auto()
    WAKE = auto()
    """Start for a call: nothing when it was switched off or replaced meanwhile."""
    DOZE = auto()
    """Stop until the next call, if it still is idle."""
    STOP = auto()
    RESTART = auto()
    REPLACE = auto()
    REMOVE = auto()
    LOOK = auto()
    """The child ended: decide anew."""
    LIST = auto()
    """The child says that its tools changed: ask for them."""


@dataclass(eq=False, slots=True)
class Order:
    """A request to the owner task; `done` carries its outcome."""

    want: Want
    done: asyncio.Future[None]
    spec: ServerSpec | None = None

    def fulfil(self) -> None:
        """Tell who waits that it is carried out."""
        if not self.done.done():
            self.done.set_result(None)

    def refuse(self, error: Exception) -> None:
        """Tell who waits why it is not."""
        if not self.done.done():
            self.done.set_exception(error)
            observed(self.done)


class Orders:
    """The orders that wait, and the instant at which a start is due without one."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Order] = asyncio.Queue()
        self._due_at = math.inf

    @property
    def empty(self) -> bool:
        """True when none waits."""
        return self._waiting.empty()

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the next start by itself; None when none is planned."""
        return None if math.isinf(self._due_at) else max(0.0, self._due_at - time.monotonic())

    def plan_start(self, delay_s: float) -> None:
        """Let a start be due after this long."""
        self._due_at = time.monotonic() + delay_s

    def forget_plan(self) -> None:
        """Let no start be due by itself."""
        self._due_at = math.inf

    def post(self, want: Want, spec: ServerSpec | None = None) -> asyncio.Future[None]:
        """Add an order and return where its outcome will be."""
        order = Order(want, asyncio.get_running_loop().create_future(), spec)
        self._waiting.put_nowait(order)
        return order.done

    async def next(self) -> Order:
        """Return the oldest order; a start when one is due first."""
        with anyio.move_on_after(self.due_in_s):
            return await self._waiting.get()
        self._due_at = math.inf
        return Order(Want.START, asyncio.get_running_loop().create_future())

    def refuse_all(self, error: Exception) -> None:
        """Refuse whatever still waits."""
        while not self._waiting.empty():
            self._waiting.get_nowait().refuse(error)


def observed(done: asyncio.Future[Any]) -> None:
    """Read an outcome so that asyncio does not report it as never retrieved."""
    if done.done() and not done.cancelled():
        done.exception()
