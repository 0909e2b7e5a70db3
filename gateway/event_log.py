"""The one place that turns the supervisor's events into log lines."""

import logging

from gateway.log_lines import about
from supervisor.events import (
    ChildExited,
    ChildReady,
    ChildSpawned,
    DefinitionsPinned,
    EnvironmentProgressed,
    EnvironmentRemoved,
    Event,
    GroupRefused,
    HostRefused,
    LeftoverKilled,
    LimitExceeded,
    NotifyAsked,
    PinsForgotten,
    PriorityLowered,
    Reloaded,
    ReloadRejected,
    ServerState,
    StateChanged,
    ToolJudged,
    ToolQuarantined,
    WarmLost,
    WarmStarted,
    WatchingSlowly,
    WentCold,
)

log = logging.getLogger("claude_runner.supervisor")

TAIL_SHOWN = 5
_ALARMING = frozenset({ServerState.QUARANTINED, ServerState.FAILED})


def log_event(event: Event) -> None:
    """Log one event: info for a change, warning when degraded, error when a person must act."""
    with about(**_facts(event)):
        _log(event)


def _facts(event: Event) -> dict[str, object]:
    """Return which server an event is about, and which of its generations."""
    named = {name: getattr(event, name, None) for name in ("server", "generation")}
    return {name: value for name, value in named.items() if value is not None}


def _log(event: Event) -> None:
    match event:
        case StateChanged():
            log.log(
                _level(event.after),
                "%s: %s -> %s%s",
                event.server,
                event.before,
                event.after,
                f" ({event.reason})" if event.reason else "",
            )
        case ChildSpawned():
            log.debug("%s: generation %d is pid %d", event.server, event.generation, event.pid)
        case ChildReady():
            log.info(
                "%s: generation %d ready after %.2f s with %d tools (%s era)",
                event.server,
                event.generation,
                event.took_s,
                event.tools,
                event.era,
            )
        case ChildExited():
            _log_exit(event)
        case LimitExceeded() | PriorityLowered() | GroupRefused() | HostRefused():
            _log_limit(event)
        case Reloaded() | ReloadRejected():
            _log_reload(event)
        case ToolQuarantined() | ToolJudged() | DefinitionsPinned() | PinsForgotten():
            _log_definitions(event)
        case LeftoverKilled() | NotifyAsked():
            _log_deed(event)
        case WatchingSlowly():
            log.warning(
                "Changed files are found every %g s only (%s); raise fs.inotify.max_user_watches",
                event.every_s,
                event.reason,
            )
        case _:
            _log_preparation(event)


def _log_deed(event: LeftoverKilled | NotifyAsked) -> None:
    match event:
        case LeftoverKilled():
            log.warning("%s: ended pid %d, left by an earlier run", event.server, event.pid)
        case NotifyAsked():
            log.debug("%s: asks to send a message", event.server)


def _log_limit(event: LimitExceeded | PriorityLowered | GroupRefused | HostRefused) -> None:
    match event:
        case LimitExceeded():
            log.warning(
                "%s: killed generation %d: %s", event.server, event.generation, event.reason
            )
        case PriorityLowered():
            log.warning(
                "%s: lowered the priority of generation %d, which used %.1f processors",
                event.server,
                event.generation,
                event.cores,
            )
        case GroupRefused():
            log.warning("%s: held without a cgroup: %s", event.server, event.reason)
        case HostRefused():
            log.warning("%s: %s", event.server, event.sentence)


def _log_definitions(
    event: ToolQuarantined | ToolJudged | DefinitionsPinned | PinsForgotten,
) -> None:
    match event:
        case ToolQuarantined():
            log.error(
                "%s: tool %r is quarantined: %s; look at it with: ./claude-runner approvals list",
                event.server,
                event.tool,
                event.reason,
            )
        case ToolJudged():
            verdict = "approved" if event.approved else "rejected"
            log.info("%s: the owner %s the definition of %r", event.server, verdict, event.tool)
        case DefinitionsPinned() | PinsForgotten():
            log.debug("%s: what is pinned of its tools changed", event.server)


def _log_reload(event: Reloaded | ReloadRejected) -> None:
    if isinstance(event, ReloadRejected):
        log.warning("%s: new code rejected, the old goes on: %s", event.server, event.reason)
        return
    log.info(
        "%s: generation %d took over; added %s, removed %s, changed %s",
        event.server,
        event.generation,
        _names(event.tools_added),
        _names(event.tools_removed),
        _names(event.tools_changed),
    )


def _log_exit(event: ChildExited) -> None:
    if event.wanted:
        log.info("%s: generation %d ended (%s)", event.server, event.generation, event.reason)
        return
    log.warning(
        "%s: generation %d died after %.1f s: %s; %d calls in flight failed%s",
        event.server,
        event.generation,
        event.uptime_s,
        event.reason,
        event.calls_failed,
        "".join(f"\n    {line}" for line in event.stderr_tail[-TAIL_SHOWN:]),
    )


def _log_preparation(
    event: WarmStarted | WarmLost | WentCold | EnvironmentProgressed | EnvironmentRemoved,
) -> None:
    match event:
        case WarmStarted():
            whose = event.server or "all servers with the shipped packages"
            log.info("Warm start of %s ready in %.2f s (%d)", whose, event.took_s, event.pid)
        case WarmLost():
            log.warning("No warm starts for a while: %s", event.reason)
        case WentCold():
            log.warning("%s: started cold: %s", event.server, event.reason)
        case EnvironmentProgressed():
            log.info("%s: building its environment: %s", event.server, event.step)
        case EnvironmentRemoved():
            log.info("Environment %s removed: no server uses it", event.key)


def _level(state: ServerState) -> int:
    if state in _ALARMING:
        return logging.ERROR
    return logging.WARNING if state is ServerState.BACKOFF else logging.INFO


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
