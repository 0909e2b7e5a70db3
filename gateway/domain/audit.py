"""Audit entries: who did what, when, and how it went; never a value."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Actor(StrEnum):
    """What kind of caller somebody is; where it comes from a bearer token, as `CallerKind`."""

    CLI = "cli"
    """The command line of this machine's owner; nobody else's has an id here."""
    TOKEN = "token"  # noqa: S105 - a kind, no password
    CLIENT = "client"
    """An OAuth client; the id is the grant's."""
    RUN = "run"
    OWNER = "owner"
    """A browser that is logged in; the id tells its sessions apart."""
    WEBHOOK = "webhook"
    STRANGER = "stranger"
    """Nobody that is known; the id is an address."""
    GATEWAY = "gateway"
    """The gateway itself."""


class Outcome(StrEnum):
    """How it went."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    """The tool's own answer says that it failed."""
    ERROR = "error"
    """The server answered by an error of the protocol."""
    REFUSED = "refused"
    """We said no: nothing was carried out."""
    ASKED = "asked"
    """Its caller was asked for input first; the call goes on with another request."""
    CANCELLED = "cancelled"
    """It was taken back, or its caller went away."""
    TIMED_OUT = "timed_out"
    DIED = "died"
    """The server ended meanwhile; it may or may not have taken effect."""
    FAILED = "failed"
    """We could not do it; the log says why."""
    LOST = "lost"
    """Stands for entries that could not be kept; how many is in its arguments."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One deed. Empty text where there is nothing to say.

    Every call makes one: a dataclass takes several times as long to make.
    """

    at: int
    """When it ended, in milliseconds UTC."""
    actor: Actor
    actor_id: str = ""
    action: str
    """A method of MCP, the name of a management tool, or what was done elsewhere."""
    server: str = ""
    tool: str = ""
    target: str = ""
    """The name or id of what it was about, where that is no server or tool."""
    arguments: str = ""
    """Their names and kinds, such as `{to: string of 8}`."""
    asked_bytes: int = 0
    answered_bytes: int = 0
    outcome: Outcome
    took_us: int = 0
    correlation: str = ""
    """What other records have too: a trace, a run, a call's handle, a request."""


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry in its place; later ones have higher numbers."""

    number: int
    entry: AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWish:
    """Which entries somebody wants to see; None: whatever it is."""

    since: int | None = None
    """Milliseconds UTC."""
    who: str | None = None
    """A kind of caller, or the id of one."""
    server: str | None = None
    tool: str | None = None
    """The tool of a server, or an action."""
    outcome: Outcome | None = None
    before: int | None = None
    """Only entries with lower numbers, the newest of them."""
    after: int | None = None
    """Only entries with higher numbers, the oldest of them."""
    limit: int = 100
