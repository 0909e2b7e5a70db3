"""The tools of one server: of its newest child, or of an earlier one while none runs.

Whoever listens to the server is told when they are not what they were. Above: `slot`.
"""

import anyio

from supervisor.children.call import Notice
from supervisor.children.child import Child
from supervisor.children.lists import Tool, compare
from supervisor.errors import SupervisorError
from supervisor.slots.context import SlotContext

TOOLS_CHANGED = "notifications/tools/list_changed"
OTHERS_CHANGED = {
    "prompts": "notifications/prompts/list_changed",
    "resources": "notifications/resources/list_changed",
}
"""Lists that are not fetched here: new code may have changed them."""


class ToolList:
    """Holds the list, keeps it on disk and tells of its changes."""

    def __init__(self, server: str, context: SlotContext) -> None:
        self.tools: tuple[Tool, ...] = ()
        self.stale = False
        """True when there is a reason to ask the child again."""
        self._said = False
        self._server = server
        self._context = context
        self._digest: str | None = None
        """Of the code whose tools these are; None before any are known."""

    def recall(self, digest: str) -> bool:
        """Take the tools that code with this digest listed earlier; False when it never did."""
        known = self._context.known_tools.of(digest)
        if known is None:
            return False
        self.tools, self._digest = known, digest
        return True

    def adopt(self, child: Child) -> None:
        """Take the tools of a child that takes calls from now on."""
        before, digest = self.tools, self._digest
        self.tools, self._digest = child.tools, child.spec.digest
        self._context.known_tools.note(child.spec.digest, child.tools)
        if digest is None:
            return
        if compare(before, child.tools).any:
            self._tell(TOOLS_CHANGED)
        if digest != child.spec.digest:
            for member, method in OTHERS_CHANGED.items():
                if member in child.handshake.capabilities:
                    self._tell(method)

    def note_stale(self, *, said: bool = False) -> None:
        """Have the child asked again; `said`: it says itself that there is something new."""
        self.stale = True
        self._said = self._said or said

    async def refresh(self, child: Child) -> None:
        """Ask a child again; the last good list stays when it gives none.

        Whoever listens is told afterwards: what they ask next may be answered from this list.
        """
        before, said = self.tools, self._said
        self.stale = self._said = False
        await self._ask(child)
        if said or compare(before, self.tools).any:
            self._tell(TOOLS_CHANGED)

    async def _ask(self, child: Child) -> None:
        with anyio.move_on_after(child.spec.start_timeout_s):
            try:
                await child.refresh_tools()
            except SupervisorError:
                # A child that died is dealt with by its exit.
                return
            self.tools = child.tools
            self._context.known_tools.note(child.spec.digest, child.tools)

    def _tell(self, method: str) -> None:
        self._context.on_notice(self._server, Notice(method, None))
