"""A child lives no longer than what started it, and starts confined or not at all."""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandboxes import interpreter, launch
from sandboxes.errors import (
    CommandNotFound,
    InvalidHost,
    LevelUnavailable,
    NetworkUnavailable,
    SandboxError,
)
from sandboxes.policy import Level, Network, NetworkMode
from tests.sandboxes.conftest import GUARD_S, Room, build_room, finish
from tests.waiting import PATIENCE_S

GONE_S = PATIENCE_S
"""The promise is 2 s; this is a guard for a busy machine."""
GATEWAY = """
import json, os, subprocess, sys
from pathlib import Path
from sandboxes import interpreter, launch
from sandboxes.policy import *
order = json.loads(sys.argv[1])
policy = Policy(Level(order["level"]), Path(order["data"]), uid=order["uid"],
                read_only=tuple(map(Path, order["read_only"])),
                read_write=(Path(order["private"]),))
ready = launch.prepare(order["command"], env=order["env"], cwd=Path(order["data"]), policy=policy)
child = subprocess.Popen(ready.argv, env=ready.env, cwd=ready.cwd, start_new_session=True)
os.close(1)
child.wait()
"""
DAEMON = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, b"grandchild\\n")
        signal.pause()
    os._exit(0)
os.wait()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"child\\n")
signal.pause()
"""


def start_gateway(room: Room, code: str) -> subprocess.Popen[bytes]:
    """Start a process that starts the child, whose output is this process's."""
    order = {
        "level": room.level.value,
        "data": str(room.data),
        "private": str(room.private),
        "uid": room.uid,
        "read_only": [str(path) for path in room.policy().read_only],
        "command": room.command(code),
        "env": dict(room.prepare(("/bin/true",)).env),
    }
    return subprocess.Popen(
        [sys.executable, "-c", GATEWAY, json.dumps(order)],
        stdout=subprocess.PIPE,
        cwd=Path(launch.__file__).parents[1],
    )


def read_lines(process: subprocess.Popen[bytes], count: int) -> set[bytes]:
    """Read so many lines under the guard."""
    assert process.stdout
    return {process.stdout.readline() for _ in range(count)}


def assert_all_gone(process: subprocess.Popen[bytes]) -> None:
    """The output ends only when every process that inherited it is gone."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], GONE_S)
    assert ready, f"something still holds the output after {GONE_S} s"
    assert process.stdout.read() == b""


def test_killed_gateway_takes_the_whole_tree_with_it(confined: Room) -> None:
    """Ours: a daemonised grandchild dies too."""
    with start_gateway(confined, DAEMON) as gateway:
        assert read_lines(gateway, 2) == {b"child\n", b"grandchild\n"}
        gateway.kill()
        assert_all_gone(gateway)


def test_killed_gateway_takes_its_child_with_it(room: Room) -> None:
    """Ours: at every level, also after the change of user."""
    code = "import os, signal; os.write(1, b'child\\n'); signal.pause()"
    with start_gateway(room, code) as gateway:
        assert read_lines(gateway, 1) == {b"child\n"}
        gateway.kill()
        assert_all_gone(gateway)


def spawn(ready: launch.Launch) -> subprocess.Popen[bytes]:
    """Start a child as the supervisor does."""
    return subprocess.Popen(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_term_to_the_group_lets_a_server_end_in_its_own_way(room: Room) -> None:
    """Ours: the wrapper of level strong outlives the signal and reports the server's end."""
    code = (
        "import os, signal\n"
        "def bye(number, frame):\n"
        "    os.write(1, b'bye\\n'); os._exit(7)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "os.write(1, b'ready\\n')\n"
        "while True: signal.pause()"
    )
    with spawn(room.prepare(room.command(code))) as child:
        assert read_lines(child, 1) == {b"ready\n"}
        os.killpg(child.pid, signal.SIGTERM)
        assert read_lines(child, 1) == {b"bye\n"}
        assert child.wait(GUARD_S) == 7


def test_kill_to_the_group_ends_the_whole_tree(confined: Room) -> None:
    """Ours: the last step of the stop ladder leaves nothing."""
    with spawn(confined.prepare(confined.command(DAEMON))) as child:
        assert read_lines(child, 2) == {b"child\n", b"grandchild\n"}
        os.killpg(child.pid, signal.SIGKILL)
        assert_all_gone(child)


