"""The pins of all servers by name, for the life of the supervisor. Above: `supervisor`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from supervisor.events import Event, PinsForgotten
from supervisor.pinning.origin import origin_of
from supervisor.pinning.pins import Pins
from supervisor.pinning.screen import Screen
from supervisor.spec import ServerSpec


class Pinboard:
    """Finds a server's pins, also those of a server that was away for a while."""

    def __init__(
        self, records: Mapping[str, bytes], python: Path, emit: Callable[[Event], None]
    ) -> None:
        """`records` are those of an earlier life by server; `python` starts Python servers."""
        self._records = dict(records)
        self._python = python
        self._emit = emit
        self._pins: dict[str, Pins] = {}

    def of(self, server: str) -> Pins:
        """Return a server's pins."""
        if server not in self._pins:
            record = self._records.pop(server, None)
            self._pins[server] = Pins(server, record, emit=self._emit)
        return self._pins[server]

    def unkept(self, server: str) -> Pins:
        """Return pins for a server that is registered nowhere; nobody hears of them."""
        return Pins(server, None, emit=_ignore)

    def forget(self, server: str) -> None:
        """Let a server of this name be seen for the first time again."""
        self._records.pop(server, None)
        self._pins.pop(server, None)
        self._emit(PinsForgotten(server))

    def screen(self, pins: Pins, spec: ServerSpec) -> Screen:
        """Return what the lists of one child go through."""
        return Screen(pins, origin_of(spec, self._python), dynamic=spec.dynamic_tools)


def _ignore(event: Event) -> None:
    """What happens to a server on trial concerns its caller alone."""
