"""The two eras of MCP: what differs on the wire, and the translation between them.

Handshake: revisions up to 2025-11-25. Modern: 2026-07-28, where each request carries what the
handshake used to settle. Results and params stay bytes; only `_meta` and the members that one
era requires and the other does not know are touched.
Source: MCP changelog 2026-07-28 and its basic/lifecycle pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from supervisor.children.asking import SHARED_CAPABILITIES
from supervisor.children.wire import decode, encode, parse_object
from supervisor.errors import NotMcp
from supervisor.spec import Era

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
VERSION_KEY = PREFIX + "protocolVersion"
CAPABILITIES_KEY = PREFIX + "clientCapabilities"
LOG_LEVEL_KEY = PREFIX + "logLevel"
CLIENT_INFO = {"name": "claude-runner", "version": "1"}

NOBODYS_ENVELOPE: Mapping[str, object] = {
    VERSION_KEY: MODERN_VERSION,
    CAPABILITIES_KEY: {},
    PREFIX + "clientInfo": CLIENT_INFO,
}
"""What a request to a modern child says of its caller when nothing is known of one."""

LISTS = ("tools", "prompts", "resources")
_CACHEABLE = frozenset(
    {
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "server/discover",
    }
)
_ONLY_HANDSHAKE = frozenset(
    {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
)
_ONLY_MODERN = frozenset({"server/discover", "subscriptions/listen"})
_CONTINUING = ("inputResponses", "requestState")
"""Of a call that its caller makes once more; a handshake child is just called once more."""
_CALLERS_OWN = frozenset({"protocolVersion", "clientCapabilities", "clientInfo", "logLevel"})


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a child said of itself when it was initialised."""

    era: Era
    version: str
    capabilities: Mapping[str, Any]
    server_info: Mapping[str, Any]
    instructions: str | None = None

    @property
    def tells_of_resources(self) -> bool:
        """True when it says that it tells when a single resource was updated."""
        return _member(self.capabilities, "resources").get("subscribe") is True

    def tells_of_list(self, name: str) -> bool:
        """True when it says that it tells when this list has changed."""
        return _member(self.capabilities, name).get("listChanged") is True

    def initialize_result(self, asked: str | None) -> bytes:
        """Return the answer to a caller's `initialize`.

        The version is the caller's when we know it, else the newest of this era.
        """
        own = self.version if self.era is Era.HANDSHAKE else HANDSHAKE_VERSIONS[-1]
        version = asked if asked in HANDSHAKE_VERSIONS and asked <= own else own
        result: dict[str, Any] = {
            "protocolVersion": version,
            "capabilities": _telling(self.capabilities),
            "serverInfo": self.server_info,
        }
        if self.instructions is not None:
            result["instructions"] = self.instructions
        return encode(result)

    def discover_result(self) -> bytes:
        """Return the answer to a caller's `server/discover`."""
        result: dict[str, Any] = {
            "resultType": "complete",
            "supportedVersions": [MODERN_VERSION],
            "capabilities": _telling(self.capabilities),
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {PREFIX + "serverInfo": self.server_info},
        }
        if self.instructions is not None:
            result["instructions"] = self.instructions
        return encode(result)


def _telling(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Return a child's capabilities with what the gateway adds: it tells of changed lists."""
    told = {name: {**_member(capabilities, name), "listChanged": True} for name in LISTS}
    return {**capabilities, **{name: told[name] for name in LISTS if name in capabilities}}


def is_of_other_era(era: Era, method: str) -> bool:
    """True for a method that MCP defines, but not in this era; extensions are of any."""
    return method in (_ONLY_HANDSHAKE if era is Era.MODERN else _ONLY_MODERN)


def initialize_params() -> bytes:
    """Return the params of our own `initialize`: the newest revision, what callers may have."""
    return encode(
        {
            "protocolVersion": HANDSHAKE_VERSIONS[-1],
            "capabilities": SHARED_CAPABILITIES,
            "clientInfo": CLIENT_INFO,
        }
    )


def read_capabilities(params: msgspec.Raw | None) -> dict[str, Any]:
    """Return what a caller's `initialize` declares; nothing when it is unreadable."""
    raw = parse_object(params).get("capabilities")
    value: object = None if raw is None else decode(raw)
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def introduction(params: msgspec.Raw | None) -> bytes:
    """Return the params by which a child is initialised as the caller of `initialize` wants it."""
    given = parse_object(params)
    version: object = decode(given.get("protocolVersion", b"null"))
    return encode(
        {
            "protocolVersion": version if version in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1],
            "capabilities": read_capabilities(params),
            "clientInfo": given.get("clientInfo", CLIENT_INFO),
        }
    )


