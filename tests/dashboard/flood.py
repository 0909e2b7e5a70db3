"""Wrong logins in quantity, each over a connection of its own, from addresses of loopback."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import anyio

PER_S = 100
ANSWER_S = 30.0


@dataclass
class Visitor:
    """The cookie and the token of one loaded login page, which anybody can have."""

    url: str
    cookie: str
    token: str

    def request(self, username: str, password: str) -> bytes:
        """Return a login as bytes."""
        form = {"form_token": self.token, "username": username, "password": password}
        body = urlencode(form).encode()
        head = (
            f"POST /login HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\n"
            f"Cookie: claude-runner-visitor={self.cookie}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def post(url: str, address: str, request: bytes) -> int:
    """Send a request from `address` and return the status of its answer."""
    parts = urlsplit(url)
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port, local_addr=(address, 0)
        )
        try:
            writer.write(request)
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


@dataclass
class Flood:
    """PER_S wrong logins a second."""

    visitor: Visitor
    address: Callable[[int], str]
    """Where the n-th one comes from."""
    statuses: Counter[int] = field(default_factory=Counter[int])
    sent: int = 0

    async def run(self, seconds: float) -> None:
        """Send and await all answers."""
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            while self.sent < seconds * PER_S:
                group.start_soon(self._one, self.sent)
                self.sent += 1
                # The pace is what the test is about; nothing is awaited by it.
                await anyio.sleep_until(began + self.sent / PER_S)

    async def _one(self, number: int) -> None:
        request = self.visitor.request("ann", f"guess {number}")
        self.statuses[await post(self.visitor.url, self.address(number), request)] += 1
