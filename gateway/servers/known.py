"""Which servers there are, and whose turn it is: what the rooms of `servers` share.

Above: `servers`, `disk`, `operation`.
"""

from weakref import WeakValueDictionary

import anyio

from supervisor.errors import InvalidServer, UnknownServer
from supervisor.folders.catalog import check_name
from supervisor.spec import ServerKind, ServerSpec


class Known:
    """Every server by name. Changes to one server take turns; different servers do not wait."""

    def __init__(self) -> None:
        self._specs: dict[str, ServerSpec] = {}
        self._tried: dict[str, str] = {}
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    def __contains__(self, name: str) -> bool:
        return name in self._specs

    def names(self) -> tuple[str, ...]:
        """Return every server's name."""
        return tuple(sorted(self._specs))

    def of_kind(self, kind: ServerKind) -> tuple[ServerSpec, ...]:
        """Return the servers of a kind, by name."""
        return tuple(spec for _, spec in sorted(self._specs.items()) if spec.kind is kind)

    def find(self, name: str) -> ServerSpec | None:
        """Return a server's description, or None."""
        return self._specs.get(name)

    def spec(self, name: str, kind: ServerKind | None = None) -> ServerSpec:
        """Return a server's description.

        Raises:
            UnknownServer: there is none of this name.
            InvalidServer: the text is not a server's name, or it is one of the other kind.
        """
        check_name(name)
        if name not in self._specs:
            raise UnknownServer(name, self.names())
        spec = self._specs[name]
        if kind and spec.kind is not kind:
            raise InvalidServer(
                f"Server {name!r} is a {spec.kind} server, not a {kind} one;"
                f" use the tools for {spec.kind} servers."
            )
        return spec

    def put(self, spec: ServerSpec) -> None:
        """Add a server, or give it another description."""
        self._specs[spec.name] = spec

    def put_tried(self, spec: ServerSpec) -> None:
        """Add or change a server whose folder was read, and note that."""
        self._specs[spec.name] = spec
        self.note_tried(spec)

    def note_tried(self, spec: ServerSpec) -> None:
        """Note that a folder's content was brought in, or refused."""
        self._tried[spec.name] = spec.digest

    def was_tried(self, spec: ServerSpec) -> bool:
        """Return whether just this content was the last that was brought in, or refused."""
        return self._tried.get(spec.name) == spec.digest

    def forget_tried(self, name: str) -> None:
        """Have the folder's content brought in again, whatever it is."""
        self._tried.pop(name, None)

    def forget(self, name: str) -> bool:
        """Remove a server; return whether there was one."""
        self.forget_tried(name)
        return self._specs.pop(name, None) is not None

    def turn(self, name: str) -> anyio.Lock:
        """Return what whoever changes a server holds meanwhile; gone when nobody holds it."""
        return self._turns.setdefault(name, anyio.Lock())
