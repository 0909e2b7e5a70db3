"""What the two folders of servers hold: descriptions, default switches, and what is unusable.

Blocking. Above: `servers`, which decides what becomes of it.
"""

from pathlib import Path

from supervisor.folders.catalog import read_catalog, read_server
from supervisor.folders.metadata import read_metadata
from supervisor.spec import ServerKind, ServerSpec


class Shelf:
    """The servers on disk as they were when they were last read."""

    def __init__(self, fixed_dir: Path, dynamic_dir: Path) -> None:
        self._fixed_dir = fixed_dir
        self._dynamic_dir = dynamic_dir
        self._off: frozenset[str] = frozenset()
        self._problems: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each folder that could not be read."""
        return self._problems

    def is_off(self, name: str) -> bool:
        """Return whether a server's metadata wants it off as long as nobody chose."""
        return name in self._off

    def read_all(self) -> tuple[ServerSpec, ...]:
        """Return every server on disk."""
        specs, problems = read_catalog(self._fixed_dir, self._dynamic_dir)
        self._off = frozenset(s.name for s in specs if not read_metadata(s.code_dir).enabled)
        self._problems = tuple(map(str, problems))
        return specs

    def read(self, name: str) -> ServerSpec | None:
        """Return one server as its folder is now; None when it has none.

        Raises:
            InvalidServer: the folder is no server.
        """
        roots = ((self._fixed_dir, ServerKind.FIXED), (self._dynamic_dir, ServerKind.DYNAMIC))
        for root, kind in roots:
            if (root / name).is_dir():
                spec = read_server(root / name, kind)
                on = read_metadata(root / name).enabled
                self._off = self._off - {name} if on else self._off | {name}
                return spec
        return None

    def read_problems(self) -> None:
        """Look again which folders cannot be read."""
        self._problems = tuple(map(str, read_catalog(self._fixed_dir, self._dynamic_dir)[1]))
