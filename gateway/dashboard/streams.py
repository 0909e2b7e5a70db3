"""How many streams of events the dashboard holds open: each is a tab, and a connection."""

from dataclasses import dataclass
from weakref import WeakSet

from werkzeug.exceptions import ServiceUnavailable

MAX_STREAMS = 100
MAX_STREAMS_OF_SESSION = 12


@dataclass(frozen=True, eq=False)
class Place:
    """One stream's place, which is free again when nobody refers to it any more.

    An answer that its browser does not wait for is dropped before its stream begins, so that
    nothing in the stream itself could give the place back.
    """

    session_id: str


class Streams:
    """Gives out the places."""

    def __init__(self) -> None:
        self._places: WeakSet[Place] = WeakSet()

    def take(self, session_id: str) -> Place:
        """Return a place for a stream to hold while it lasts. Raises ServiceUnavailable."""
        taken = list(self._places)
        of_session = sum(place.session_id == session_id for place in taken)
        if of_session >= MAX_STREAMS_OF_SESSION or len(taken) >= MAX_STREAMS:
            raise ServiceUnavailable("Too many open tabs; close some and reload.")
        place = Place(session_id)
        self._places.add(place)
        return place
