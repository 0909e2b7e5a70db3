"""One HTTP exchange as claude.ai does it: no redirect followed, no proxy of ours, bounded."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx2

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 256 * 1024
DOCTOR = "claude-runner-doctor"
SIGNING_IN = f"python-httpx/0.28.1 {DOCTOR}"
CALLING = f"Claude-User {DOCTOR}"
"""What claude.ai calls itself while it signs in, and then: firewalls treat both differently."""
SHOWN_CHARACTERS = 120


class NoAnswer(Exception):
    """The exchange failed before there was an answer; the message says how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Under names in lower case."""
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of the body; empty when it holds none."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    def said(self) -> str:
        """Return the status and what describes the body, to be shown."""
        kind = self.headers.get("content-type", "no content type")
        where = self.headers.get("location")
        return f"{self.status} ({kind})" + (f" to {shown(where)}" if where else "")


class Web:
    """A client of the gateway at `base`."""

    def __init__(self, base: str, tls: ssl.SSLContext) -> None:
        self.base = base
        self._client = httpx2.AsyncClient(
            verify=tls, trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
        )

    async def __aenter__(self) -> "Web":
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        agent: str = SIGNING_IN,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Answer:
        """Send one request, with `content` as the client library takes it. Raises NoAnswer."""
        given = {"User-Agent": agent, **(headers or {})}
        try:
            async with self._client.stream(
                method, self.base + path, headers=given, **content
            ) as response:
                body = await _read(response)
                named = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, named, body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NoAnswer(_sentence(error)) from error

    async def open(self, path: str) -> "httpx2.Response":
        """Return the beginning of a streamed answer, for the caller to read and close."""
        asked = self._client.build_request("GET", self.base + path)
        try:
            return await self._client.send(asked, stream=True)
        except httpx2.HTTPError as error:
            raise NoAnswer(_sentence(error)) from error


async def _read(response: httpx2.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            break
    return body[:MAX_ANSWER_BYTES]


def shown(text: object) -> str:
    """Return what others wrote as it may be shown."""
    cut = str(text)[:SHOWN_CHARACTERS]
    return cut if cut.isprintable() else ascii(cut)


def _sentence(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {TIMEOUT_S:g} s"
    return shown(str(error) or type(error).__name__)
