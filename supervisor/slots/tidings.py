"""The events that tell of one child, read off it."""

from supervisor.children.child import Child
from supervisor.events import ChildExited, ChildReady, ChildSpawned


def spawned(child: Child) -> ChildSpawned:
    """Return what is told when a process was started."""
    return ChildSpawned(child.spec.name, child.generation, child.process.pid)


def ready(child: Child) -> ChildReady:
    """Return what is told when a child can be called."""
    took_s = child.ready_at - child.process.spawned_at if child.ready_at else 0.0
    return ChildReady(
        child.spec.name,
        child.generation,
        child.process.pid,
        child.handshake.era,
        len(child.tools),
        took_s,
    )


def exited(child: Child) -> ChildExited:
    """Return what is told when a child is gone."""
    return ChildExited(
        child.spec.name,
        child.generation,
        child.process.pid,
        child.exit_reason or "gone",
        child.wanted_exit,
        child.ready_for_s,
        child.calls_failed,
        child.stderr_tail,
    )
