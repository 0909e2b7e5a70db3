"""What a run does, told while it happens: numbered, so that a reader can go on where it was."""

import re
from dataclasses import dataclass

from gateway.domain.run import Run, RunMessage

_PLACE = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader is: the number of the last event that it has."""

    messages: int = 0
    """Messages of the transcript that it has."""
    text: int = 0
    """Characters that it has of the texts which no message it has holds yet."""

    def __str__(self) -> str:
        return f"{self.messages}.{self.text}"


START = Place()


def read_place(text: str) -> Place:
    """Return a place from its text, such as ``12.0``. Raises ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:50]!r} is no number of an event, such as 12.0")
    return Place(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class MessageCame:
    """A message of the transcript, whole."""

    place: Place
    message: RunMessage


@dataclass(frozen=True, slots=True)
class TextCame:
    """More of a text that the model is writing; it comes once more, whole, in its message."""

    place: Place
    text: str
    restart: bool = False
    """What came of the text before is void."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a live attempt has used so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0


@dataclass(frozen=True, slots=True)
class StatusIs:
    """How the run stands after what came before; the last event of a run that has ended."""

    place: Place
    run: Run


LiveEvent = MessageCame | TextCame | StatusIs
