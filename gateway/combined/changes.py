"""From what happens to servers to what callers of `/mcp/all` are told: that a list has changed."""

from collections.abc import Callable

from gateway.combined.catalogue import Catalogue
from supervisor.children.call import Notice
from supervisor.events import ChildReady, Event, ServerState, StateChanged

TOOLS, PROMPTS, RESOURCES = "tools", "prompts", "resources"
_CAPABILITIES = {f"notifications/{name}/list_changed": name for name in (PROMPTS, RESOURCES)}
_TOOLS_CHANGED = f"notifications/{TOOLS}/list_changed"


class Changes:
    """Watches the lists and tells of each change once."""

    def __init__(self, catalogue: Catalogue, tell: Callable[[str], None]) -> None:
        """`tell` gets the method of a notification."""
        self._catalogue = catalogue
        self._tell = tell
        self._told = catalogue.tool_sources()

    def noticed(self, server: str, notice: Notice) -> None:
        """Take a server's notification."""
        if notice.method == _TOOLS_CHANGED:
            self._look()
        elif (capability := _CAPABILITIES.get(notice.method)) is not None:
            self._catalogue.others.changed(server, capability)
            self._tell(notice.method)

    def hear(self, event: Event) -> None:
        """Take an event: a server may have come or gone, or have its first child."""
        if isinstance(event, ChildReady):
            self._look()
            self._tell_of(self._catalogue.news_of(event.server))
        elif isinstance(event, StateChanged) and ServerState.DISABLED in (
            event.before,
            event.after,
        ):
            self._look()
            self._tell_of(self._catalogue.others.known_of(event.server))
            self._catalogue.forget_gone()

    def _tell_of(self, capabilities: frozenset[str]) -> None:
        for method, capability in _CAPABILITIES.items():
            if capability in capabilities:
                self._tell(method)

    def _look(self) -> None:
        sources = self._catalogue.tool_sources()
        if sources != self._told:
            self._told = sources
            self._tell(_TOOLS_CHANGED)
