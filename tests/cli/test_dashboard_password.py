"""``dashboard password``: a hash for `.env`, and the password itself nowhere."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from gateway.dashboard.password import OwnersPassword
from gateway.settings import load
from tests.cli.gateways import CALL_S, COMMAND, Place, make_place

PASSWORD = "pässwörd 漢字"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home that nobody holds."""
    return make_place(tmp_path)


def typed(place: Place, *lines: str) -> tuple[str, str, int]:
    """Answer each question on a terminal; return what it shows, standard output, the status."""
    ours, theirs = pty.openpty()
    # The new session has no terminal of its own, so that the questions come to this one.
    with subprocess.Popen(
        [*COMMAND, "dashboard", "password"],
        env=place.env(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        for line in lines:
            question = len(shown)
            while b": " not in shown[question:]:
                shown += os.read(ours, 4096)
            os.write(ours, f"{line}\n".encode())
        assert process.stdout is not None
        out = process.stdout.read().decode()
        status = process.wait(CALL_S)
    os.set_blocking(ours, False)
    try:
        shown += os.read(ours, 4096)
    except OSError:
        shown += b""  # nothing was left
    os.close(ours)
    return shown.decode(), out, status


async def test_the_line_goes_into_the_settings_and_lets_the_owner_in(
    place: Place, tmp_path: Path
) -> None:
    """Issue 6, What 6: typed twice, neither shown nor stored."""
    shown, line, status = typed(place, PASSWORD, PASSWORD)
    assert status == 0, shown
    assert PASSWORD not in shown + line
    assert re.fullmatch(r"DASHBOARD_PASSWORD='\$argon2id\$\S+'\n", line)
    env_file = tmp_path / ".env"
    env_file.write_text(f"DASHBOARD_USERNAME=ann\n{line}", "utf-8")
    settings = load({}, env_file)
    assert settings.dashboard_password is not None
    owner = OwnersPassword("ann", settings.dashboard_password)
    assert await owner.matches("ann", PASSWORD)


def test_two_that_differ_make_nothing(place: Place) -> None:
    """Ours."""
    shown, line, status = typed(place, PASSWORD, PASSWORD + "x")
    assert (line, status) == ("", 1)
    assert "The two are not the same; nothing was made." in shown


def test_a_pipe_gives_one_line(place: Place) -> None:
    """Ours: for scripts; what is too short is refused without repeating it."""
    assert place.run("dashboard", "password", given=f"{PASSWORD}\n").stdout.count("$argon2id$") == 1
    done = place.run("dashboard", "password", given="short\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "claude-runner: A password has 8 characters or more.\n"
