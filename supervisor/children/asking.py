"""What a child asks of its callers while it works: a sample, input, roots.

`link` reads a request, finds whose it is and hands it to its owner, who answers once. Above: the
relay, which passes requests on. Below: `wire`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from supervisor.children.wire import (
    error_message,
    notification_line,
    parse_object,
    raw_error_message,
    result_message,
)

ASK_TIMEOUT_S = 600.0
"""A person has to read, think and type; a child that would wait longer gets an error."""
MAX_REQUESTS = 64
"""Of one child, without an answer yet; more are refused."""
METHOD_NOT_FOUND = -32601
NOT_PASSED_ON = -32000

NOTIFY = "claude-runner/notify"
"""A message to the owner; ours, beside MCP's own requests, and for us, not for a client."""
SAMPLING, ELICITATION, ROOTS = "sampling/createMessage", "elicitation/create", "roots/list"
CAPABILITIES: Mapping[str, str] = {
    SAMPLING: "sampling",
    ELICITATION: "elicitation",
    ROOTS: "roots",
}
"""What a client has declared that can be asked for these."""
SHARED_CAPABILITIES: Mapping[str, object] = {
    "sampling": {"tools": {}},
    "elicitation": {"form": {}, "url": {}},
}
"""What a child is told that serves many callers.

No roots: servers ask for them when no call is in flight, and keep those of one for everybody.
"""


class ChildRequest:
    """A request of a child. Its id is the child's own and means nothing among ours."""

    def __init__(
        self,
        request_id: msgspec.Raw,
        method: str,
        params: msgspec.Raw | None,
        reply: Callable[["ChildRequest", bytes], None],
        tell: Callable[["ChildRequest", bytes], None],
    ) -> None:
        """`reply` sends the response of an open request and closes it; `tell` leaves it open."""
        self.id = request_id
        self.method = method
        self.params = params
        self.on_withdrawn: Callable[[str], None] | None = None
        """Told why when no answer is wanted any more; never after an answer."""
        self._reply = reply
        self._tell = tell

    def tell_progress(self, params: bytes) -> None:
        """Tell the child how far its request is."""
        self._tell(self, notification_line("notifications/progress", params).rstrip(b"\n"))

    def answer(self, result: bytes | msgspec.Raw) -> None:
        """Give the child a result; nothing happens when the request is not open any more."""
        self._reply(self, result_message(self.id, result))

    def answer_error(self, error: bytes | msgspec.Raw) -> None:
        """Give the child an error object as it is, like `answer`."""
        self._reply(self, raw_error_message(self.id, error))

    def refuse(self, why: str, code: int = NOT_PASSED_ON) -> None:
        """Give the child an error of ours, like `answer`."""
        self._reply(self, error_message(self.id, code, why))


class Requests:
    """The requests of one child that have no answer yet."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """`write` sends one line to the child; a child that does not read does without."""
        self._write = write
        self._open: dict[bytes, tuple[ChildRequest, asyncio.TimerHandle]] = {}

    def open(
        self, request_id: msgspec.Raw, method: str, params: msgspec.Raw | None
    ) -> ChildRequest | None:
        """Return a new request; None when it was refused, because there are too many."""
        if bytes(request_id) in self._open or len(self._open) >= MAX_REQUESTS:
            why = f"{len(self._open)} of your requests wait for an answer; this is one too many."
            self._send(error_message(request_id, NOT_PASSED_ON, why))
            return None
        request = ChildRequest(request_id, method, params, self._reply, self._tell)
        timer = asyncio.get_running_loop().call_later(ASK_TIMEOUT_S, self._expire, request)
        self._open[bytes(request_id)] = (request, timer)
        return request

    def withdraw(self, request_id: bytes, why: str) -> None:
        """Tell a request's owner that the child wants no answer any more."""
        request = self._close(request_id)
        if request is not None and request.on_withdrawn is not None:
            request.on_withdrawn(why)

    def withdraw_all(self, why: str) -> None:
        """Tell every owner that the child is gone."""
        for request_id in tuple(self._open):
            self.withdraw(request_id, why)

    def _reply(self, request: ChildRequest, message: bytes) -> None:
        if self._is_open(request):
            self._close(bytes(request.id))
            self._send(message)

    def _tell(self, request: ChildRequest, message: bytes) -> None:
        if self._is_open(request):
            self._send(message)

    def _is_open(self, request: ChildRequest) -> bool:
        # The child may have used the id again since.
        found = self._open.get(bytes(request.id))
        return found is not None and found[0] is request

    def _expire(self, request: ChildRequest) -> None:
        why = f"There was no answer within {ASK_TIMEOUT_S:g} s."
        request.refuse(why)
        if request.on_withdrawn is not None:
            request.on_withdrawn(why)

    def _close(self, request_id: bytes) -> ChildRequest | None:
        request, timer = self._open.pop(request_id, (None, None))
        if timer is not None:
            timer.cancel()
        return request

    def _send(self, message: bytes) -> None:
        try:
            self._write(message + b"\n")
        except (BrokenPipeError, BlockingIOError):
            # It does without its answer; its calls find out.
            return


def is_declared(capabilities: Mapping[str, Any], method: str, params: msgspec.Raw | None) -> bool:
    """Return whether a client with these capabilities may be asked this.

    Methods that MCP does not name are for the client to refuse.
    Source: MCP 2025-11-25, client/sampling, client/elicitation, client/roots: capabilities.
    """
    name = CAPABILITIES.get(method)
    if name is None:
        return True
    declared = capabilities.get(name)
    if not isinstance(declared, dict):
        return False
    modes = cast(dict[str, Any], declared)
    given = parse_object(params)
    if method == SAMPLING:
        return "tools" in modes or not ("tools" in given or "toolChoice" in given)
    if method == ELICITATION:
        asked = "url" if bytes(given.get("mode", b"")) == b'"url"' else "form"
        # Nothing inside means forms, as it did before there were modes.
        return asked in modes or (asked == "form" and not modes)
    return True
