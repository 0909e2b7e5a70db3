"""Who has an instance of a `per_session` server to itself: a session, a token, or a run."""

from dataclasses import dataclass

from supervisor.children.call import Owner

CALLER_IDLE_S = 1800.0
"""A caller without a session says no farewell."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The one whom an instance serves."""

    key: str
    """Tells it from all others; an instance ends when its key is ended."""
    shown: str
    """In words, for those who find the server full; no secret."""
    introduction: bytes | None = None
    """The params of `initialize` for its child; None: the gateway's own."""
    owner: Owner | None = None
    """Whom its child may ask at any time; None: only who made the call in flight."""
    idle_stop_s: float | None = None
    """Its instance is stopped after this long without a call, also where the server says never."""


def caller_tenant(kind: str, caller_id: str) -> Tenant:
    """Return the tenant that a caller without a session is."""
    return Tenant(f"{kind}:{caller_id}", f"{kind} {caller_id}", idle_stop_s=CALLER_IDLE_S)
