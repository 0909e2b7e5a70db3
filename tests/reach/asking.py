"""Requests to an ASGI application, with headers that no HTTP client would send."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from gateway.reach.proxies import Asgi
from gateway.relay.http import Message, Scope


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    app: Asgi,
    path: str,
    *headers: tuple[str, str],
    method: str = "GET",
    body: bytes = b"",
    client: str = "203.0.113.7",
) -> Answered:
    """Send one request and return its whole answer."""
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(path, headers, method, client), receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    return Answered(
        start["status"],
        {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body"),
    )


def _scope(path: str, headers: Sequence[tuple[str, str]], method: str, client: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": (client, 50000),
        "server": ("127.0.0.1", 8080),
    }
