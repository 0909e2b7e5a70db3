"""One real gateway for all examples: its internet is ours, its machine trusts our certificate."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.variables import CHECKOUT
from sandboxes.policy import Level
from tests.cli.gateways import make_place
from tests.cli.shell import Shell
from tests.e2e.conftest import wait_ready
from tests.examples.internet import Internet, internet
from tests.fixed_servers.conftest import House
from tests.origin import certify
from tests.ports import free_port
from tests.sandboxes.conftest import open_to_all, skip_unless_available

GATEWAY = CHECKOUT / "tests" / "oauth" / "outside_gateway.py"
NAMES = ("catfact.ninja", "api.tomorrow.io")
"""Whom the examples ask."""
ACCOUNT = "5c1a7f"
STORAGE = f"{ACCOUNT}.r2.cloudflarestorage.com"
"""Where an account's objects are, and whom only a full run stands in for."""
OF_REGISTRIES = ("PATH", "HOME", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "UV_DEFAULT_INDEX")
"""What a gateway of the machine's owner has, by which packages are found."""
CERTIFICATES = Path("/etc/ssl/certs")
WITH_CERTIFICATES = f'mount --bind "$0" {CERTIFICATES}; exec "$@"'


@dataclass(frozen=True, slots=True)
class Village:
    """A house, its owner's shell, and the internet around it."""

    house: House
    shell: Shell
    internet: Internet
    certificate: tuple[Path, Path]
    storage_port: int
    """Of loopback, where the name of the storage leads."""


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Generator[Village]:
    """A gateway without servers at level strong, which leads the examples' hosts to us."""
    skip_unless_available(Level.STRONG)
    if os.geteuid() != 0:
        pytest.skip("only root can give a process other certificates")
    folder = tmp_path_factory.mktemp("examples")
    open_to_all(folder)
    certificate, storage_port = certify(folder, *NAMES, STORAGE), free_port()
    place = make_place(folder)
    with internet(certificate) as served:
        order = json.dumps([*((name, served.port) for name in NAMES), (STORAGE, storage_port)])
        trusting = ["unshare", "--mount", "--propagation", "private", "sh", "-euc"]
        trusted = str(_trusted(folder / "trusted", certificate[0]))
        command = [*trusting, WITH_CERTIFICATES, trusted, sys.executable, str(GATEWAY), order]
        env = {key: os.environ[key] for key in OF_REGISTRIES if key in os.environ}
        with place.cold_gateway(command, PYTHONPATH=str(CHECKOUT), **env) as live:
            wait_ready(live)
            yield Village(House(place, live), Shell(place), served, certificate, storage_port)


def _trusted(folder: Path, certificate: Path) -> Path:
    """Return a copy of the machine's certificates with one more, as programs look for it."""
    shutil.copytree(CERTIFICATES, folder, symlinks=True)
    name = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", certificate],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    shutil.copyfile(certificate, folder / f"{name}.0")
    with (folder / "ca-certificates.crt").open("ab") as bundle:
        bundle.write(certificate.read_bytes())
    return folder
