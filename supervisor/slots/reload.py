"""How a new generation takes the place of an old one. Above: `slot`, which swaps its child."""

from collections.abc import Awaitable, Callable

from supervisor.children.child import Child
from supervisor.children.lists import Tool, compare
from supervisor.errors import StartFailed
from supervisor.events import Reloaded
from supervisor.spec import ReloadStrategy, ServerSpec

DRAIN_S = 30.0
"""Calls in flight on an old child get this long to finish after new code took over."""
REPLACED = "replaced by new code"
LOST_TOOLS = "the new code has no tools, and the old code had some"

NewChild = Callable[[ServerSpec], Awaitable[Child | None]]


def may_overlap(old: ServerSpec, new: ServerSpec) -> bool:
    """Return whether both may run at the same time."""
    return ReloadStrategy.STOP_FIRST not in (old.reload, new.reload)


async def successor(spec: ServerSpec, start: NewChild, before: tuple[Tool, ...]) -> Child:
    """Return a child of new code that is ready; the old one, with tools `before`, serves on.

    Raises:
        StartFailed, NotConfigured, SandboxError: there is none.
    """
    child = await start(spec)
    if child is None:
        raise StartFailed(spec.name, "superseded by a newer change")
    if before and not child.tools and not child.screen.holds_any:
        # Tools that are all gone are a slip of the editor more often than a wish.
        await child.stop(LOST_TOOLS)
        raise StartFailed(spec.name, LOST_TOOLS)
    return child


def reloaded(child: Child, before: tuple[Tool, ...]) -> Reloaded:
    """Return what a successor changed; `before` are the tools of the old code."""
    changes = compare(before, child.tools)
    return Reloaded(
        child.spec.name, child.generation, changes.added, changes.removed, changes.changed
    )


async def retire(old: Child) -> None:
    """Let the calls of an old child finish, within a bound, and stop it."""
    try:
        await old.drain(DRAIN_S)
    finally:
        await old.stop(REPLACED)
