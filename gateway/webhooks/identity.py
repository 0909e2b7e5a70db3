"""By what a delivery is known when it comes again. Pure."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import cast

from gateway.domain.delivery import DeliveryKey, Outcome
from gateway.domain.webhook import DAY_S, Scheme, Webhook
from gateway.relay.http import Headers
from gateway.webhooks.refusal import Refused

KEPT_S = DAY_S
"""How long an id is remembered; senders stop trying sooner."""
MAX_ID_CHARS = 256
_HEADER: Mapping[Scheme, bytes] = MappingProxyType(
    {
        Scheme.NONE: b"idempotency-key",
        Scheme.BEARER: b"idempotency-key",
        Scheme.STANDARD: b"webhook-id",
        Scheme.GITHUB: b"x-github-delivery",
    }
)
_FIELD: Mapping[Scheme, str] = MappingProxyType({Scheme.STRIPE: "id", Scheme.SLACK: "event_id"})


def key_of(
    webhook: Webhook, headers: Headers, body: bytes, payload: object, now: int
) -> DeliveryKey | None:
    """Return the key of a delivery; None when it is never the same as another. Raises Refused.

    Its own id if its scheme has one, else its body. `now` is in integer milliseconds UTC.
    """
    digest = hashlib.sha256(body).hexdigest()
    if (given := _header_id(webhook.scheme, headers)) is not None:
        return _key(webhook, "id", given, digest, now + KEPT_S * 1000)
    if (event := _event_id(webhook.scheme, payload)) is not None:
        # These senders build the body anew for each attempt; the event is what stays the same.
        return _key(webhook, "event", event, event, now + KEPT_S * 1000)
    if webhook.same_body_s == 0 or (webhook.scheme is Scheme.NONE and not body):
        return None
    return _key(webhook, "body", digest, digest, now + webhook.same_body_s * 1000)


def _header_id(scheme: Scheme, headers: Headers) -> str | None:
    name = _HEADER.get(scheme)
    if name is None:
        return None
    given = headers.get(name) or ""
    if headers.repeated(name) or len(given) > MAX_ID_CHARS:
        sentence = f"{name.decode()} is one line of at most {MAX_ID_CHARS} characters."
        raise Refused(Outcome.MALFORMED, HTTPStatus.BAD_REQUEST, sentence)
    return given or None


def _event_id(scheme: Scheme, payload: object) -> str | None:
    name = _FIELD.get(scheme)
    if name is None or not isinstance(payload, dict):
        return None
    found = cast("dict[str, object]", payload).get(name)
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID_CHARS else None


def _key(webhook: Webhook, kind: str, value: str, digest: str, expires_at: int) -> DeliveryKey:
    named = f"{webhook.id} {kind} {value}".encode("utf-8", "surrogatepass")
    return DeliveryKey(hashlib.sha256(named).hexdigest(), digest, expires_at)
