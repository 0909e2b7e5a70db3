"""What a server asks its caller in the middle of a call, in the words of either era.

Handshake: a request of its own. Modern: a result of the call that holds such requests, answered by
the same call once more. Pure; the relay carries it out.
Source: MCP 2025-11-25, client/{elicitation,sampling,roots}; MCP 2026-07-28, input required.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from supervisor.children.asking import CAPABILITIES, ELICITATION, SAMPLING
from supervisor.children.wire import decode, encode, parse_object, with_member

_INPUT_REQUIRED = b'"input_required"'
_URL = b'"url"'
_URLS_REQUIRED = b"-32042"
_REMOVED = ("elicitationId", "task")
"""Members that 2025-11-25 has in these requests, and the next revision has not."""


@dataclass(frozen=True, slots=True)
class InputRequest:
    """One thing that a server wants to know."""

    method: str
    params: msgspec.Raw | bytes | None


@dataclass(frozen=True, slots=True)
class InputRequired:
    """A modern child's result that is none yet: what it wants to know, and what it wants back."""

    requests: Mapping[str, InputRequest]
    state: msgspec.Raw | None


def required_capabilities(request: InputRequest) -> dict[str, Any]:
    """Return what a caller must have declared to be asked this, as capabilities of a client."""
    name = CAPABILITIES.get(request.method)
    if name is None:
        return {}
    members = parse_object(request.params)
    if request.method == ELICITATION:
        return {name: {"url" if bytes(members.get("mode", b"")) == _URL else "form": {}}}
    return {name: {"tools": {}} if request.method == SAMPLING and "tools" in members else {}}


def input_required_result(requests: Mapping[str, InputRequest], state: str | None = None) -> bytes:
    """Return the result by which a modern caller is asked; it hands `state` back."""
    asked = {key: _modern(request) for key, request in requests.items()}
    result: dict[str, object] = {"resultType": "input_required", "inputRequests": asked}
    return encode(result if state is None else {**result, "requestState": state})


def read_required_urls(error: msgspec.Raw) -> dict[str, InputRequest]:
    """Return what an error of a handshake child wants its user to open first; empty for others.

    Source: MCP 2025-11-25, client/elicitation, URL elicitation required.
    """
    members = parse_object(error)
    if bytes(members.get("code", b"")) != _URLS_REQUIRED:
        return {}
    found: object = decode(parse_object(members.get("data")).get("elicitations", b"[]"))
    wanted = cast(list[object], found) if isinstance(found, list) else []
    return {
        str(number): InputRequest(ELICITATION, encode({"mode": "url", **cast(Any, one)}))
        for number, one in enumerate(wanted, 1)
        if isinstance(one, dict)
    }


def read_input_required(result: msgspec.Raw | bytes) -> InputRequired | None:
    """Return what a modern child wants to know; None for any other result."""
    if _INPUT_REQUIRED not in bytes(result):
        return None
    members = parse_object(result)
    if bytes(members.get("resultType", b"")) != _INPUT_REQUIRED:
        return None
    requests: dict[str, InputRequest] = {}
    for key, raw in parse_object(members.get("inputRequests")).items():
        request = parse_object(raw)
        method = decode(request["method"]) if "method" in request else ""
        requests[key] = InputRequest(str(method), request.get("params"))
    return InputRequired(requests, members.get("requestState"))


def handshake_params(request: InputRequest) -> bytes | msgspec.Raw | None:
    """Return the params by which a handshake caller is asked the same."""
    if request.method == ELICITATION:
        mode = parse_object(request.params).get("mode", b"")
        if bytes(mode) == _URL:
            return with_member(request.params, "elicitationId", secrets.token_urlsafe(16))
    return request.params


def with_responses(
    params: bytes | msgspec.Raw | None,
    responses: Mapping[str, bytes | msgspec.Raw],
    state: msgspec.Raw | None,
) -> bytes:
    """Return a call's params with the answers to what the child asked."""
    members = cast(dict[str, object], parse_object(params))
    members.pop("requestState", None)
    members.pop("inputResponses", None)
    if responses:
        members["inputResponses"] = {key: msgspec.Raw(bytes(r)) for key, r in responses.items()}
    if state is not None:
        members["requestState"] = state
    return encode(members)


def _modern(request: InputRequest) -> dict[str, object]:
    message: dict[str, object] = {"method": request.method}
    if request.params is not None:
        members = parse_object(request.params)
        message["params"] = {k: v for k, v in members.items() if k not in _REMOVED}
    return message
