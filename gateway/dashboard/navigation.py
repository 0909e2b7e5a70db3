"""The pages that every page leads to, in their order: a room adds its entry here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation."""

    path: str
    word: str
    also: tuple[str, ...] = ()
    """Other paths, below which pages belong to this entry."""

    def leads_to(self, path: str) -> bool:
        """True when the page at `path` is this entry's, or one below it."""
        own = () if self.path == "/" else (self.path,)
        below = (f"{each}/" for each in (*own, *self.also))
        return path == self.path or path.startswith(tuple(below))


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that belong together, under a word; without one they come first."""

    word: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Group(
        "",
        (
            Entry("/", "Overview"),
            Entry("/servers", "Servers", also=("/server",)),
            Entry("/tools", "Tools"),
        ),
    ),
    Group(
        "To decide",
        (
            Entry("/approvals", "Quarantined tools"),
            Entry("/changes", "Code changes"),
        ),
    ),
    Group(
        "Work",
        (
            Entry("/jobs", "Jobs"),
            Entry("/runs", "Runs"),
            Entry("/quick-run", "Quick run"),
            Entry("/webhooks", "Webhooks"),
            Entry("/costs", "Costs"),
        ),
    ),
    Group(
        "Gateway",
        (
            Entry("/connector", "Connector"),
            Entry("/doctor", "Doctor"),
            Entry("/access", "Access"),
            Entry("/notifications", "Notifications"),
            Entry("/audit", "Audit log"),
            Entry("/nodes", "Nodes"),
            Entry("/settings", "Settings"),
        ),
    ),
)
