"""One part of a page as it was rendered last, and what changed of it since any earlier time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Listing:
    """HTML around rows, each an element whose id is its key: rows that change are sent alone."""

    before: str
    rows: Mapping[str, str]
    after: str

    def __str__(self) -> str:
        return "".join((self.before, *self.rows.values(), self.after))


Rendered = str | Listing


@dataclass(slots=True, eq=False)
class Fragment:
    """What is followed under one name. Versions count renderings that changed something."""

    name: str
    followers: int = 0
    version: int = 0
    _shown: Listing = field(default_factory=lambda: Listing("", {}, ""))
    _whole_version: int = 0
    """When anything but a row changed last."""
    _row_versions: dict[str, int] = field(default_factory=dict[str, int])
    _patches: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    """By the version that a reader has: most readers have the same one."""

    def show(self, rendered: Rendered) -> None:
        """Take what was rendered; a version more if it differs."""
        new = rendered if isinstance(rendered, Listing) else Listing(rendered, {}, "")
        old, self._shown = self._shown, new
        version = self.version + 1
        if self.version == 0 or _frame(old) != _frame(new):
            self._whole_version = version
            self._row_versions = dict.fromkeys(new.rows, version)
        else:
            changed = [key for key, row in new.rows.items() if row != old.rows[key]]
            if not changed:
                return
            self._row_versions.update(dict.fromkeys(changed, version))
        self.version = version
        self._patches.clear()

    def patches_since(self, version: int) -> tuple[str, ...]:
        """Return what brings a reader of an earlier version up to date, each as JSON."""
        if version >= self.version:
            return ()
        if version not in self._patches:
            self._patches[version] = tuple(self._patches_since(version))
        return self._patches[version]

    def _patches_since(self, version: int) -> list[str]:
        if version < self._whole_version:
            return [json.dumps({"live": self.name, "html": str(self._shown)})]
        return [
            json.dumps({"row": key, "html": self._shown.rows[key]})
            for key, changed in self._row_versions.items()
            if changed > version
        ]


def _frame(listing: Listing) -> tuple[str, str, tuple[str, ...]]:
    return listing.before, listing.after, tuple(listing.rows)
