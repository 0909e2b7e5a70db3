"""What the folders of servers hold: descriptions, default switches, and what is unusable.

Blocking. Above: `servers`, which decides what becomes of it.
"""

from pathlib import Path

from gateway.servers.grants import GrantFiles, granted
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import gives_way, read_catalog, read_server
from supervisor.folders.metadata import read_metadata
from supervisor.spec import ServerKind, ServerSpec


class Shelf:
    """The servers on disk as they were when they were last read."""

    def __init__(
        self, fixed_dir: Path, dynamic_dir: Path, grants: GrantFiles, *added_dirs: Path
    ) -> None:
        """`added_dirs`: further fixed servers."""
        self._fixed_dir = fixed_dir
        self._dynamic_dir = dynamic_dir
        self._added_dirs = added_dirs
        self._grants = grants
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
        read, problems = read_catalog(self._fixed_dir, self._dynamic_dir, *self._added_dirs)
        self._off = frozenset(s.name for s in read if not read_metadata(s.code_dir).enabled)
        specs: list[ServerSpec] = []
        refused = [*map(str, problems)]
        for spec in read:
            try:
                specs.append(self._granted(spec))
            except InvalidServer as error:
                refused.append(str(error))
        self._problems = tuple(refused)
        return tuple(specs)

    def read(self, name: str) -> ServerSpec | None:
        """Return one server as its folder is now; None when it has none.

        Raises:
            InvalidServer: the folder is no server.
        """
        fixed = [(root, ServerKind.FIXED) for root in (self._fixed_dir, *self._added_dirs)]
        for root, kind in (*fixed, (self._dynamic_dir, ServerKind.DYNAMIC)):
            others = (self._dynamic_dir, *self._added_dirs)
            if root == self._fixed_dir and gives_way(root / name, *others):
                continue
            if (root / name).is_dir():
                spec = self._granted(read_server(root / name, kind))
                on = read_metadata(root / name).enabled
                self._off = self._off - {name} if on else self._off | {name}
                return spec
        return None

    def read_problems(self) -> None:
        """Look again which folders cannot be read."""
        self.read_all()

    def _granted(self, spec: ServerSpec) -> ServerSpec:
        if spec.kind is not ServerKind.FIXED:
            return spec
        return granted(spec, self._grants.read(spec.name))
