"""What an entry says of each kind of deed: names and kinds, never values. Pure."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, cast

import msgspec

from gateway.auth.caller import Caller, CallerKind
from gateway.domain.audit import Actor, AuditEntry, Outcome
from supervisor.children.crash import MAX_NAME, arguments_shape
from supervisor.children.wire import decode

UNKNOWN_TOOL = "an unknown tool"
"""A name that no list has may be a value in the wrong place."""
NOT_LOOKED_AT = "{...}"
TARGETS = ("job_id", "webhook_id", "run_id", "key", "handle", "version", "tool", "name")
"""Arguments of management tools that name what a call is about."""
_SERVER_ARGUMENTS = ("server", "name")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:/-]{1,80}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_ACTORS = (
    (CallerKind.TOKEN, Actor.TOKEN),
    (CallerKind.CLIENT, Actor.CLIENT),
    (CallerKind.RUN, Actor.RUN),
)
"""By identity: an enumeration's hash is made anew for every look-up."""


def actor_of(caller: Caller | None) -> tuple[Actor, str]:
    """Return who a caller is; None is who started the process and speaks over its pipes."""
    for kind, actor in _ACTORS:
        if caller is not None and caller.kind is kind:
            return actor, caller.id
    return Actor.CLI, ""


def correlation_of(traceparent: str | None, request_id: str | None) -> str:
    """Return the trace of W3C's header, else a request's id, else nothing."""
    if traceparent and (trace := _TRACE.fullmatch(traceparent)):
        return trace[1]
    return request_id if request_id and _REQUEST_ID.fullmatch(request_id) else ""


def shape(params: msgspec.Raw | None, tool: Mapping[str, Any] | None, size: int) -> str:
    """Return names and kinds of the arguments in the params of a call of `tool`.

    Params of `size` bytes that are not there any more were too large to be held on to.
    """
    if params is None and size:
        return NOT_LOOKED_AT
    try:
        body: object = decode(params) if size and params is not None else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOT_LOOKED_AT
    arguments = cast("dict[str, Any]", body).get("arguments") if isinstance(body, dict) else None
    return "{}" if arguments is None else arguments_shape(arguments, argument_names(tool))


def argument_names(tool: Mapping[str, Any] | None) -> Container[str]:
    """Return the names that a tool's schema gives its arguments."""
    schema = None if tool is None else tool.get("inputSchema")
    known = cast("dict[str, Any]", schema).get("properties") if isinstance(schema, dict) else None
    return cast("dict[str, Any]", known) if isinstance(known, dict) else ()


def find_tool(tools: Iterable[Mapping[str, Any]], name: str | None) -> Mapping[str, Any] | None:
    """Return the tool of this name, or None."""
    for tool in tools:
        if tool.get("name") == name:
            return tool
    return None


def managed(
    *,
    at: int,
    caller: Caller | None,
    tool: str,
    names: frozenset[str],
    arguments: Mapping[str, Any],
    asked_bytes: int,
    answered_bytes: int,
    outcome: Outcome,
    took_s: float,
) -> AuditEntry:
    """Return the entry of a call of a management tool, whose arguments have these `names`.

    What it is about is named only if the call worked: then it is a name and no stray value.
    """
    actor, actor_id = actor_of(caller)
    server = target = ""
    if outcome is Outcome.OK:
        named = _named(arguments)
        server = _first(named, _SERVER_ARGUMENTS if "server" in tool else ("server",))
        target = _first({k: v for k, v in named.items() if v != server}, TARGETS)
    return AuditEntry(
        at=at,
        actor=actor,
        actor_id=actor_id,
        action=tool,
        server=server,
        target=target,
        arguments=arguments_shape(dict(arguments), names),
        asked_bytes=asked_bytes,
        answered_bytes=answered_bytes,
        outcome=outcome,
        took_us=round(took_s * 1e6),
    )


def invoked(
    *,
    at: int,
    who: tuple[Actor, str],
    action: str,
    server: str,
    tool: Mapping[str, Any],
    arguments: Mapping[str, Any],
    asked_bytes: int,
    answered_bytes: int,
    outcome: Outcome,
    took_s: float,
) -> AuditEntry:
    """Return the entry of a call of a server's tool by way of the gateway's own surfaces."""
    actor, actor_id = who
    return AuditEntry(
        at=at,
        actor=actor,
        actor_id=actor_id,
        action=action,
        server=server,
        tool=shown_name(tool),
        arguments=arguments_shape(dict(arguments), argument_names(tool)),
        asked_bytes=asked_bytes,
        answered_bytes=answered_bytes,
        outcome=outcome,
        took_us=round(took_s * 1e6),
    )


def _named(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in arguments.items()
        if isinstance(value, str | int) and _IDENTIFIER.fullmatch(str(value))
    }


def _first(named: Mapping[str, str], keys: Iterable[str]) -> str:
    return next((named[key] for key in keys if key in named), "")


def shown_name(tool: Mapping[str, Any] | None) -> str:
    """Return a tool's name as far as it is kept."""
    return UNKNOWN_TOOL if tool is None else str(tool["name"])[:MAX_NAME]
