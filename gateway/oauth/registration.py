"""Clients that register themselves (RFC 7591): what they may say, how many there may be."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from gateway.auth.run_tokens import token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.ids import new_id
from gateway.domain.oauth import Client, ClientSource
from gateway.oauth.client_metadata import invalid, read_grant_types, read_name, read_redirects
from gateway.oauth.clients import new_secret
from gateway.oauth.errors import OAuthError
from gateway.oauth.metadata import AUTH_METHODS, SCOPES
from gateway.oauth.newcomers import Newcomers, Rate
from gateway.reach.buckets import Buckets

RATE = 60
"""Registrations in RATE_S, from everywhere."""
RATE_S = 60.0
ADDRESS_BURST = 10
"""Registrations from one address at once; claude.ai needs two for a connection."""
ADDRESS_EVERY_S = 10.0
_GRANTS = ("authorization_code", "refresh_token")


class Registrations:
    """Registers clients, not too many at a time and not too many in all."""

    def __init__(
        self, newcomers: Newcomers, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._newcomers = newcomers
        self._rate = Rate(RATE, RATE_S, monotonic)
        self._addresses = Buckets(burst=ADDRESS_BURST, every_s=ADDRESS_EVERY_S, monotonic=monotonic)

    async def register(self, asked: object, block: str | None) -> dict[str, Any]:
        """Store a client and return what it is told. Raises OAuthError and StoreError.

        `block`: what its address is counted under; None: it is not.
        """
        if not isinstance(asked, dict):
            raise invalid("The body must be a JSON object.")
        metadata = cast("dict[str, Any]", asked)
        redirects, method = read_redirects(metadata), _method(metadata)
        name = read_name(metadata.get("client_name")) or "A client without a name"
        self._count(block)
        secret = None if method == "none" else new_secret()
        client = Client(
            new_id("client"),
            name,
            ClientSource.REGISTERED,
            redirects,
            created_at=utc_ms(),
            secret_hash=None if secret is None else token_hash(secret),
        )
        await self._newcomers.admit(client)
        return _answer(client, method, secret)

    def _count(self, block: str | None) -> None:
        """Count a registration; one that its address may not make leaves the others theirs."""
        if block is not None and (wait_s := self._addresses.take(block)):
            raise _too_many("from your address", math.ceil(wait_s))
        if not self._rate.take():
            raise _too_many("at the moment", int(RATE_S))


def _too_many(where: str, wait_s: int) -> OAuthError:
    return OAuthError(
        "temporarily_unavailable",
        f"Too many clients register {where}; try again in {wait_s} s.",
        429,
        retry_after_s=wait_s,
    )


def _method(metadata: Mapping[str, Any]) -> str:
    method = metadata.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in AUTH_METHODS:
        raise invalid(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}.")
    read_grant_types(metadata)
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
