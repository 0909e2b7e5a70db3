"""What a terminal shows of long work, and that nothing else is shown it."""

import os
from argparse import Namespace
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from gateway.cli.progress import CLEAR, waiting
from tests import warm_commands
from tests.cli.gateways import Place

END_S = 60.0


@contextmanager
def terminal() -> Generator[tuple[int, int]]:
    """Give both ends of a terminal: its keyboard and screen, and what programs have of it."""
    screen, line = os.openpty()
    try:
        yield screen, line
    finally:
        os.close(screen)


def typed(place: Place, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command whose standard error alone is a terminal; return its status and the screen."""
    with terminal() as (screen, line), Path(os.devnull).open("r+b") as null:
        command = warm_commands.start(
            arguments,
            env={**place.env(), **(env or {})},
            cwd=place.folder,
            streams=[null.fileno(), null.fileno(), line],
        )
        os.close(line)
        status = command.wait(END_S)
        os.set_blocking(screen, False)
        return status, read_all(screen)


def read_all(screen: int) -> str:
    """Return what stands on a screen that nobody writes to any more."""
    seen = b""
    while True:
        try:
            part = os.read(screen, 65536)
        except OSError:
            # EIO: the other end is closed (pty(7)).
            return seen.decode()
        if not part:
            return seen.decode()
        seen += part


def test_a_terminal_is_shown_how_far_a_back_up_is(place: Place) -> None:
    """Issue 8, What 2: one line that goes in the end; never with --json."""
    place.run("token", "create", "--name", "any", "--scope", "read")
    status, screen = typed(place, "backup", "one.tar.gz")
    assert status == 0, screen
    assert screen.startswith(f"{CLEAR}Backed up 1 file")
    assert screen.endswith(CLEAR)
    status, screen = typed(place, "restore", "one.tar.gz", "--replace")
    assert status == 0, screen
    assert screen.startswith(f"{CLEAR}Done with 1 file")
    assert screen.endswith(CLEAR)
    assert typed(place, "backup", "two.tar.gz", "--json") == (0, "")


def test_a_command_that_waits_says_for_how_long() -> None:
    """Issue 8, What 2: such as while packages are installed; a fast one says nothing."""
    with (
        terminal() as (screen, line),
        os.fdopen(line, "w", encoding="utf-8") as stderr,
        redirect_stderr(stderr),
    ):
        with waiting(Namespace(json=False), "Waiting for create_mcp_server"):
            said = os.read(screen, 1000).decode()
        assert said.startswith(f"{CLEAR}Waiting for create_mcp_server: ")
        assert os.read(screen, 1000).decode().endswith(CLEAR)
        with waiting(Namespace(json=True), "Nothing"):
            pass
        with waiting(Namespace(json=False), "Nothing"):
            pass
        assert os.read(screen, 1000).decode() == CLEAR
