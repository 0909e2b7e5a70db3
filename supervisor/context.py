"""What a slot is given by the supervisor."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandboxes.build_step import Progress
from sandboxes.launch import Launch
from sandboxes.outside import Outside
from supervisor.child import Child, Spawn
from supervisor.crash_log import CrashLog
from supervisor.events import Event
from supervisor.known_tools import KnownTools
from supervisor.link import Notice
from supervisor.restart import RestartPolicy
from supervisor.spec import ServerSpec
from supervisor.stderr_log import StderrLog


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
    outside: Outside
    """What children with granted hosts reach."""
