"""What a slot is given by the supervisor."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandboxes.launch import Launch
from sandboxes.network.outside import Outside
from sandboxes.packages.build_step import Progress
from supervisor.children.call import Notice
from supervisor.children.child import Child, Spawn
from supervisor.children.crash_log import CrashLog
from supervisor.children.stderr_log import StderrLog
from supervisor.events import Event
from supervisor.pinning.pins import Pins
from supervisor.pinning.screen import Screen
from supervisor.slots.known_tools import KnownTools
from supervisor.slots.restart import RestartPolicy
from supervisor.spec import ServerSpec


@dataclass(frozen=True, slots=True)
class SlotContext:
    """The world of one slot."""

    emit: Callable[[Event], None]
    launch: Callable[[ServerSpec, Progress], Awaitable[Launch]]
    """Raises NotConfigured, StartFailed or SandboxError when the server cannot be started."""
    spawn: Spawn
    on_spawned: Callable[[Child], None]
    on_gone: Callable[[Child], None]
    on_ready: Callable[[], None]
    on_notice: Callable[[str, Notice], None]
    policy: RestartPolicy
    log: StderrLog
    crashes: CrashLog
    known_tools: KnownTools
    pins: Pins
    screen: Callable[[ServerSpec], Screen]
    """Makes what a child's lists of tools go through; each child needs its own."""
    outside: Outside
    """What children with granted hosts reach."""
