"""Speaks HTTP to the live gateway: one request per command, standard library only to start fast."""

import http.client
import itertools
import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from gateway.local import LiveGateway
from gateway.mcp_headers import VERSION_KEY, stateless_headers
from gateway.version import read_version

MCP_VERSION = "2026-07-28"
"""The stateless revision: one POST is a whole call."""
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 600.0
BUILD_TIMEOUT_S = 3600.0
"""Where packages are looked up, built and tried, server after server; a gateway that dies closes
the connection at once."""
"""Silence this long means that nobody is there: the gateway pings a slow call every 15 s."""
SILENCE_S = 45.0
"""A stream says every 15 s that it goes on."""
CHUNK = 256 * 1024
META = "io.modelcontextprotocol/"

Json = Mapping[str, Any]

_ids = itertools.count(1)


class GatewayUnreachable(Exception):
    """The gateway did not answer, or not in a way that we understand."""

    def __init__(self, live: LiveGateway, reason: str) -> None:
        super().__init__(
            f"The gateway at {live.url} (process {live.pid}) did not answer: {reason}."
        )


class Refused(Exception):
    """The gateway answered no; the message is its own sentence."""


def request_local(
    live: LiveGateway,
    method: str,
    path: str,
    body: Json | None = None,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> Any:
    """Return what ``/local/<path>`` answers, decoded. Raises Refused and GatewayUnreachable."""
    encoded = None if body is None else json.dumps(body).encode()
    status, payload = _exchange(live, method, f"/local/{path}", encoded, {}, timeout_s)
    answer = _decoded(live, payload)
    if status >= http.client.BAD_REQUEST:
        raise Refused(_sentence(answer))
    return answer


def call_tool(live: LiveGateway, path: str, tool: str, arguments: Json) -> Json:
    """Call a tool at an MCP endpoint such as ``/mcp``; return the result object.

    Raises Refused for an error of the protocol and GatewayUnreachable; an error of the tool is a
    result with `isError`.
    """
    asked = {
        "jsonrpc": "2.0",
        "id": next(_ids),
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": _meta()},
    }
    accepted = {"Accept": "application/json, text/event-stream"}
    headers = {**accepted, **stateless_headers(asked, MCP_VERSION)}
    _, payload = _exchange(live, "POST", path, json.dumps(asked).encode(), headers)
    answer = _decoded(live, payload)
    if "result" not in answer:
        raise Refused(_sentence(answer))
    return cast("Json", answer["result"])


def stream_local(live: LiveGateway, path: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that ``/local/<path>`` tells, one a line, until it ends.

    Raises Refused, and GatewayUnreachable also when it stops in the middle.
    """
    with _opened(live, path) as response:
        for line in response:
            if line.strip():
                yield _decoded(live, line)


def download_local(live: LiveGateway, path: str) -> Iterator[bytes]:
    """Yield the bytes of ``/local/<path>``. Raises Refused and GatewayUnreachable."""
    with _opened(live, path) as response:
        while chunk := response.read(CHUNK):
            yield chunk


@contextmanager
def _opened(live: LiveGateway, path: str) -> Generator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=CONNECT_TIMEOUT_S)
    try:
        connection.connect()
        connection.sock.settimeout(SILENCE_S)
        headers = {"Authorization": f"Bearer {live.token}"}
        connection.request("GET", f"/local/{path}", headers=headers)
        response = connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            raise Refused(_sentence(_decoded(live, response.read())))
        yield response
    except (OSError, http.client.HTTPException) as error:
        raise GatewayUnreachable(live, str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _meta() -> Json:
    return {
        VERSION_KEY: MCP_VERSION,
        f"{META}clientCapabilities": {},
        f"{META}clientInfo": {"name": "claude-runner", "version": read_version()},
    }


def _exchange(
    live: LiveGateway,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> tuple[int, bytes]:
    authority = urlsplit(live.url).netloc
    connection = http.client.HTTPConnection(authority, timeout=CONNECT_TIMEOUT_S)
    try:
        connection.connect()
        connection.sock.settimeout(timeout_s)
        sent = {"Authorization": f"Bearer {live.token}", "Content-Type": "application/json"}
        connection.request(method, path, body, {**sent, **headers})
        response = connection.getresponse()
        if response.headers.get_content_type() == "text/event-stream":
            return response.status, _answer_event(response)
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise GatewayUnreachable(live, str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _answer_event(lines: http.client.HTTPResponse) -> bytes:
    """Return the data of the first event that is an answer; what comes before is progress."""
    for data in _events(iter(lines)):
        if b'"result"' in data or b'"error"' in data:
            return data
    return b""


def _events(lines: Iterator[bytes]) -> Iterator[bytes]:
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.rstrip(b"\r\n").partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif not field and not value and data:
            yield b"\n".join(data)
            data = []


def _decoded(live: LiveGateway, payload: bytes) -> dict[str, Any]:
    try:
        answer: object = json.loads(payload)
    except ValueError as error:
        raise GatewayUnreachable(live, "the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise GatewayUnreachable(live, "the answer is not a JSON object")
    return cast("dict[str, Any]", answer)


def _sentence(answer: Json) -> str:
    error = answer.get("error")
    if isinstance(error, dict):
        return str(cast("Json", error).get("message", error))
    return str(error or answer)
