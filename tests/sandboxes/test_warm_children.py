"""A fork of the warm process is confined as a program under bubblewrap is, and knows no more."""

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandboxes import interpreter
from sandboxes.confinement import bubblewrap, launcher, mount_tree
from sandboxes.errors import SandboxError
from sandboxes.policy import Level, Network, NetworkMode
from sandboxes.warm import standby, waiting
from sandboxes.warm.parent import ENVIRONMENT
from tests.sandboxes import conftest
from tests.sandboxes.conftest import skip_unless_available
from tests.sandboxes.warm_rooms import (
    WarmRoom,
    build_warm_room,
    fork,
    read_all,
    wait_for,
    warm_config,
    warm_process,
)

REPORT = """
import json, os, resource, signal, socket, sys
lines = [line.rstrip("\\n") for line in open("/proc/self/status") if ":\\t" in line]
status = dict(line.split(":\\t", 1) for line in lines)
wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
          "Seccomp_filters", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Umask", "NSpid",
          "PPid", "Threads")
mounts = {}
for line in open("/proc/self/mountinfo"):
    place, options = line.split()[4:6]
    if not place.startswith(("/proc/", "/dev")):
        mounts[place] = sorted(set(options.split(",")) - {"relatime", "noatime"})
descriptors = {}
for number in os.listdir("/proc/self/fd"):
    if os.path.lexists(f"/proc/self/fd/{number}"):
        descriptors[number] = os.readlink(f"/proc/self/fd/{number}").partition(":")[0]
print(json.dumps({
    "status": {name: status[name] for name in wanted},
    "mounts": mounts,
    "descriptors": descriptors,
    "limits": {name: resource.getrlimit(getattr(resource, name))
               for name in dir(resource) if name.startswith("RLIMIT_")},
    "signals": {int(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "root": sorted(os.listdir("/proc/self/root/etc")),
    "shared memory": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    "temporary": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
    "priority": os.getpriority(os.PRIO_PROCESS, 0),
    "host": socket.gethostname(),
    "users": open("/proc/self/uid_map").read().split(),
    "network": [open(f"/proc/net/{name}").read() for name in ("route", "if_inet6", "fib_trie")]
    + [line.split(":")[0] for line in open("/proc/net/dev")],
    "arguments": sys.argv,
    "path": sys.path,
    "flags": str(sys.flags),
    "names": sorted(globals()),
    "streams": [(s.name, s.encoding, s.errors, s.line_buffering, s.buffer.raw.mode)
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "own modules": sorted(name for name in sys.modules if name.startswith("sandboxes")),
}))
"""
THREADS_OF_LIBC = 0b11 << 31
"""Signals 32 and 33 belong to the C library; a process that had a thread has handlers for them."""


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[WarmRoom]:
    """A room whose children are forks."""
    skip_unless_available(Level.STRONG)
    config = warm_config(tmp_path)
    with warm_process(config) as process:
        yield build_warm_room(process, config)


NETWORKS = [Network(), Network(NetworkMode.HOSTS, ("example.com",)), Network(NetworkMode.FULL)]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.mode)
def test_fork_sees_what_a_program_sees(warm: WarmRoom, network: Network) -> None:
    """Issue: mounts, capabilities, filter, limits, descriptors, signals, environment."""
    policy = replace(warm.policy(network=network), closed_ports=(9,))
    ready = warm.prepare(warm.command(REPORT), policy=policy, API_KEY="s3cret")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        hosts = ready.egress is not None
        cold = subprocess.run(
            ready.handing_over(theirs.fileno()) if hosts else ready.argv,
            env=dict(ready.env),
            cwd=ready.cwd,
            pass_fds=(theirs.fileno(),) if hosts else (),
            input="",
            capture_output=True,
            text=True,
            timeout=conftest.GUARD_S,
            start_new_session=True,
            check=True,
        )
    forked = warm.run(REPORT, policy=policy, API_KEY="s3cret")
    seen, expected = json.loads(forked.stdout), json.loads(cold.stdout)
    for report in (seen, expected):
        caught = int(report["status"]["SigCgt"], 16) & ~THREADS_OF_LIBC
        report["status"]["SigCgt"] = caught
    assert seen == expected


def test_all_options_of_bubblewrap_are_understood(warm: WarmRoom) -> None:
    """Ours: one description for both ways; a new option fails here, not at a user's."""
    for mode in (NetworkMode.NONE, NetworkMode.FULL):
        for root in (True, False):
            policy = warm.policy(network=Network(mode))
            options = bubblewrap.options(policy, read_only=policy.read_only, links=(), root=root)
            assert mount_tree.parse(options).steps


