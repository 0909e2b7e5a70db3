"""How entries of the audit log are shown and asked for: to tools, the command line and pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.domain.audit import AuditWish, KeptEntry, Outcome

MAX_SHOWN = 1000
"""Entries in one answer."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
OUTCOMES = ", ".join(outcome.value for outcome in Outcome)


class BadWish(Exception):
    """What was asked for cannot be looked for; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class AuditView:
    """One entry."""

    number: int
    at: str
    actor: str
    actor_id: str
    action: str
    server: str
    tool: str
    target: str
    arguments: str
    asked_bytes: int
    answered_bytes: int
    outcome: str
    took_ms: float
    correlation: str


def view_entry(kept: KeptEntry) -> AuditView:
    """Return an entry as everybody is shown it."""
    entry = kept.entry
    instant = datetime.fromtimestamp(entry.at / 1000, UTC)
    return AuditView(
        number=kept.number,
        at=instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        actor=entry.actor.value,
        actor_id=entry.actor_id,
        action=entry.action,
        server=entry.server,
        tool=entry.tool,
        target=entry.target,
        arguments=entry.arguments,
        asked_bytes=entry.asked_bytes,
        answered_bytes=entry.answered_bytes,
        outcome=entry.outcome.value,
        took_ms=entry.took_us / 1000,
        correlation=entry.correlation,
    )


def read_wish(asked: Mapping[str, str], now_ms: int, limit: int = 100) -> AuditWish:
    """Return what somebody asks for in words; empty ones count as not said. Raises BadWish."""
    given = {name: text.strip() for name, text in asked.items() if text.strip()}
    return AuditWish(
        since=read_instant("since", given.get("since"), now_ms),
        who=given.get("who"),
        server=given.get("server"),
        tool=given.get("tool"),
        outcome=_outcome(given.get("outcome")),
        before=_number(given, "before"),
        after=_number(given, "after"),
        limit=min(_number(given, "limit") or limit, MAX_SHOWN),
    )


def _outcome(text: str | None) -> Outcome | None:
    try:
        return None if text is None else Outcome(text)
    except ValueError:
        raise BadWish(f"The outcome must be one of {OUTCOMES}.") from None


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise BadWish(f"{name!r} must be a whole number.")
    return int(text)


def read_instant(name: str, text: str | None, now_ms: int) -> int | None:
    """Return the instant that `2h`, `3d` or an ISO time means, in milliseconds UTC.

    Raises BadWish.
    """
    if text is None:
        return None
    amount, unit = text[:-1], UNITS.get(text[-1:])
    try:
        if unit is not None and amount.isdecimal():
            return now_ms - int(timedelta(**{unit: int(amount)}).total_seconds() * 1000)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadWish(
            f"{name!r} must be an age such as 30m, 2h or 7d, or an ISO time such as"
            " 2026-05-01T08:00."
        ) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp() * 1000)
