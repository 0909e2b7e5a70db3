"""A machine on which `deploy/install.sh` was run, for all tests of a module."""

import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.installed import PYTHON, clone, give_environment
from tests.deploy.machine import Machine, booted, why_not
from tests.notify.receiver import Receiver, receiving
from tests.ports import free_port

INSTALL = "/opt/claude-runner/deploy/install.sh"
STATE = "/var/lib/claude-runner"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed, and what the installer printed."""

    machine: Machine
    checkout: Path
    """Outside; inside it is /opt/claude-runner."""
    port: int
    said: str
    switch: Receiver
    """The dead man's switch."""

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str, fails: int = 0) -> str:
        """Run a command of ours as root types it, which acts as the service."""
        return self.machine.run("claude-runner", *arguments, fails=fails)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installed]:
    """Claude Runner as `install.sh` leaves it, on a machine of its own."""
    if reason := why_not():
        pytest.skip(reason)
    if f"python{sys.version_info[0]}.{sys.version_info[1]}" != PYTHON.resolve().name:
        pytest.skip("the packages of the tests are not for the distribution's Python")
    folder = tmp_path_factory.mktemp("machine")
    checkout, port = clone(folder / "checkout"), free_port()
    give_environment(checkout)
    with receiving() as switch, booted(folder, checkout) as machine:
        secret = machine.path("/etc/credstore/claude-runner.HEALTHCHECK_URL")
        secret.write_text(f"{switch.url}/ping/Qz81LmXw\n", "utf-8")
        said = machine.run(INSTALL, "--port", str(port))
        yield Installed(machine, checkout, port, said, switch)
