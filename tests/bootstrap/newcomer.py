"""A newcomer: types the README's commands in their order into a shell, and nothing else."""

import re
import signal
import subprocess
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVE, TEST = "./claude-runner serve", "./claude-runner test"
PORT = "127.0.0.1:8080"
"""What the README says, and serve takes without a setting."""
READY = "Dashboard (this link works once"
STEP_S = 240
END_S = 60
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CLAUDE = ".venv/lib/python3.*/site-packages/claude_agent_sdk/_bundled"
"""Where the newcomer's `claude` is, once the first start has made it."""


def blocks(readme: Path) -> list[str]:
    """Return the shell blocks above the table of commands, without the test of the whole."""
    text = readme.read_text("utf-8").partition("\n## Commands\n")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [without_test(block) for block in found]


def without_test(block: str) -> str:
    """Return a block without the test of the whole, which a newcomer may leave out."""
    return re.sub(rf"^{re.escape(TEST)}.*\n", "", block, flags=re.MULTILINE)


class Newcomer:
    """Sits before a checkout as some user, with an environment and a free port of his own."""

    def __init__(
        self, checkout: Path, user: Sequence[str], env: Mapping[str, str], port: int
    ) -> None:
        self._checkout = checkout
        self._user = user
        self._env = {
            **env,
            "HOME": str(checkout.parent),
            "PATH": SYSTEM_PATH,
            "PORT": str(port),
        }
        self._address = f"127.0.0.1:{port}"

    def follow(self, readme: Path) -> list[str]:
        """Type every block and return what each printed; `serve` stands in a terminal beside.

        The settings come before the start, which spares a second one.
        """
        start, settings, *rest = blocks(readme)
        assert start.startswith(SERVE)
        printed = [self._type(settings)]
        with self._served():
            return printed + [self._type(block) for block in rest]

    def _type(self, block: str) -> str:
        path = [*map(str, self._checkout.glob(CLAUDE)), SYSTEM_PATH]
        done = subprocess.run(
            [*self._user, "sh", "-eu"],
            cwd=self._checkout,
            env={**self._env, "PATH": ":".join(path)},
            input=block.replace(PORT, self._address),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def _served(self) -> Generator[None]:
        """Keep `serve` running, from the line that says where the dashboard is."""
        with subprocess.Popen(
            [*self._user, *SERVE.split()],
            cwd=self._checkout,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as serve:
            said: list[str] = []
            ready = threading.Event()
            reader = threading.Thread(target=_read, args=(serve.stderr, said, ready))
            reader.start()
            try:
                assert ready.wait(STEP_S) and serve.poll() is None, "".join(said)
                yield
            finally:
                serve.send_signal(signal.SIGTERM)
                assert serve.wait(END_S) == 0, "".join(said)
                reader.join()


def _read(lines: Iterable[str], said: list[str], ready: threading.Event) -> None:
    for line in lines:
        said.append(line)
        if READY in line:
            ready.set()
    ready.set()
