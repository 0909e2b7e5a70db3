"""What clients send to ``/token``, ``/revoke`` and ``/register``: bodies and client credentials."""

import base64
import binascii
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

import anyio

from gateway.oauth.errors import OAuthError, invalid_client
from gateway.relay.http import BodyTooLarge, Headers, Receive, read_body

MAX_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 10.0
"""A client has its few parameters ready; a slower one only holds the connection."""
MAX_FIELDS = 50

Form = Mapping[str, str]


async def read_form(receive: Receive) -> Form:
    """Return the parameters of a body. Raises OAuthError, ClientGone."""
    body = await _read(receive)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise OAuthError("invalid_request", "The body is no form.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A parameter came twice.")
    return form


async def read_json(receive: Receive) -> object:
    """Return the value that a body holds. Raises OAuthError, ClientGone."""
    body = await _read(receive)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise OAuthError("invalid_client_metadata", "The body is not JSON.") from None


def read_credentials(headers: Headers, form: Form) -> tuple[str, str | None]:
    """Return a client's id and secret, from the header or the body. Raises OAuthError."""
    kind, _, encoded = (headers.get(b"authorization") or "").partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret")
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise invalid_client() from None
    # RFC 6749, section 2.3.1: both are form-encoded before they are put together.
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if not colon or form.get("client_id", client_id) != client_id:
        raise invalid_client()
    return client_id, secret


async def _read(receive: Receive) -> bytes:
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            return await read_body(receive, MAX_BODY_BYTES)
    except BodyTooLarge:
        sentence = f"The body is larger than {MAX_BODY_BYTES} bytes."
        raise OAuthError("invalid_request", sentence, 413) from None
    except TimeoutError:
        raise OAuthError("invalid_request", "The body came too slowly.", 408) from None
