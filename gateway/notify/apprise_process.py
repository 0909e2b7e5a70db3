"""Sends through Apprise, in a process that is ended when it takes too long.

Apprise waits in threads, and only for each piece of an answer; a process can be ended, and what it
logs and loads stays in it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import msgspec

from gateway.notify.errors import AddressRefused, NotSent
from gateway.secret import Secret
from gateway.settings import Settings

PROGRAM = Path(__file__).resolve().with_name("apprise_program.py")
TIMEOUT_S = 25.0
"""A start on a busy machine takes some seconds, a mail server's greeting some more."""
AT_ONCE = 2
"""Processes."""
LOOPBACK = "localhost,127.0.0.1,::1"


class _Answer(msgspec.Struct):
    service: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Apprise:
    """Starts the processes."""

    variables: Mapping[str, str]
    turns: anyio.CapacityLimiter

    async def check(self, address: Secret) -> str:
        """Return the name of the service that an address is of. Raises AddressRefused, NotSent."""
        answer = await self._ask(address, None, "")
        if answer.service is None:
            raise AddressRefused(
                "Apprise knows no service of this address; docs/notifications.md has examples."
            )
        return answer.service

    async def send(self, address: Secret, title: str, text: str) -> None:
        """Send one notice. Raises NotSent."""
        answer = await self._ask(address, title, text)
        if answer.problem is not None:
            raise NotSent(answer.problem)

    async def _ask(self, address: Secret, title: str | None, text: str) -> _Answer:
        order = {"address": address.reveal(), "title": title, "text": text}
        try:
            async with self.turns:
                with anyio.fail_after(TIMEOUT_S):
                    done = await anyio.run_process(
                        [sys.executable, "-I", str(PROGRAM)],
                        input=json.dumps(order).encode(),
                        stderr=subprocess.DEVNULL,
                        env=self.variables,
                        cwd="/",
                        check=False,
                        start_new_session=True,
                    )
        except TimeoutError:
            raise NotSent(f"it took longer than {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise NotSent(f"no process can be started: {error}") from error
        try:
            return msgspec.json.decode(done.stdout, type=_Answer)
        except msgspec.MsgspecError:
            raise NotSent(f"Apprise ended with exit code {done.returncode}") from None


def open_apprise(settings: Settings) -> Apprise:
    """Return it with this machine's proxies and certificates."""
    passed = settings.index.variables
    proxies = {name: value for name, value in passed.items() if name.upper().endswith("_PROXY")}
    variables = {**proxies, "NO_PROXY": ",".join(filter(None, (proxies.get("NO_PROXY"), LOOPBACK)))}
    if certificates := settings.certificates.get("SSL_CERT_FILE"):
        variables |= {
            "SSL_CERT_FILE": str(certificates),
            "REQUESTS_CA_BUNDLE": str(certificates),
        }
    return Apprise(variables, anyio.CapacityLimiter(AT_ONCE))
