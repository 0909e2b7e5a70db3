"""Calls that wait for their caller's input: in flight on the child, but on no connection.

A modern caller is asked by a result and goes on with the same call under another id. What it hands
back for that is a random key of one entry here, good once, for the token and the call that got it.
"""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from gateway.relay.refusal import INVALID_PARAMS, Refusal
from gateway.relay.request import Posted
from supervisor.children.wire import decode, parse_object

PARKED_S = 15 * 60.0
"""A person reads a form and fills it in; who has not done so by then has left it."""
MAX_PARKED = 512
MAX_PARKED_PER_CALLER = 32
STATE_BYTES = 32
_ANEW = frozenset({"_meta", "inputResponses", "requestState"})
"""Members of params in which a call and its continuation differ."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Purpose:
    """Whose call it is, and which: nothing else may go on with it."""

    owner: str
    server: str
    call: bytes


def purpose(owner: str, server: str, posted: Posted) -> Purpose:
    """Return what a call and its continuation have in common."""
    params = parse_object(posted.envelope.params)
    members = {key: decode(value) for key, value in params.items() if key not in _ANEW}
    said = msgspec.json.encode([posted.method, members], order="sorted")
    return Purpose(owner, server, hashlib.sha256(said).digest())


class Full(Exception):
    """No more calls can wait."""


@dataclass(eq=False, slots=True)
class _Place(Generic[T]):
    purpose: Purpose
    call: T
    timer: asyncio.TimerHandle


class Parked(Generic[T]):
    """The calls that wait, by what their callers hand back."""

    def __init__(
        self,
        give_up: Callable[[T], None],
        *,
        wait_s: float = PARKED_S,
        per_caller: int = MAX_PARKED_PER_CALLER,
    ) -> None:
        """`give_up` ends a call whose caller did not come back."""
        self._give_up = give_up
        self._wait_s = wait_s
        self._per_caller = per_caller
        self._places: dict[str, _Place[T]] = {}
        self._of_caller: Counter[str] = Counter()

    def put(self, purpose: Purpose, call: T) -> str:
        """Let a call wait; return what its caller has to hand back.

        Raises:
            Full: it cannot wait, for others do.
        """
        of_caller = self._of_caller[purpose.owner]
        if len(self._places) >= MAX_PARKED or of_caller >= self._per_caller:
            raise Full
        state = secrets.token_urlsafe(STATE_BYTES)
        timer = asyncio.get_running_loop().call_later(self._wait_s, self._expire, state)
        self._places[state] = _Place(purpose, call, timer)
        self._of_caller[purpose.owner] += 1
        return state

    def take(self, state: str, purpose: Purpose) -> T | None:
        """Return the call that waits under this; None when there is none.

        Raises:
            Refusal: it is another caller's, or another call; it goes on waiting.
        """
        place = self._places.get(state)
        if place is None:
            return None
        if place.purpose != purpose:
            raise Refusal(INVALID_PARAMS, "The requestState belongs to another call.")
        return self._remove(state)

    def forget(self, owner: str) -> None:
        """Give up the calls of a caller that is gone."""
        for state, place in tuple(self._places.items()):
            if place.purpose.owner == owner:
                self._expire(state)

    def end_all(self) -> None:
        """Give up every call."""
        for state in tuple(self._places):
            self._expire(state)

    def _expire(self, state: str) -> None:
        self._give_up(self._remove(state))

    def _remove(self, state: str) -> T:
        place = self._places.pop(state)
        place.timer.cancel()
        self._of_caller[place.purpose.owner] -= 1
        if not self._of_caller[place.purpose.owner]:
            del self._of_caller[place.purpose.owner]
        return place.call
