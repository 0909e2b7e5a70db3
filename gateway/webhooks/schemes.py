"""Whether a delivery comes from who holds the secret. Pure, over bytes: nothing here can raise.

Sources: standardwebhooks.com (specification 1.0), GitHub "Validating webhook deliveries", Stripe
"Verify webhook signatures manually", Slack "Verifying requests from Slack".
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from gateway.domain.webhook import Scheme
from gateway.relay.http import Headers

STANDARD_PREFIX = "whsec_"
SECRET_BYTES = 32
MIN_SECRET_CHARS = 16
MAX_SECRET_CHARS = 512
MIN_STANDARD_BYTES, MAX_STANDARD_BYTES = 24, 64
MAX_SIGNATURES = 16
"""A header may list several, for senders that change their secret; more are not looked at."""
MAX_ID_CHARS = 256
_SECONDS = re.compile(rb"[0-9]{1,12}")
_PLAIN = re.compile(r"[!-~]+")


class Proof(Enum):
    """What a check found."""

    GOOD = auto()
    BAD = auto()
    STALE = auto()
    """Well signed, too long ago or too far ahead."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a sender claims: the message under the signature, the signatures, the time."""

    message: bytes
    signatures: tuple[bytes, ...]
    timestamp: int | None = None
    """Seconds since the epoch; None in a scheme without a time."""


class UnusableSecret(ValueError):
    """A secret that the scheme cannot use; the message says what it needs."""


def prove(
    scheme: Scheme,
    headers: Headers,
    body: bytes,
    *,
    secrets: Iterable[str],
    now_s: float,
    tolerance_s: float,
) -> Proof:
    """Return whether the delivery was signed with one of `secrets`, and at a time near `now_s`."""
    if scheme is Scheme.NONE:
        return Proof.GOOD
    signed = _READERS[scheme](headers, body)
    if signed is None:
        return Proof.BAD
    good = False
    for secret in secrets:
        expected = _expected(scheme, secret, signed.message)
        for signature in signed.signatures:
            good |= hmac.compare_digest(expected, signature)
    if not good:
        return Proof.BAD
    if signed.timestamp is not None and abs(now_s - signed.timestamp) > tolerance_s:
        return Proof.STALE
    return Proof.GOOD


def signing_headers(
    scheme: Scheme, secret: str, body: bytes, *, delivery_id: str, now_s: int
) -> dict[str, str]:
    """Return the headers that a sender of this scheme would send with `body`."""

    def sign(message: str) -> str:
        return _expected(scheme, secret, message.encode("ascii") + body).decode("ascii")

    match scheme:
        case Scheme.NONE:
            return {"idempotency-key": delivery_id}
        case Scheme.BEARER:
            return {"authorization": f"Bearer {secret}", "idempotency-key": delivery_id}
        case Scheme.STANDARD:
            return {
                "webhook-id": delivery_id,
                "webhook-timestamp": str(now_s),
                "webhook-signature": sign(f"{delivery_id}.{now_s}."),
            }
        case Scheme.GITHUB:
            return {"x-github-delivery": delivery_id, "x-hub-signature-256": sign("")}
        case Scheme.STRIPE:
            return {"stripe-signature": f"t={now_s},v1={sign(f'{now_s}.')}"}
        case Scheme.SLACK:
            return {
                "x-slack-request-timestamp": str(now_s),
                "x-slack-signature": sign(f"v0:{now_s}:"),
            }


def new_secret(scheme: Scheme) -> str:
    """Return a fresh secret in the form that senders of this scheme take."""
    if scheme is Scheme.STANDARD:
        key = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
        return f"{STANDARD_PREFIX}{key}"
    return secrets.token_urlsafe(SECRET_BYTES)


def check_secret(scheme: Scheme, secret: str) -> None:
    """Accept a secret that somebody brought. Raises UnusableSecret."""
    if scheme is Scheme.STANDARD:
        key = _standard_key(secret)
        if key is None or not MIN_STANDARD_BYTES <= len(key) <= MAX_STANDARD_BYTES:
            raise UnusableSecret(
                f"{STANDARD_PREFIX} and the base64 text of {MIN_STANDARD_BYTES} to "
                f"{MAX_STANDARD_BYTES} bytes"
            )
    elif not (MIN_SECRET_CHARS <= len(secret) <= MAX_SECRET_CHARS and _PLAIN.fullmatch(secret)):
        raise UnusableSecret(
            f"{MIN_SECRET_CHARS} to {MAX_SECRET_CHARS} ASCII characters without spaces"
        )


def _expected(scheme: Scheme, secret: str, message: bytes) -> bytes:
    """Return the signature of `message` as it stands in the header."""
    if scheme is Scheme.BEARER:
        return secret.encode("ascii")
    if scheme is Scheme.STANDARD:
        digest = hmac.digest(_standard_key(secret) or b"", message, hashlib.sha256)
        return b"v1," + base64.b64encode(digest)
    prefix = {Scheme.GITHUB: b"sha256=", Scheme.SLACK: b"v0="}.get(scheme, b"")
    return prefix + hmac.digest(secret.encode("ascii"), message, hashlib.sha256).hex().encode()


def _standard_key(secret: str) -> bytes | None:
    if not secret.startswith(STANDARD_PREFIX):
        return None
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None


def _bearer(headers: Headers, body: bytes) -> Signed | None:
    kind, _, token = _bytes(headers, b"authorization").partition(b" ")
    return Signed(b"", (token.strip(),)) if kind.lower() == b"bearer" else None


def _standard(headers: Headers, body: bytes) -> Signed | None:
    delivery, at = _bytes(headers, b"webhook-id"), _bytes(headers, b"webhook-timestamp")
    signatures = _bytes(headers, b"webhook-signature").split(b" ")[:MAX_SIGNATURES]
    # With a full stop in the id the same signed bytes could be read as another id and time.
    if not 0 < len(delivery) <= MAX_ID_CHARS or b"." in delivery or not _SECONDS.fullmatch(at):
        return None
    return Signed(b"%b.%b.%b" % (delivery, at, body), tuple(signatures), int(at))


def _github(headers: Headers, body: bytes) -> Signed | None:
    return Signed(body, (_bytes(headers, b"x-hub-signature-256"),))


def _stripe(headers: Headers, body: bytes) -> Signed | None:
    parts = [
        part.strip().partition(b"=") for part in _bytes(headers, b"stripe-signature").split(b",")
    ]
    times = [value for name, _, value in parts if name == b"t"]
    signatures = [value for name, _, value in parts if name == b"v1"][:MAX_SIGNATURES]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
        return None
    return Signed(b"%b.%b" % (times[0], body), tuple(signatures), int(times[0]))


def _slack(headers: Headers, body: bytes) -> Signed | None:
    at = _bytes(headers, b"x-slack-request-timestamp")
    if not _SECONDS.fullmatch(at):
        return None
    return Signed(b"v0:%b:%b" % (at, body), (_bytes(headers, b"x-slack-signature"),), int(at))


def _bytes(headers: Headers, name: bytes) -> bytes:
    """Return the bytes of a header's only line; none of one that is absent or repeated."""
    return (headers.get(name) or "").encode("latin-1")


_READERS: Mapping[Scheme, Callable[[Headers, bytes], Signed | None]] = MappingProxyType(
    {
        Scheme.BEARER: _bearer,
        Scheme.STANDARD: _standard,
        Scheme.GITHUB: _github,
        Scheme.STRIPE: _stripe,
        Scheme.SLACK: _slack,
    }
)
