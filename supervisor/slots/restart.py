"""When a dead child is started again: arithmetic only, no clock, no process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How patient a slot is."""

    base_s: float = 0.5
    factor: float = 2.0
    cap_s: float = 60.0
    jitter: float = 0.2
    """Share of the delay by which it may vary either way."""
    sustained_s: float = 60.0
    """A child that was ready this long has a clean record."""
    proving_calls: int = 20
    """A child that answered this many calls is restarted at once; its death still counts."""
    window_s: float = 60.0
    max_deaths: int = 5
    """More deaths than this within the window mean quarantine."""
    quarantine_retry_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Life:
    """What a child had done when it died."""

    ready_for_s: float = 0.0
    """0 when it never was ready."""
    answered: int = 0
    """Calls, also those it answered with an error."""


@dataclass(frozen=True, slots=True)
class DeathRecord:
    """What is remembered between deaths."""

    consecutive: int = 0
    recent: tuple[float, ...] = ()
    """Monotonic instants of deaths within the window."""
    quarantined: bool = False
    """Stays until a child lives for a sustained time or somebody intervenes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do after a death."""

    delay_s: float
    quarantined: bool
    record: DeathRecord


def after_death(
    policy: RestartPolicy, record: DeathRecord, *, now: float, life: Life, luck: float
) -> Verdict:
    """Return when to start again.

    Args:
        policy: The slot's patience.
        record: Earlier deaths.
        now: Monotonic seconds.
        life: What the child had done.
        luck: A number in [-1, 1] that places the delay within its jitter.
    """
    clean = life.ready_for_s >= policy.sustained_s
    proven = clean or life.answered >= policy.proving_calls
    consecutive = 1 if proven else record.consecutive + 1
    earlier = () if clean else record.recent
    recent = (*(at for at in earlier if now - at < policy.window_s), now)
    quarantined = len(recent) > policy.max_deaths or (record.quarantined and not clean)
    following = DeathRecord(consecutive, recent, quarantined)
    if quarantined:
        delay = _spread(policy.quarantine_retry_s, policy, luck)
        return Verdict(delay, quarantined=True, record=following)
    if consecutive == 1 and life.ready_for_s > 0:
        return Verdict(0.0, quarantined=False, record=following)
    power = min(max(consecutive - 2, 0), 32)
    delay = min(policy.base_s * policy.factor**power, policy.cap_s)
    return Verdict(_spread(delay, policy, luck), quarantined=False, record=following)


def _spread(delay_s: float, policy: RestartPolicy, luck: float) -> float:
    return delay_s * (1 + policy.jitter * luck)
