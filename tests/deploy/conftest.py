"""A machine on which somebody followed the guide for a server, for all tests of a module."""

import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.connector.proxy import make_certificate
from tests.deploy.guide import follow
from tests.deploy.installed import PYTHON, clone, give_environment
from tests.deploy.machine import CHECKOUT, Machine, booted, why_not
from tests.notify.receiver import Receiver, receiving
from tests.ports import free_port

GUIDE = CHECKOUT / "deploy" / "README-HETZNER.md"
INSTALL = "/opt/claude-runner/deploy/install.sh"
STATE = "/var/lib/claude-runner"
CERTIFICATE = "/etc/caddy/tls.pem"
"""In the place of one that everybody trusts: for localhost, and an authority to this machine."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed, and what the commands of the guide printed."""

    machine: Machine
    checkout: Path
    """Outside; inside it is /opt/claude-runner."""
    port: int
    public: str
    said: list[str]
    switch: Receiver
    """The dead man's switch."""

    @property
    def url(self) -> str:
        """Where it is reached without the proxy."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str, fails: int = 0) -> str:
        """Run a command of ours as root types it, which acts as the service."""
        return self.machine.run("claude-runner", *arguments, fails=fails)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installed]:
    """Claude Runner as the guide leaves it, with packages that are there already."""
    if reason := why_not():
        pytest.skip(reason)
    if f"python{sys.version_info[0]}.{sys.version_info[1]}" != PYTHON.resolve().name:
        pytest.skip("the packages of the tests are not for the distribution's Python")
    folder = tmp_path_factory.mktemp("machine")
    checkout, port, public = clone(folder / "checkout"), free_port(), free_port()
    give_environment(checkout)
    with receiving() as switch, booted(folder, checkout) as machine:
        certificate = make_certificate(machine.path(CERTIFICATE))
        certificate.chmod(0o644)
        with machine.path("/etc/ssl/certs/ca-certificates.crt").open("ab") as trusted:
            trusted.write(certificate.read_bytes())
        secret = machine.path("/etc/credstore/claude-runner.HEALTHCHECK_URL")
        secret.write_text(f"{switch.url}/ping/Qz81LmXw\n", "utf-8")
        present = {
            "apt-get update\n": "",
            "apt-get install -y git caddy\n": "",
            "git clone URL /opt/claude-runner\n": "",
        }
        said = follow(machine, GUIDE, present | of_this_machine(port, public))
        yield Installed(machine, checkout, port, f"https://localhost:{public}", said, switch)


def of_this_machine(port: int, public: int) -> dict[str, str]:
    """Return what stands for DNS, certificate and key, with ports that nobody else has."""
    options = f"{{\\n\\tadmin off\\n\\thttp_port {free_port()}\\n}}"
    site = f"bind 127.0.0.1\\n\\ttls {CERTIFICATE} {CERTIFICATE}"
    return {
        "systemctl enable caddy\n": f"sed -i -e '1i {options}' -e 's|^localhost.*|&\\n\\t{site}|'"
        f" -e s/127.0.0.1:8080/127.0.0.1:{port}/ /etc/caddy/Caddyfile\nsystemctl enable caddy\n",
        "install.sh --public-url https://runner.example.org": f"install.sh --port {port} "
        f"--public-url https://localhost:{public}",
        "runner.example.org": f"localhost:{public}",
        "&& cat >": "&& echo sk-ant-key >",
    }
