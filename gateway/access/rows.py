"""What the page's tables say, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.dashboard import Sessions
from gateway.domain.dashboard_session import DashboardSession
from gateway.domain.oauth import ClientSource
from gateway.domain.token import Scope, Token
from gateway.oauth.access import ClientAccess

CAME = {
    ClientSource.PREREGISTERED: "made by this gateway or its settings",
    ClientSource.REGISTERED: "registered itself",
    ClientSource.DOCUMENT: "described by a document of its own",
}
SHOWN_TOOLS = 5
NEVER = "never"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser in which the owner is logged in."""

    id: str
    browser: str
    address: str
    way: str
    since: str
    used: str
    until: str
    own: bool
    """It is the one that shows the page."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    """What a client was granted once."""

    id: str
    resource: str
    scopes: str
    since: str
    used: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client and its grants."""

    id: str
    name: str
    came: str
    since: str
    grants: tuple[GrantRow, ...]
    can_be_removed: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A machine token that is valid."""

    id: str
    name: str
    scopes: str
    shows: str
    since: str
    used: str
    until: str


def session_rows(sessions: Sessions, own: DashboardSession | None) -> tuple[SessionRow, ...]:
    """Return the open sessions, newest first."""
    return tuple(
        SessionRow(
            id=each.id,
            browser=each.agent or "says nothing",
            address=each.address,
            way=each.way.value,
            since=instant(each.created_at),
            used=instant(sessions.last_used_at(each)),
            until=instant(each.expires_at),
            own=own is not None and each.id == own.id,
        )
        for each in reversed(sessions.all())
    )


def client_rows(found: Iterable[ClientAccess]) -> tuple[ClientRow, ...]:
    """Return clients in their order."""
    return tuple(
        ClientRow(
            id=each.client.id,
            name=each.client.name,
            came=CAME[each.client.source],
            since=instant(each.client.created_at),
            grants=tuple(
                GrantRow(
                    id=grant.id,
                    resource=grant.resource,
                    scopes=_words(grant.scopes),
                    since=instant(grant.created_at),
                    used=instant(grant.last_used_at),
                )
                for grant in each.grants
            ),
            can_be_removed=each.can_be_removed,
        )
        for each in found
    )


def token_rows(tokens: Iterable[Token], now: int) -> tuple[TokenRow, ...]:
    """Return the tokens that are valid at `now`."""
    return tuple(
        TokenRow(
            id=each.id,
            name=each.name,
            scopes=_words(each.scopes),
            shows=_shows(each),
            since=instant(each.created_at),
            used=instant(each.last_used_at),
            until=instant(each.expires_at),
        )
        for each in tokens
        if each.revoked_at is None and (each.expires_at is None or each.expires_at > now)
    )


def instant(ms: int | None) -> str:
    """Return milliseconds UTC as a date and time of day."""
    if ms is None:
        return NEVER
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _words(scopes: Iterable[Scope]) -> str:
    return " ".join(sorted(scopes))


def _shows(token: Token) -> str:
    if token.view is None:
        return "everything"
    tools = sorted(token.view.tools)
    more = f" and {len(tools) - SHOWN_TOOLS} more" if len(tools) > SHOWN_TOOLS else ""
    return " ".join(tools[:SHOWN_TOOLS]) + more
