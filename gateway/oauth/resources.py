"""The protected resources: which paths are MCP endpoints, and what names them (RFC 8707, 9728)."""

from urllib.parse import urlsplit

from supervisor.folders.catalog import NAME

DEFAULT_RESOURCE = "/mcp"
"""What a client means that names none, or only the gateway."""
MAX_CHARACTERS = 500
_PORTS = {"http": 80, "https": 443}


def resource_path(path: str) -> str | None:
    """Return the path that names the MCP endpoint a request goes to; None when it is none."""
    match [part for part in path.split("/") if part]:
        case ["mcp"]:
            return "/mcp"
        case ["mcp", "all"]:
            return "/mcp/all"
        case ["servers", server, "mcp"] if NAME.fullmatch(server):
            return f"/servers/{server}/mcp"
        case ["sse"] | ["messages", *_]:
            return "/sse"
        case _:
            return None


def read_resource(text: str, base: str) -> str | None:
    """Return the endpoint of the gateway at `base` that `text` names; None when there is none."""
    if len(text) > MAX_CHARACTERS or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        origin = _origin(parts.scheme, parts.hostname, parts.port)
    except ValueError:
        return None
    wanted = urlsplit(base)
    if parts.query or parts.fragment or parts.username or parts.password:
        return None
    if origin != _origin(wanted.scheme, wanted.hostname, wanted.port):
        return None
    path = resource_path(parts.path or "/") if parts.path.strip("/") else DEFAULT_RESOURCE
    return None if path is None else base + path


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int | None]:
    return scheme.lower(), (host or "").lower(), port or _PORTS.get(scheme.lower())
