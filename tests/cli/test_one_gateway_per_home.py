"""The lock and the file of a home, with real processes."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.local import (
    FILE_NAME,
    LOCK_NAME,
    GatewayLock,
    GatewayStarting,
    HomeTaken,
    LiveGateway,
    find_live,
    publish,
    withdraw,
)
from gateway.variables import CHECKOUT

HOLD = """
import os, sys
from pathlib import Path
from gateway.local import GatewayLock, LiveGateway, publish
home = Path(sys.argv[1])
with GatewayLock(home):
    if sys.argv[2] == "published":
        publish(home, LiveGateway(os.getpid(), "http://127.0.0.1:9", "secret", "0"))
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(home: Path, how: str = "published") -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that holds `home` until the body ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_home_without_a_gateway_has_none(tmp_path: Path) -> None:
    """Ours: also before anything was ever written."""
    assert find_live(tmp_path / "never") is None


def test_second_holder_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    """Ours: one gateway per home."""
    with holder(tmp_path) as first, pytest.raises(HomeTaken) as refused:
        GatewayLock(tmp_path).acquire()
    assert (refused.value.pid, refused.value.home) == (first.pid, tmp_path)
    assert str(refused.value) == (
        f"The home {tmp_path} is in use by process {first.pid}; stop it first, or set "
        "CLAUDE_RUNNER_HOME, and DATABASE_URL if both are to share their data."
    )


def test_live_gateway_is_found_from_another_process(tmp_path: Path) -> None:
    """Ours: the command line learns address and token."""
    with holder(tmp_path) as process:
        found = find_live(tmp_path)
    assert found == LiveGateway(process.pid, "http://127.0.0.1:9", "secret", "0")


def test_looking_never_takes_the_lock(tmp_path: Path) -> None:
    """Ours: a command that looks cannot make a gateway fail to start."""
    find_live(tmp_path)
    with GatewayLock(tmp_path):
        pass
    find_live(tmp_path)
    with GatewayLock(tmp_path):
        pass


def test_file_of_a_killed_gateway_means_nothing(tmp_path: Path) -> None:
    """Ours: the lock dies with its process, the file may stay."""
    with holder(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
    assert (tmp_path / FILE_NAME).exists()
    assert find_live(tmp_path) is None
    with GatewayLock(tmp_path):
        pass


def test_gateway_that_has_not_published_is_starting(tmp_path: Path) -> None:
    """Ours: an older gateway's file is not taken for the new one's."""
    publish(tmp_path, LiveGateway(1, "http://127.0.0.1:1", "old", "0"))
    with holder(tmp_path, "silent") as process, pytest.raises(GatewayStarting) as starting:
        find_live(tmp_path)
    assert starting.value.pid == process.pid


def test_who_has_just_taken_a_home_is_not_taken_for_a_killed_one(tmp_path: Path) -> None:
    """Ours: between the lock and its pid, both files still speak of the gateway that is gone."""
    killed = LiveGateway(1, "http://127.0.0.1:1", "old", "0")
    publish(tmp_path, killed)
    (tmp_path / LOCK_NAME).write_text(f"{killed.pid}\n", "ascii")
    with (tmp_path / LOCK_NAME).open("r+b") as file:
        first_byte = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, first_byte)
        with pytest.raises(GatewayStarting) as starting:
            find_live(tmp_path)
    assert starting.value.pid is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"token": "x", "odd": 1}'])
def test_broken_file_is_a_gateway_that_is_starting(tmp_path: Path, text: str) -> None:
    """Ours: never a traceback."""
    with GatewayLock(tmp_path):
        (tmp_path / FILE_NAME).write_text(text, "utf-8")
        with pytest.raises(GatewayStarting):
            find_live(tmp_path)


def test_file_is_private_and_whole_and_removed(tmp_path: Path) -> None:
    """Ours: the token in it is worth the machine."""
    live = LiveGateway(1, "http://127.0.0.1:1", "secret", "0")
    publish(tmp_path, live)
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_bytes())["token"] == "secret"
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]
    withdraw(tmp_path)
    assert list(tmp_path.iterdir()) == []
    withdraw(tmp_path)


def test_token_is_not_in_the_repr() -> None:
    """Ours: it must not reach a log."""
    assert "secret" not in repr(LiveGateway(1, "http://127.0.0.1:1", "secret", "0"))


def test_lock_does_not_pass_to_a_child(tmp_path: Path) -> None:
    """Ours: a child that outlives the gateway must not keep the home."""
    pipe = subprocess.PIPE
    with GatewayLock(tmp_path):
        child = subprocess.Popen(["/bin/cat"], stdin=pipe, stdout=pipe, close_fds=False)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        # Only after its exec is done has the child closed what it inherited.
        child.stdin.write(b"there\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"there\n"
        assert find_live(tmp_path) is None
