"""Object storage as S3 speaks it, by moto's server in an environment of its own."""

import os
import ssl
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from deploy import bootstrap
from tests.toolchain import LOCKS, SERVERS
from tests.waiting import wait_until

START_S = 60.0
END_S = 20.0


class Storage:
    """What its owner sees of it, beside whoever is given a key."""

    def __init__(self, host: str, port: int, certificate: Path) -> None:
        self._host = host
        self._http = httpx2.Client(
            base_url=f"https://127.0.0.1:{port}",
            headers={"Host": host},
            verify=ssl.create_default_context(cafile=certificate),
            trust_env=False,
        )

    def ask(self, method: str, path: str) -> httpx2.Response:
        """Send a request of a storage that asks nobody for a key."""
        return self._http.request(method, path, extensions={"sni_hostname": self._host})

    def is_there(self) -> bool:
        """Tell whether it answers."""
        with suppress(httpx2.TransportError):
            return self.ask("GET", "/moto-api/").status_code == 200
        return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@contextmanager
def storage(host: str, port: int, certificate: tuple[Path, Path]) -> Generator[Storage]:
    """Run it as `host` on a loopback port until the body ends; installed at the first time."""
    bootstrap.ensure(SERVERS / "moto", LOCKS / "moto.txt")
    public, private = map(str, certificate)
    command = [str(SERVERS / "moto" / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    env = {"PATH": os.defpath, "MOTO_S3_CUSTOM_ENDPOINTS": f"https://{host}"}
    log = certificate[0].with_name("storage.log")
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [*command, "-c", public, "-k", private], env=env, stdout=said, stderr=said
        ) as process,
    ):
        served = Storage(host, port, certificate[0])
        try:
            wait_until(served.is_there, START_S)
            yield served
        finally:
            served.close()
            process.terminate()
            process.wait(END_S)
