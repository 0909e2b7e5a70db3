"""What a client says of itself, in a registration or a document (RFC 7591 section 2). Pure."""

from collections.abc import Mapping
from typing import Any, cast

from gateway.oauth.errors import OAuthError
from gateway.oauth.redirects import is_acceptable

MAX_REDIRECTS = 10
MAX_NAME_CHARACTERS = 100


def read_name(value: object) -> str | None:
    """Return a client's name as it may be shown; None when it has none."""
    if not isinstance(value, str):
        return None
    # Without the characters that turn or hide text.
    name = "".join(letter for letter in value if letter.isprintable()).strip()
    return name[:MAX_NAME_CHARACTERS] or None


def read_redirects(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses for answers. Raises OAuthError."""
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


def read_grant_types(metadata: Mapping[str, Any]) -> None:
    """Raise OAuthError for a client that will never come with a code."""
    grants: object = metadata.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or "authorization_code" not in cast("list[object]", grants):
        raise invalid("grant_types must hold authorization_code.")


def invalid(sentence: str) -> OAuthError:
    """Return the refusal of a client that says what it may not."""
    return OAuthError("invalid_client_metadata", sentence)