def test_process_that_waited_sees_what_a_program_sees(tmp_path: Path) -> None:
    """Ours: the sandbox of a server with packages of its own, before it is that server."""
    skip_unless_available(Level.STRONG)
    room = conftest.build_room(Level.STRONG, tmp_path)
    command = room.command(REPORT)
    ready = room.prepare(command, API_KEY="s3cret")
    plain = room.prepare(command).env
    blank = standby.blank(command, env=plain, cwd=room.data, policy=room.policy(), code=room.code)
    waits = standby.prepare_blank(blank, tmp_path / "holder")
    with subprocess.Popen(
        waits.argv,
        env=dict(waits.env),
        cwd=waits.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(standby.part(b"import no_such_package"))
        process.stdin.flush()
        assert process.stdout.read(len(waiting.READY)) == waiting.READY
        assert b"s3cret" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        standby.copy_code(room.code, tmp_path / "holder")
        process.stdin.write(standby.environment_part(ready.env))
        process.stdin.close()
        seen = json.loads(process.stdout.read())
    assert process.returncode == 0
    cold = subprocess.run(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        input=b"",
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
    )
    assert seen == json.loads(cold.stdout)


@pytest.mark.parametrize("options", [["--new-thing"], ["--bind", "/a"], ["--uid"]])
def test_unknown_options_are_refused(options: list[str]) -> None:
    """Ours: nothing that was asked for is left out in silence."""
    with pytest.raises(ValueError, match="option"):
        mount_tree.parse(options)


def test_step_that_cannot_be_done_ends_the_fork_before_its_code(warm: WarmRoom) -> None:
    """Ours: fail closed, with one sentence."""
    outside = warm.code.parents[1] / "outside"
    outside.mkdir()
    script = warm.command("(DATA_DIR / 'ran').touch()")
    child = fork(warm.process, warm.prepare(script, policy=warm.policy(read_only=(outside,))))
    assert not child.confined()
    os.set_blocking(child.stderr, False)
    said = os.read(child.stderr, 4096).decode()
    assert said.startswith("The sandbox refuses to start a warm child: ")
    assert str(outside) in said
    child.give_up()
    assert not (warm.data / "ran").exists()
    assert warm.output("print('the next one starts')") == "the next one starts\n"


def test_order_that_a_fork_cannot_keep_is_refused(warm: WarmRoom) -> None:
    """Ours: an option of the launcher that this way leaves out is not left out in silence."""
    ready = warm.prepare(warm.command("(DATA_DIR / 'ran').touch()"))
    assert ready.confinement is not None
    more = replace(ready.confinement, options=("--listen", "8080", *ready.confinement.options))
    child = fork(warm.process, replace(ready, confinement=more))
    assert not child.confined()
    child.give_up()
    assert not (warm.data / "ran").exists()


SCAN = """
import hashlib, json, re
found = set()
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps.read().splitlines():
        span, access = line.split()[:2]
        if access[0] != "r" or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        try:
            memory.seek(start)
            text = memory.read(end - start)
        except (OSError, OverflowError):
            continue
        for match in re.finditer(b"probe-([0-9a-f]{32})", text):
            found.add(hashlib.sha256(match[1]).hexdigest())
print(json.dumps(sorted(found)))
"""


def marked() -> tuple[str, str]:
    """Return a text to look for, and what a scan says when it finds it."""
    token = secrets.token_hex(16)
    return f"probe-{token}", hashlib.sha256(token.encode()).hexdigest()


def test_memory_of_a_fork_holds_no_secret_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue: neither a sibling's secret, code and name, nor the gateway's."""
    skip_unless_available(Level.STRONG)
    gateway, sibling, code, name, own = (marked() for _ in range(5))
    monkeypatch.setenv("ANTHROPIC_API_KEY", gateway[0])
    config = warm_config(tmp_path)
    with warm_process(config) as process:
        first = build_warm_room(process, config, name[0])
        second = build_warm_room(process, config)
        text = f"text = '{code[0]}'\nprint('here', flush=True)\nimport signal; signal.pause()"
        other = fork(process, first.prepare(first.command(text), API_KEY=sibling[0]))
        assert other.confined()
        assert os.read(other.stdout, 5) == b"here\n"
        found = json.loads(second.output(SCAN, API_KEY=own[0]))
        other.give_up()
    assert own[1] in found, "the scan must find what is there"
    assert found == [own[1]]


LOOK = """
import json, os
from pathlib import Path
def attempt(action):
    try:
        return action() or "done"
    except OSError as error:
        return type(error).__name__
root = Path("{folder}")
seen = {{
    "secret": attempt((root / "gateway.env").read_text),
    "beside": sorted(os.listdir(root)),
    "environment": dict(os.environ),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "network": [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]],
    "descriptors": sorted(os.readlink(f"/proc/self/fd/{{n}}").partition(":")[0]
                          for n in os.listdir("/proc/self/fd")
                          if os.path.lexists(f"/proc/self/fd/{{n}}")),
}}
(root / "servers" / "seen").write_text(json.dumps(seen))
"""


def test_warm_process_sees_nothing_of_the_gateway(tmp_path: Path) -> None:
    """Issue: it lives in an outer layer of its own, before any child is forked."""
    skip_unless_available(Level.STRONG)
    with warm_process(warm_config(tmp_path, LOOK.format(folder=tmp_path))):
        seen = json.loads((tmp_path / "servers" / "seen").read_text(encoding="utf-8"))
    assert seen.pop("environment") == ENVIRONMENT
    assert seen == {
        "secret": "FileNotFoundError",
        "beside": ["code", "rehearsal.py", "servers"],
        "processes": [1],
        "network": ["lo"],
        "descriptors": ["/dev/null", "/dev/null", "/dev/null", "socket"],
    }


def test_code_beside_the_gateway_s_own_files_is_refused(tmp_path: Path) -> None:
    """Ours: the warm process is given neither the gateway's home nor its installation."""
    config = warm_config(tmp_path)
    for root in (tmp_path, interpreter.SANDBOXES.parent):
        with pytest.raises(SandboxError, match="holds the gateway's own files"):
            replace(config, code_roots=(root,)).view()