def read_initialize(result: msgspec.Raw) -> Handshake:
    """Return what `initialize` answered.

    Raises:
        NotMcp: the result has another shape.
    """
    body = _mapping(result)
    version = body.get("protocolVersion")
    if not isinstance(version, str):
        raise NotMcp("the answer to initialize names no protocolVersion")
    return Handshake(
        Era.HANDSHAKE,
        version,
        _member(body, "capabilities"),
        _member(body, "serverInfo"),
        _text(body, "instructions"),
    )


def read_discover(result: msgspec.Raw) -> Handshake:
    """Return what `server/discover` answered.

    Raises:
        NotMcp: the result has another shape or the child does not speak our revision.
    """
    body = _mapping(result)
    versions = body.get("supportedVersions")
    if not isinstance(versions, list) or MODERN_VERSION not in versions:
        raise NotMcp(f"the child supports {versions!r}, not {MODERN_VERSION}")
    info = _member(_member(body, "_meta"), PREFIX + "serverInfo")
    return Handshake(
        Era.MODERN,
        MODERN_VERSION,
        _member(body, "capabilities"),
        info or {"name": "unnamed", "version": "0"},
        _text(body, "instructions"),
    )


def to_modern_params(
    params: bytes | msgspec.Raw | None, envelope: Mapping[str, object] = NOBODYS_ENVELOPE
) -> bytes:
    """Return a handshake caller's params with the envelope that a modern child requires."""
    members = cast(dict[str, object], parse_object(params))
    meta = cast(dict[str, object], parse_object(cast(msgspec.Raw | None, members.get("_meta"))))
    members["_meta"] = {**NOBODYS_ENVELOPE, **envelope, **meta}
    return encode(members)


def to_handshake_params(params: bytes | msgspec.Raw | None) -> bytes | msgspec.Raw | None:
    """Return a modern caller's params without the envelope that a handshake child refuses."""
    if params is None or PREFIX.encode() not in bytes(params):
        return params
    members = cast(dict[str, object], parse_object(params))
    for name in _CONTINUING:
        members.pop(name, None)
    meta = parse_object(cast(msgspec.Raw | None, members.get("_meta")))
    kept = {k: v for k, v in meta.items() if k.removeprefix(PREFIX) not in _CALLERS_OWN}
    if kept:
        members["_meta"] = kept
    else:
        members.pop("_meta", None)
    return encode(members)


def to_modern_result(method: str, result: msgspec.Raw) -> bytes:
    """Return a handshake child's result with the members that the modern era requires."""
    body = bytes(result).lstrip()
    if not body.startswith(b"{") or "resultType" in _names(body):
        return body
    required = b'"resultType":"complete"'
    if method in _CACHEABLE:
        required += b',"ttlMs":0,"cacheScope":"private"'
    rest = body[1:].lstrip()
    return b"{" + required + (b"" if rest.startswith(b"}") else b",") + rest


def _names(body: bytes) -> frozenset[str]:
    return frozenset(parse_object(body)) if b'"resultType"' in body else frozenset()


def _mapping(raw: msgspec.Raw) -> dict[str, Any]:
    body = decode(raw)
    if not isinstance(body, dict):
        raise NotMcp("the answer is not an object")
    return cast(dict[str, Any], body)


def _member(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) else None
