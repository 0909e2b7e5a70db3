"""The documents by which clients find their way, and the challenge that points to them.

Source: RFC 8414, RFC 9728, RFC 6750 section 3, MCP basic/authorization.
"""

from collections.abc import Iterable
from typing import Any

from gateway.domain.token import Scope
from gateway.oauth.resources import DEFAULT_RESOURCE, resource_path

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
AUTHORIZATION_SERVER = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
)
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
SCOPES = tuple(scope.value for scope in Scope)


def find_document(path: str, base: str, *, describes_itself: bool) -> dict[str, Any] | None:
    """Return the document at `path` of the gateway at `base`; None when there is none.

    `describes_itself`: a client may be known by the address of a document of its own.
    """
    if (suffix := _suffix(path, PROTECTED_RESOURCE)) is not None:
        resource = resource_path(suffix) if suffix else DEFAULT_RESOURCE
        return None if resource is None else _protected_resource(base, resource)
    for root in AUTHORIZATION_SERVER:
        suffix = _suffix(path, root)
        # Clients that append the endpoint's path all mean the one server at the origin.
        if suffix == "" or (suffix and resource_path(suffix)):
            return {
                **_authorization_server(base),
                "client_id_metadata_document_supported": describes_itself,
            }
    return None


def challenge(
    base: str,
    resource: str | None,
    *,
    scopes: Iterable[Scope] = Scope,
    error: str | None = None,
) -> bytes:
    """Return the WWW-Authenticate header of a request that may not pass.

    `resource` is the path of its endpoint; None where OAuth's tokens are of no use.
    """
    fields = ['Bearer realm="claude-runner"']
    if error:
        fields.append(f'error="{error}"')
    if resource is not None:
        wanted = frozenset(scopes)
        fields.append(f'resource_metadata="{base}{PROTECTED_RESOURCE}{resource}"')
        fields.append(f'scope="{" ".join(scope for scope in Scope if scope in wanted)}"')
    return ", ".join(fields).encode("ascii")


def _suffix(path: str, root: str) -> str | None:
    if path.rstrip("/") == root:
        return ""
    return path.removeprefix(root) if path.startswith(f"{root}/") else None


def _protected_resource(base: str, resource: str) -> dict[str, Any]:
    return {
        "resource": base + resource,
        "authorization_servers": [base],
        "scopes_supported": SCOPES,
        "bearer_methods_supported": ["header"],
        "resource_name": "Claude Runner",
    }


def _authorization_server(base: str) -> dict[str, Any]:
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "registration_endpoint": f"{base}/register",
        "revocation_endpoint": f"{base}/revoke",
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
