"""How long most calls are only waited for, before anything is spent on watching over them."""

import asyncio
from typing import Protocol

UNWATCHED_S = 0.25
"""Most calls are answered sooner, also on a busy machine; to watch for the end of their connection
would cost them most. A caller that leaves at once is noticed so much later."""


class Wait(Protocol):
    """What somebody waits on: a future, or what takes the place of one."""

    def done(self) -> bool:
        """True once it has ended."""
        ...

    def set_result(self, value: bool, /) -> None:  # noqa: FBT001 - as futures have it
        """End it with False."""
        ...


class Patience:
    """Ends waits that last longer: one timer for all of them, which costs a call nothing."""

    def __init__(self) -> None:
        self._younger: list[Wait] = []
        self._older: list[Wait] = []
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, wait: Wait) -> None:
        """Give a wait the result False after once to twice `UNWATCHED_S`, unless it has ended."""
        self._younger.append(wait)
        if self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(UNWATCHED_S, self._turn)

    def _turn(self) -> None:
        for wait in self._older:
            if not wait.done():
                wait.set_result(False)
        self._older, self._younger = self._younger, []
        if self._older:
            self._set_timer()
        else:
            self._timer = None
