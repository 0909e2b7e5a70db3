"""What may be the id of such a client, and what its document must say. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from gateway.oauth.client_metadata import read_grant_types, read_name, read_redirects
from gateway.oauth.errors import OAuthError

MAX_ID_CHARACTERS = 500
HTTPS_PORT = 443
_ID = re.compile(r"https://[a-z0-9.-]+(:443)?(/[A-Za-z0-9._~!$&'()*+,=:@%-]+)+/?")
_SECRETS = ("client_secret", "client_secret_expires_at")


class Unreadable(Exception):
    """A document cannot be had or says what it may not; the message is one sentence."""

    def __init__(self, sentence: str, *, withdrawn: bool = False) -> None:
        """`withdrawn`: its host says that there is no such document."""
        super().__init__(sentence)
        self.withdrawn = withdrawn


@dataclass(frozen=True, slots=True)
class Described:
    """A client as its document has it."""

    name: str
    redirect_uris: tuple[str, ...]


def is_document_id(client_id: str) -> bool:
    """True for an address that a document may be fetched from: https, its port, a plain path.

    Without user, query, fragment and dot segments, so that one client has one id.
    """
    if len(client_id) > MAX_ID_CHARACTERS or not _ID.fullmatch(client_id):
        return False
    return not {".", ".."} & set(client_id.split("/"))


def host_of(client_id: str) -> str:
    """Return the host that vouches for a client."""
    return urlsplit(client_id).hostname or ""


def read_document(client_id: str, body: bytes) -> Described:
    """Return what a document says of its client. Raises Unreadable."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("what is there is not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("what is there is no JSON object")
    document = cast("dict[str, Any]", found)
    if document.get("client_id") != client_id:
        raise Unreadable("its client_id is another one than its address")
    if any(name in document for name in _SECRETS):
        raise Unreadable("it holds a secret, which is none in public")
    if document.get("token_endpoint_auth_method", "none") != "none":
        raise Unreadable("its token_endpoint_auth_method is not none")
    try:
        read_grant_types(document)
        redirects = read_redirects(document)
    except OAuthError as error:
        raise Unreadable(f"it is refused: {error}") from error
    return Described(read_name(document.get("client_name")) or host_of(client_id), redirects)
