"""What a live run tells its readers: stored messages, the text being written, what it used.

A message is told once it is stored, so that its number means the same after a crash of the gateway.
Nothing waits here for a reader: each takes what lies behind its own place, when it can.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import anyio

from gateway.domain.live import LiveEvent, MessageCame, Place, Spent, TextCame
from gateway.domain.run import Run, RunMessage
from gateway.jobs.draft import Draft

KEPT_MESSAGES = 100
KEPT_CHARS = 1024 * 1024
"""Of the newest messages of one run in memory; older ones are read from the store."""


class Feed:
    """One run, while it is live or somebody reads it."""

    def __init__(self, settled: Callable[[str], str]) -> None:
        self._settled = settled
        self._kept: deque[RunMessage] = deque()
        self._chars = 0
        self._draft = Draft(settled)
        self._expected = 0
        """How many messages came, stored or not."""
        self.changed = anyio.Event()
        """Replaced whenever there is something new."""
        self.turns = 0
        """Counts changes of the run's row, and of what it used."""
        self.spent: Spent | None = None
        """By the attempt that goes on; None: what the row says is all."""
        self.users = 0
        """The run's execution and its readers."""

    def write(self, text: str) -> None:
        """Take more of the text that the model is writing."""
        self._draft.write(text)
        self._tell()

    def begin_text(self) -> None:
        """The model begins another text."""
        self._draft.begin()

    def expect(self, message: RunMessage) -> None:
        """A message came that is not stored yet; text behind it waits for that."""
        self._expected = message.seq + 1
        if ends_text(message):
            self._draft.close(message.seq)

    def publish(self, messages: Sequence[RunMessage]) -> None:
        """Take messages that are stored now."""
        if not messages:
            return
        if self._kept and self._kept[-1].seq + 1 != messages[0].seq:
            self._kept.clear()
            self._chars = 0
        for message in messages:
            self._kept.append(message)
            self._chars += len(message.body)
        while len(self._kept) > KEPT_MESSAGES or self._chars > KEPT_CHARS:
            self._chars -= len(self._kept.popleft().body)
        self._draft.published(messages[-1].seq + 1)
        self._tell()

    def use(self, spent: Spent | None) -> None:
        """Note what the attempt used so far; None: it is over and stored."""
        if spent != self.spent:
            self.spent = spent
            self.mark()

    def mark(self) -> None:
        """The run's row is another one now."""
        self.turns += 1
        self._tell()

    def end_attempt(self) -> None:
        """Forget the text that no message brought, and what this attempt used."""
        self._draft = Draft(self._settled)
        self.use(None)
        self._tell()

    def after(self, place: Place) -> tuple[LiveEvent, ...] | None:
        """Return what a reader at `place` lacks; None: the store has what is next for him."""
        if not self._kept or place.messages < self._kept[0].seq:
            return None
        events = in_order(self._kept, place)
        place = events[-1].place if events else place
        complete = place.messages >= self._expected
        if complete and (piece := self._draft.after(place.text)) is not None:
            place = Place(place.messages, piece.end)
            events += (TextCame(place, piece.text, piece.restart),)
        return events

    def shown(self, run: Run) -> Run:
        """Return the row of the run with what the attempt that goes on has used."""
        if self.spent is None or run.status.final:
            return run
        return replace(
            run,
            input_tokens=(run.input_tokens or 0) + self.spent.input_tokens,
            output_tokens=(run.output_tokens or 0) + self.spent.output_tokens,
            cost_micro_usd=(run.cost_micro_usd or 0) + self.spent.cost_micro_usd,
        )

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


def in_order(messages: Iterable[RunMessage], place: Place) -> tuple[LiveEvent, ...]:
    """Return the events of those messages that a reader at `place` lacks."""
    events: list[LiveEvent] = []
    for message in messages:
        if message.seq >= place.messages:
            place = Place(message.seq + 1, 0 if ends_text(message) else place.text)
            events.append(MessageCame(place, message))
    return tuple(events)


def ends_text(message: RunMessage) -> bool:
    """Tell whether no text that began before a message goes on behind it."""
    if message.kind == "result":
        return True
    if message.kind not in ("assistant", "system"):
        return False
    try:
        body = cast("dict[str, Any]", json.loads(message.body))
    except ValueError:
        return True
    if message.kind == "system":
        return body.get("subtype") == "init"
    return not body.get("parent_tool_use_id")
