"""Clients that register themselves (RFC 7591): what they may say, how many there may be."""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from gateway.auth.run_tokens import token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.oauth import Client, ClientSource
from gateway.oauth.clients import new_secret
from gateway.oauth.errors import OAuthError
from gateway.oauth.metadata import AUTH_METHODS, SCOPES
from gateway.oauth.redirects import is_acceptable
from gateway.store.oauth_clients import OAuthClientTable

MAX_REDIRECTS = 10
MAX_NAME_CHARACTERS = 100
MAX_UNUSED = 300
"""Clients that the owner never approved; at the highest rate one lives ten minutes."""
PRUNE_EVERY = 50
"""Registrations between two looks at how many those are."""
RATE = 30
"""Registrations in RATE_S; claude.ai needs two for a connection."""
RATE_S = 60.0
_GRANTS = ("authorization_code", "refresh_token")


class Registrations:
    """Registers clients, not too many at a time and not too many in all."""

    def __init__(
        self, table: OAuthClientTable, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._table = table
        self._monotonic = monotonic
        self._began = monotonic()
        self._count = 0
        self._since_pruned = PRUNE_EVERY

    async def register(self, asked: object) -> dict[str, Any]:
        """Store a client and return what it is told. Raises OAuthError and StoreError."""
        if not isinstance(asked, dict):
            raise _invalid("The body must be a JSON object.")
        metadata = cast("dict[str, Any]", asked)
        redirects, method = _redirects(metadata), _method(metadata)
        name = read_name(metadata.get("client_name")) or "A client without a name"
        self._take_a_turn()
        secret = None if method == "none" else new_secret()
        client = Client(
            new_id("client"),
            name,
            ClientSource.REGISTERED,
            redirects,
            created_at=utc_ms(),
            secret_hash=None if secret is None else token_hash(secret),
        )
        await self._table.put(client)
        self._since_pruned += 1
        if self._since_pruned >= PRUNE_EVERY:
            self._since_pruned = 0
            await self._table.keep_newest_unused(MAX_UNUSED)
        return _answer(client, method, secret)

    def _take_a_turn(self) -> None:
        now = self._monotonic()
        if now - self._began >= RATE_S:
            self._began, self._count = now, 0
        self._count += 1
        if self._count > RATE:
            raise OAuthError(
                "temporarily_unavailable",
                "Too many clients register at the moment; try again in a minute.",
                429,
                retry_after_s=int(RATE_S),
            )


def read_name(value: object) -> str | None:
    """Return a client's name as it may be shown; None when it has none."""
    if not isinstance(value, str):
        return None
    # Without the characters that turn or hide text.
    name = "".join(letter for letter in value if letter.isprintable()).strip()
    return name[:MAX_NAME_CHARACTERS] or None


def _redirects(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    uris: object = metadata.get("redirect_uris")
    listed = cast("list[object]", uris) if isinstance(uris, list) else []
    if not 0 < len(listed) <= MAX_REDIRECTS:
        raise OAuthError(
            "invalid_redirect_uri", f"redirect_uris must list 1 to {MAX_REDIRECTS} addresses."
        )
    accepted = tuple(uri for uri in listed if isinstance(uri, str) and is_acceptable(uri))
    if len(accepted) != len(listed):
        raise OAuthError(
            "invalid_redirect_uri",
            "A redirect address must be https, or http on loopback, without a fragment.",
        )
    return accepted


def _method(metadata: Mapping[str, Any]) -> str:
    method = metadata.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in AUTH_METHODS:
        raise _invalid(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}.")
    grants: object = metadata.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or "authorization_code" not in cast("list[object]", grants):
        raise _invalid("grant_types must hold authorization_code.")
    return cast("str", method)


def _answer(client: Client, method: str, secret: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": client.created_at // 1000,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": _GRANTS,
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "scope": " ".join(SCOPES),
    }
    if secret is not None:
        answer |= {"client_secret": secret, "client_secret_expires_at": 0}
    return answer


def _invalid(sentence: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", sentence)