DRAW = """
import os, random, secrets, ssl, tempfile, uuid
drawn = (random.random(), random.Random().random(), secrets.token_hex(), uuid.uuid4(), uuid.uuid1(),
         ssl.RAND_bytes(8), os.path.basename(tempfile.mktemp()))
"""


def test_generators_that_the_warm_process_used_give_each_fork_other_numbers(tmp_path: Path) -> None:
    """Issue: nothing that was drawn before the fork is drawn again after it."""
    skip_unless_available(Level.STRONG)
    code = DRAW + "for each in drawn: print(each)"
    config = warm_config(tmp_path, DRAW)
    with warm_process(config) as process:
        rooms = [build_warm_room(process, config, f"own-{number}") for number in range(3)]
        drawn = [room.output(code).splitlines() for room in rooms]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == len(rooms)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 11)", 128 + signal.SIGSEGV),
        ("import atexit; atexit.register(lambda: print('bye'))", 0),
        (f"raise SystemExit({launcher.REFUSED})", launcher.REFUSED),
    ],
)
def test_exit_status_is_that_of_the_server(warm: WarmRoom, code: str, status: int) -> None:
    """Ours: in the convention of bubblewrap, whatever the status."""
    done = warm.run(code)
    assert done.returncode == status
    assert done.stdout == ("bye\n" if "bye" in code else "")


def test_term_to_the_group_lets_a_fork_end_in_its_own_way(warm: WarmRoom) -> None:
    """Ours: process 1 of the namespace outlives the signal and reports the server's end."""
    code = (
        "import os, signal\n"
        "def bye(number, frame):\n"
        "    os.write(1, b'bye'); os._exit(7)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "os.write(1, b'ready')\n"
        "while True: signal.pause()"
    )
    child = fork(warm.process, warm.prepare(warm.command(code)))
    assert child.confined()
    assert os.read(child.stdout, 5) == b"ready"
    child.signal_group(signal.SIGTERM)
    wait_for(child.exit_fd)
    os.close(child.stdin)
    assert (child.reap(), read_all(child.stdout), read_all(child.stderr)) == (7, "bye", "")


def test_daemon_of_a_fork_dies_with_it_and_all_with_the_warm_process(warm: WarmRoom) -> None:
    """Ours: the output ends only when every process that inherited it is gone."""
    code = (
        "import os, signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    os.write(1, b'daemon')\n"
        "    signal.pause()\n"
        "signal.pause()"
    )
    for end in (lambda child: child.signal_group(signal.SIGKILL), lambda _: warm.process.close()):
        child = fork(warm.process, warm.prepare(warm.command(code)))
        assert child.confined()
        assert os.read(child.stdout, 6) == b"daemon"
        end(child)
        assert read_all(child.stdout) == ""
        wait_for(child.exit_fd)
        assert child.reap() == -signal.SIGKILL
        os.close(child.stdin)
        os.close(child.stderr)


REACH = """
import socket
from pathlib import Path
def attempt(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return "connected"
    except OSError as error:
        return type(error).__name__
Path("{data}", "seen").write_text(attempt({closed}) + " " + attempt({opened}))
"""


def test_warm_process_with_the_machine_s_network_cannot_reach_the_gateway(tmp_path: Path) -> None:
    """Ours: it has the network for its children's sake, and the closed ports are closed to it."""
    skip_unless_available(Level.STRONG)
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        closed, opened = (each.getsockname()[1] for each in (one, two))
        code = REACH.format(data=tmp_path / "servers", closed=closed, opened=opened)
        config = warm_config(tmp_path, code)
        full = replace(config, network=NetworkMode.FULL, closed_ports=(closed,))
        with warm_process(full):
            seen = (tmp_path / "servers" / "seen").read_text(encoding="utf-8")
    assert seen == "PermissionError connected"
