"""What a client asks at ``/authorize``, read and checked before the owner sees it.

Source: OAuth 2.1 section 4.1, RFC 7636, RFC 8707, RFC 9207.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.oauth import Client, ClientSource
from gateway.domain.token import Scope
from gateway.oauth.clients import Clients
from gateway.oauth.documents.rules import Unreadable
from gateway.oauth.errors import OAuthError, invalid_target
from gateway.oauth.redirects import is_registered, with_answer
from gateway.oauth.resources import DEFAULT_RESOURCE, read_resource

MAX_STATE_CHARACTERS = 2000
PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

Query = Mapping[str, Sequence[str]]


class Untrusted(Exception):
    """A request whose answer must not leave this gateway; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A client that is known, and an address of it that may have an answer."""

    client: Client
    redirect_uri: str
    state: str | None
    issuer: str

    def answer(self, **answer: str) -> str:
        """Return the address that tells the client `answer` (RFC 9207 adds `iss`)."""
        state = {} if self.state is None else {"state": self.state}
        return with_answer(self.redirect_uri, {**answer, **state, "iss": self.issuer})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants of the owner."""

    challenge: str
    resource: str
    scopes: frozenset[Scope]
    """Those that the owner may tick."""
    ticked: frozenset[Scope]
    """Those that are ticked beforehand."""


async def read_asker(query: Query, clients: Clients, issuer: str) -> Asker:
    """Return who asks; a document of the client's is fetched. Raises Untrusted, StoreError."""
    client_id = _only(query, "client_id")
    try:
        client = await clients.look_up(client_id)
    except Unreadable as error:
        raise Untrusted(
            f"The program that sent you here describes itself at {client_id}, which cannot be "
            f"used: {error}."
        ) from error
    if client is None:
        raise Untrusted(
            "The program that sent you here is not known to this gateway (any more); "
            "remove the connector there and add it again."
        )
    uri = _only(query, "redirect_uri")
    if not is_registered(uri, client.redirect_uris):
        raise Untrusted(
            "The program that sent you here names an address for its answer that it did not "
            "register; nothing is sent there."
        )
    states = query.get("state", ())
    state = states[0] if len(states) == 1 and len(states[0]) <= MAX_STATE_CHARACTERS else None
    return Asker(client, uri, state, issuer)


def read_asked(query: Query, asker: Asker) -> Asked:
    """Return what is asked. Raises OAuthError, which `asker` may be told."""
    if any(len(query.get(name, ())) > 1 for name in PARAMETERS if name != "resource"):
        raise _invalid("A parameter came twice.")
    if len(query.get("state", ("",))[0]) > MAX_STATE_CHARACTERS:
        raise _invalid(f"state is longer than {MAX_STATE_CHARACTERS} characters.")
    if _first(query, "response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code.")
    challenge = _first(query, "code_challenge")
    if _first(query, "code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise _invalid("code_challenge with code_challenge_method S256 is needed.")
    scopes = read_scopes(_first(query, "scope")) or frozenset(Scope)
    owners_own = asker.client.source is ClientSource.PREREGISTERED
    return Asked(
        challenge,
        _resource(query.get("resource", ()), asker.issuer),
        scopes,
        # What creates servers and reads everything is ticked by hand for a stranger.
        scopes if owners_own else (scopes - {Scope.ADMIN} or scopes),
    )


def read_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes of ours that a text names; clients ask for others' too."""
    return frozenset(scope for scope in Scope if scope in text.split())


def _resource(named: Sequence[str], base: str) -> str:
    found = {read_resource(each, base) for each in named} or {base + DEFAULT_RESOURCE}
    resource = found.pop()
    if resource is None or found:
        raise invalid_target()
    return resource


def _only(query: Query, name: str) -> str:
    values = query.get(name, ())
    if len(values) != 1:
        raise Untrusted(f"The program that sent you here must name exactly one {name}.")
    return values[0]


def _first(query: Query, name: str) -> str:
    return next(iter(query.get(name, ())), "")


def _invalid(sentence: str) -> OAuthError:
    return OAuthError("invalid_request", sentence)