def test_daemon_does_not_outlive_its_server(confined: Room) -> None:
    """Ours: when the server ends, its namespace ends, or its keeper ends all that is left."""
    code = DAEMON.replace('os.write(1, b"child\\n")\nsignal.pause()', "os.read(0, 1)")
    with spawn(confined.prepare(confined.command(code))) as child:
        assert read_lines(child, 1) == {b"grandchild\n"}
        assert child.stdin
        child.stdin.close()
        assert_all_gone(child)


def run_launcher(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start the launcher by hand."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(launch.LAUNCHER), *arguments],
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--parent", "1"),
        ("--parent", str(os.getpid()), "--confine", "--landlock", "99"),
        ("--parent", str(os.getpid()), "--rlimit", "NOFILE=many"),
        ("--parent", str(os.getpid()), "--unheard-of", "x"),
        ("--parent", str(os.getpid()), "--directory", "/nowhere"),
    ],
    ids=["orphan", "no landlock", "bad limit", "unknown option", "no folder"],
)
def test_launcher_fails_closed(options: tuple[str, ...]) -> None:
    """Ours: what was asked for and cannot be done ends the start with code 97 and a sentence."""
    done = run_launcher(*options, "--", "/bin/echo", "started")
    assert (done.returncode, done.stdout) == (97, "")
    assert done.stderr.startswith("The sandbox refuses to start /bin/echo: ")
    assert done.stderr.count("\n") == 1


def test_missing_program_is_named(room: Room) -> None:
    """Ours: one sentence instead of a stack trace from inside."""
    with pytest.raises(CommandNotFound) as by_name:
        room.prepare(("no-such-program",))
    assert by_name.value.program == "no-such-program"
    with pytest.raises(CommandNotFound):
        room.prepare(("/no/such/program",))


def test_program_outside_of_what_may_be_read_is_refused(confined: Room) -> None:
    """Ours: told before the start what to grant."""
    program = confined.secret.parent / "tool"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(SandboxError, match="read_only"):
        confined.prepare((str(program),))


def test_program_behind_a_link_starts_and_grants_no_more(strong: Room) -> None:
    """Ours: a link is repeated inside; the folder that it lies in stays unseen."""
    link = strong.secret.parent / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(strong.python)
    code = "import os; print(sorted(os.listdir(os.path.dirname(os.path.dirname(DATA_DIR)))))"
    script = strong.write(code.replace("DATA_DIR", f"{str(strong.data / 'x')!r}"))
    ready = strong.prepare((str(link), "-I", str(script)))
    assert finish(ready).stdout == "['bin', 'code', 'data', 'private']\n"


def test_link_in_a_home_folder_is_no_installation(tmp_path: Path) -> None:
    """Ours: `~/bin/python` must not grant the home."""
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    assert tmp_path not in interpreter.folders(link)
    assert Path(sys.prefix) in interpreter.folders(link)


def test_network_to_single_hosts_needs_a_network_of_its_own(confined: Room) -> None:
    """Ours: under `reduced` a child could go past the proxy, so it does not start."""
    wanted = confined.policy(network=Network(NetworkMode.HOSTS, ("example.org",)))
    if confined.level is Level.STRONG:
        assert confined.prepare(("/bin/true",), policy=wanted).egress is not None
        return
    with pytest.raises(NetworkUnavailable):
        confined.prepare(("/bin/true",), policy=wanted)


def test_no_child_starts_with_a_wrong_host(strong: Room) -> None:
    """Ours: a grant that cannot be read is no grant."""
    for hosts in ((), ("*.com",), ("127.0.0.1",)):
        wanted = strong.policy(network=Network(NetworkMode.HOSTS, hosts))
        with pytest.raises(InvalidHost):
            strong.prepare(("/bin/true",), policy=wanted)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to change to")
def test_root_without_a_user_for_the_server_starts_nothing(confined: Room) -> None:
    """Ours: a confined child is never root."""
    with pytest.raises(LevelUnavailable) as refused:
        confined.prepare(("/bin/true",), policy=replace(confined.policy(), uid=None))
    assert refused.value.level is confined.level


def test_level_off_changes_no_user(tmp_path: Path) -> None:
    """Ours: off means a session and an environment of its own, nothing more."""
    room = build_room(Level.OFF, tmp_path)
    assert room.output("import os; print(os.getuid(), os.getsid(0) == os.getpid())") == (
        f"{os.getuid()} True\n"
    )
