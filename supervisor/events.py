"""What the supervisor tells the world: past-tense facts, sent to one subscriber function."""

from dataclasses import dataclass
from enum import StrEnum

from supervisor.children.asking import ChildRequest


class ServerState(StrEnum):
    """A slot's state."""

    STOPPED = "stopped"
    """Switched on, and started by its next call."""
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    """Died; waiting to be started again."""
    QUARANTINED = "quarantined"
    """Died too often; retried slowly until new code, a tool or a click ends it."""
    STOPPING = "stopping"
    FAILED = "failed"
    """Cannot be started until something is changed; the reason says what."""
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A slot went from one state to another."""

    server: str
    before: ServerState
    after: ServerState
    reason: str


@dataclass(frozen=True, slots=True)
class ChildSpawned:
    """A process was started."""

    server: str
    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class ChildReady:
    """A child answered its handshake and its lists."""

    server: str
    generation: int
    pid: int
    era: str
    tools: int
    took_s: float


@dataclass(frozen=True, slots=True)
class ChildExited:
    """A child is gone, wanted or not."""

    server: str
    generation: int
    pid: int
    reason: str
    wanted: bool
    uptime_s: float
    calls_failed: int
    stderr_tail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitExceeded:
    """A child was over a limit of its whole tree and is being killed."""

    server: str
    generation: int
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class PriorityLowered:
    """A child used more processors than its limit and gets what others leave from now on."""

    server: str
    generation: int
    pid: int
    cores: float
    """What it used on average."""


@dataclass(frozen=True, slots=True)
class GroupRefused:
    """The kernel did not take a child into a group of its own; the watch alone holds it."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reloaded:
    """New code took over from old without losing a call."""

    server: str
    generation: int
    tools_added: tuple[str, ...]
    tools_removed: tuple[str, ...]
    tools_changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReloadRejected:
    """New code did not become ready; the old child goes on."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolQuarantined:
    """A tool is not served, because its definition changed or came without an owner's edit."""

    server: str
    tool: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotifyAsked:
    """A server asks to send a message to the owner; who hears it answers the request."""

    server: str
    request: ChildRequest


@dataclass(frozen=True, slots=True)
class ToolJudged:
    """The owner approved a quarantined tool's definition, or rejected it."""

    server: str
    tool: str
    approved: bool


@dataclass(frozen=True, slots=True)
class DefinitionsPinned:
    """What is pinned of a server's tools is not what it was; `record` is all of it, to be kept."""

    server: str
    record: bytes


@dataclass(frozen=True, slots=True)
class PinsForgotten:
    """A server was removed for good; one of its name will be seen for the first time."""

    server: str


@dataclass(frozen=True, slots=True)
class EnvironmentProgressed:
    """The environment that a server waits for is being built; `step` is the builder's line."""

    server: str
    step: str


@dataclass(frozen=True, slots=True)
class EnvironmentRemoved:
    """An environment that no server uses any more was removed."""

    key: str


@dataclass(frozen=True, slots=True)
class LeftoverKilled:
    """A process of an earlier supervisor was found alive and ended."""

    server: str
    pid: int


@dataclass(frozen=True, slots=True)
class WarmStarted:
    """Starts of Python servers can be warm from now on."""

    pid: int
    took_s: float
    server: str | None = None
    """The only one whose next start can be; None: all that have the shipped packages."""


@dataclass(frozen=True, slots=True)
class WarmLost:
    """There is no warm process for a while; its children ended with it."""

    reason: str


@dataclass(frozen=True, slots=True)
class WentCold:
    """A server that could have been started warm was started cold."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class HostRefused:
    """A child asked its proxy for a host that it may not reach."""

    server: str
    host: str
    sentence: str


@dataclass(frozen=True, slots=True)
class WatchingSlowly:
    """The kernel has no watches left: changes on disk are looked for every so many seconds."""

    reason: str
    every_s: float


Event = (
    StateChanged
    | ChildSpawned
    | ChildReady
    | ChildExited
    | LimitExceeded
    | PriorityLowered
    | GroupRefused
    | Reloaded
    | ReloadRejected
    | ToolQuarantined
    | NotifyAsked
    | ToolJudged
    | DefinitionsPinned
    | PinsForgotten
    | EnvironmentProgressed
    | EnvironmentRemoved
    | LeftoverKilled
    | WarmStarted
    | WarmLost
    | WentCold
    | HostRefused
    | WatchingSlowly
)
