"""The SDK of ngrok (Python package `ngrok`, an extra): one session with one endpoint.

Source: docs of ngrok-python 1.4. It is a Rust library that calls back from threads of its own.
"""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from gateway.reach.tunnel import TunnelRefused
from gateway.secret import Secret
from gateway.version import read_version

OPEN_S = 30.0
"""The SDK itself waits without end for a service that does not answer."""
CLOSE_S = 2.0
INSTALL_COMMAND = "./claude-runner tunnel install"


@asynccontextmanager
async def open_ngrok(token: Secret, domain: str | None, port: int) -> AsyncGenerator["NgrokTunnel"]:
    """Open a tunnel to a port of loopback; it ends with the body. Raises TunnelRefused."""
    sdk = load_sdk()
    changes = _Changes()
    session: Any = None
    try:
        try:
            with anyio.fail_after(OPEN_S):
                session = await _builder(sdk, token, changes).connect()
                endpoint = session.http_endpoint().forwards_to("claude-runner")
                if domain is not None:
                    endpoint = endpoint.domain(domain)
                listener = await endpoint.listen_and_forward(f"http://127.0.0.1:{port}")
        except TimeoutError as error:
            raise TunnelRefused(f"ngrok did not answer within {OPEN_S:g} s.") from error
        # The SDK raises this for everything: no network, a wrong token, a name of somebody else.
        except ValueError as error:
            raise TunnelRefused(_sentence(error, token)) from error
        yield NgrokTunnel(listener.url(), changes)
    finally:
        if session is not None:
            with anyio.move_on_after(CLOSE_S, shield=True):
                await session.close()


def load_sdk() -> Any:
    """Return the SDK's module. Raises TunnelRefused."""
    try:
        return importlib.import_module("ngrok")
    except ImportError as error:
        raise TunnelRefused(
            f"NGROK_AUTHTOKEN is set and ngrok's package is not installed; run {INSTALL_COMMAND}."
        ) from error


class NgrokTunnel:
    """A tunnel that the SDK keeps."""

    def __init__(self, url: str, changes: "_Changes") -> None:
        self.url = url
        self._changes = changes

    async def wait_until_changed(self) -> str | None:
        """Return what broke the connection, None once it works again."""
        return await self._changes.next()


class _Changes:
    """What the SDK's threads tell, brought to our loop; only the newest counts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._problem: str | None = None
        self._told: str | None = None
        self._changed = asyncio.Event()

    def broke(self, _: str, error: str) -> None:
        """Hear of a lost connection, in a thread of the SDK."""
        self._loop.call_soon_threadsafe(self._set, str(error))

    def lives(self, _: int) -> None:
        """Hear of a heartbeat, in a thread of the SDK."""
        self._loop.call_soon_threadsafe(self._set, None)

    async def next(self) -> str | None:
        """Return the state once it is another one than last time."""
        while self._problem == self._told:
            self._changed.clear()
            await self._changed.wait()
        self._told = self._problem
        return self._told

    def _set(self, problem: str | None) -> None:
        self._problem = problem
        self._changed.set()


def _builder(sdk: Any, token: Secret, changes: _Changes) -> Any:
    builder = sdk.SessionBuilder().authtoken(token.reveal())
    builder = builder.client_info("claude-runner", read_version())
    return builder.handle_disconnection(changes.broke).handle_heartbeat(changes.lives)


def _sentence(error: ValueError, token: Secret) -> str:
    parts = [str(part).strip().rstrip(".") for part in error.args if str(part).strip()]
    # Its texts are long, and one of them repeats the token.
    text = ": ".join(parts).replace(token.reveal(), "(token)").replace("\n", " ")[:300]
    return f"ngrok says: {text}."
