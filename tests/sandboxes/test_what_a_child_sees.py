"""What a real child finds around itself at each level."""

import json
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandboxes.errors import SandboxError
from sandboxes.interpreter import SANDBOXES, folders
from sandboxes.launch import StartKind
from sandboxes.policy import Level, Limits, Network, NetworkMode
from tests.sandboxes.conftest import Room, build_room, skip_unless_available
from tests.sandboxes.warm_rooms import build_warm_room, warm_config, warm_process

TRY = """
import json, sys
def attempt(action):
    try:
        return action() or "done"
    except OSError as error:
        return type(error).__name__
"""


@contextmanager
def open_room(level: Level, start: StartKind, folder: Path) -> Iterator[Room]:
    """Make a room whose children start in this way."""
    skip_unless_available(level)
    if start is StartKind.COLD:
        yield build_room(level, folder)
        return
    config = warm_config(folder)
    with warm_process(config) as process:
        yield build_warm_room(process, config)


@pytest.fixture(params=list(StartKind), ids=list(StartKind))
def strong(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A room at level strong, by each way to start a child."""
    with open_room(Level.STRONG, request.param, tmp_path) as room:
        yield room


@pytest.fixture(
    params=[
        (Level.STRONG, StartKind.COLD),
        (Level.STRONG, StartKind.WARM),
        (Level.REDUCED, StartKind.COLD),
    ],
    ids=["strong", "strong, warm", "reduced"],
)
def confined(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A room at each level that confines, by each way to start a child there."""
    level, start = request.param
    with open_room(level, start, tmp_path) as room:
        yield room


def test_environment_is_built_from_nothing(room: Room) -> None:
    """Ours: a child sees what we set and what it declared, and nothing of the gateway's."""
    seen = json.loads(
        room.output("import json, os; print(json.dumps(dict(os.environ)))", API_KEY="s3cret")
    )
    seen.pop("PWD", None)
    assert seen == {
        "API_KEY": "s3cret",
        "DATA_DIR": str(room.data),
        "HOME": str(room.private),
        "LANG": "C.UTF-8",
        "LOGNAME": "server",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(room.private / "tmp"),
        "USER": "server",
    }


def test_credentials_never_stand_in_the_arguments(room: Room) -> None:
    """Ours: an argument list can be read by every user of the machine."""
    ready = room.prepare(room.command("pass"), API_KEY="s3cret-value")
    assert "s3cret-value" not in " ".join(ready.argv)
    assert ready.env["API_KEY"] == "s3cret-value"


def test_inherited_descriptors_are_closed(room: Room) -> None:
    """Ours: only the three standard descriptors reach a child, also inheritable ones."""
    code = (
        "import os\n"
        "names = [f'/proc/self/fd/{n}' for n in os.listdir('/proc/self/fd')]\n"
        "print(sorted(os.readlink(name) for name in names if os.path.lexists(name)))"
    )
    leak = os.open(room.secret, os.O_RDONLY)
    try:
        os.set_inheritable(leak, True)
        seen = room.output(code)
    finally:
        os.close(leak)
    assert str(room.secret) not in seen
    assert seen.count("pipe:") == 2


def test_child_has_no_privileges(confined: Room) -> None:
    """Ours: no capability, no way to gain one, a filter on system calls, not root."""
    status = dict(
        line.split(":", 1)
        for line in confined.output("print(open('/proc/self/status').read())").splitlines()
        if line
    )
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert "0" not in status["Uid"].split()
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(confined.uid)}
        assert status["Groups"].split() == []
        assert int(status["CapBnd"], 16) == 0


def test_strong_child_has_a_mount_tree_of_its_own(strong: Room) -> None:
    """Ours: beside the system a child sees its own folders, and may write to few."""
    lines = strong.output("print(open('/proc/self/mountinfo').read())").split("\n")
    mounts = {fields[4]: fields[5].split(",")[0] for fields in map(str.split, lines) if fields}
    writable = {
        path for path, mode in mounts.items() if mode == "rw" and not path.startswith("/dev")
    }
    assert writable - {"/proc"} == {str(strong.data), str(strong.private), "/tmp"}
    system = {
        path
        for path in mounts
        if path.startswith(("/usr", "/etc", "/dev", "/proc", "/lib", "/bin", "/sbin"))
    }
    python = {
        str(path)
        for path in (*folders(strong.python), *folders(strong.python.resolve()))
        if path != Path("/usr")
    }
    ours = {"/", "/tmp", str(strong.code), str(strong.data), str(strong.private), str(SANDBOXES)}
    assert set(mounts) - system == (ours | python) - system


def test_strong_child_sees_only_its_own_processes(strong: Room) -> None:
    """Ours: a process namespace of its own."""
    seen = strong.output(
        "import os; print(sorted(int(n) for n in os.listdir('/proc') if n.isdigit()), os.getpid())"
    )
    assert seen == "[1, 2] 2\n"


def test_gateway_and_neighbour_files_cannot_be_read(confined: Room) -> None:
    """Ours: neither by path nor through /proc, though every user may read the file."""
    code = TRY + "print(json.dumps([attempt(lambda p=p: open(p).read()) for p in sys.argv[1:]]))"
    paths = [
        confined.secret,
        f"/proc/{os.getpid()}/environ",
        f"/proc/self/root{confined.secret}",
        "/etc/passwd",
    ]
    seen = json.loads(confined.output(code, *map(str, paths)))
    assert set(seen) <= {"FileNotFoundError", "PermissionError"}


def test_wrapper_of_strong_cannot_be_looked_into(strong: Room) -> None:
    """Ours: process 1 of the namespace is bubblewrap's, and out of reach."""
    code = TRY + (
        "import os\n"
        "names = ('mem', 'environ', 'root/etc', 'fd/0', 'cwd/etc', 'maps')\n"
        "look = lambda n: os.listdir(n) if os.path.isdir(n) else open(n, 'rb').read(1)\n"
        "print(json.dumps([attempt(lambda n=n: look(f'/proc/1/{n}') and None) for n in names]))"
    )
    assert set(json.loads(strong.output(code))) == {"PermissionError"}


def test_only_own_folders_can_be_written(confined: Room) -> None:
    """Ours: code, interpreter and system are read-only; DATA_DIR and HOME are not."""
    code = (
        TRY + "made = [attempt(lambda p=p: open(p + '/new', 'w').close()) for p in sys.argv[1:]]\n"
        "print(json.dumps(made))"
    )
    closed = [
        confined.code,
        SANDBOXES,
        *folders(confined.python),
        Path("/usr"),
        Path("/etc"),
        Path("/"),
    ]
    opened = [confined.data, confined.private, confined.private / "tmp"]
    seen = json.loads(confined.output(code, *map(str, [*closed, *opened])))
    assert set(seen[: len(closed)]) <= {"OSError", "PermissionError"}
    assert seen[len(closed) :] == ["done"] * len(opened)
    assert (confined.data / "new").exists()


def test_data_cannot_be_executed(confined: Room) -> None:
    """Ours: what a server wrote is data."""
    code = TRY + (
        "import os, subprocess\n"
        "tool = DATA_DIR / 'tool'\n"
        "tool.write_bytes(open('/bin/true', 'rb').read())\n"
        "tool.chmod(0o755)\n"
        "print(attempt(lambda: subprocess.run([tool]) and None))"
    )
    assert confined.output(code) == "PermissionError\n"


def test_parent_cannot_be_signalled(confined: Room) -> None:
    """Ours: neither the gateway by its number nor whatever the child has for a parent."""
    code = TRY + (
        "import os\n"
        "print(attempt(lambda: os.kill(int(sys.argv[1]), 0)),"
        " attempt(lambda: os.kill(os.getppid(), 9)))"
    )
    by_number, by_parent = confined.output(code, str(os.getpid())).split()
    assert by_number in ("ProcessLookupError", "PermissionError")
    assert by_parent in ("done", "PermissionError")


def test_no_socket_can_be_opened_without_network(confined: Room) -> None:
    """Ours: every family is refused but a connected pair within the child."""
    families = [
        socket.AF_UNIX,
        socket.AF_INET,
        socket.AF_INET6,
        socket.AF_NETLINK,
        socket.AF_PACKET,
        38,
        40,
    ]
    code = TRY + (
        "import socket\n"
        "made = [attempt(lambda f=f, t=t: socket.socket(int(f), t) and None)"
        " for f in sys.argv[1:] for t in (1, 2, 3)]\n"
        "pairs = [attempt(lambda t=t: socket.socketpair(socket.AF_UNIX, t) and None)"
        " for t in (1, 2, 5)]\n"
        "print(json.dumps([sorted(set(made)), pairs]))"
    )
    seen = json.loads(confined.output(code, *(str(int(family)) for family in families)))
    assert seen == [["PermissionError"], ["done", "PermissionError", "done"]]


def test_full_network_reaches_out_and_only_then(confined: Room) -> None:
    """Ours: `full` is the machine's own network, flagged as such; Unix sockets stay closed."""
    code = TRY + (
        "import socket\n"
        "here = ('127.0.0.1', int(sys.argv[1]))\n"
        "print(attempt(lambda: socket.create_connection(here, 5) and None),"
        " attempt(lambda: socket.socket(socket.AF_UNIX) and None),"
        " attempt(lambda: socket.socket(socket.AF_PACKET) and None))"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        full = confined.policy(network=Network(NetworkMode.FULL))
        assert confined.output(code, port, policy=full) == "done PermissionError PermissionError\n"
        assert confined.output(code, port).split()[0] == "PermissionError"


def test_full_network_leaves_the_closed_ports_out(confined: Room) -> None:
    """Ours: the gateway's own port, by every way of connecting to a TCP port that there is."""
    code = TRY + (
        "import socket\n"
        "def ways(port):\n"
        "    yield attempt(lambda: socket.create_connection(('127.0.0.1', port), 5) and None)\n"
        "    yield attempt(lambda: socket.create_connection(('::1', port), 5) and None)\n"
        "    yield attempt(lambda: socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', port))"
        " and None)\n"
        "    multipath = lambda: socket.socket(socket.AF_INET, 1, 262)\n"
        "    yield attempt(lambda: multipath().connect(('127.0.0.1', port)))\n"
        "for port in sys.argv[1:]: print(*ways(int(port)))"
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as closed,
        socket.create_server(("127.0.0.1", 0)) as open_,
    ):
        ports = [each.getsockname()[1] for each in (closed, open_)]
        policy = confined.policy(network=Network(NetworkMode.FULL))
        policy = replace(policy, closed_ports=(ports[0],))
        shut, through = confined.output(code, *map(str, ports), policy=policy).splitlines()
    assert shut == " ".join(["PermissionError"] * 4)
    assert through == "done ConnectionRefusedError PermissionError PermissionError"


def test_odd_system_calls_are_refused(confined: Room) -> None:
    """Ours: namespaces, tracing and mounts are closed to a child."""
    code = TRY + (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def number(result): return ctypes.get_errno() if result < 0 else 0\n"
        "print(number(libc.unshare(0x10000000)), number(libc.ptrace(0, 0, 0, 0)),"
        " number(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)),"
        " attempt(lambda: os.mkfifo(DATA_DIR / 'f')))"
    )
    assert confined.output(code) == "1 1 1 PermissionError\n"


def test_limits_hold_for_the_child(confined: Room) -> None:
    """Ours: the ceilings of the policy, soft and hard."""
    limits = Limits(
        address_space_bytes=1 << 30, open_files=99, file_size_bytes=1 << 20, processes=40
    )
    code = (
        "import resource as r\n"
        "kinds = (r.RLIMIT_AS, r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_CORE)\n"
        "print([r.getrlimit(kind) for kind in kinds], r.getrlimit(r.RLIMIT_NPROC)[0] >= 40)"
    )
    seen = confined.output(code, policy=confined.policy(limits=limits))
    assert seen == f"[({1 << 30}, {1 << 30}), (99, 99), ({1 << 20}, {1 << 20}), (0, 0)] True\n"


def test_address_space_can_be_left_open(confined: Room) -> None:
    """Ours: Node and Chromium reserve more than any ceiling."""
    limits = Limits(address_space_bytes=None)
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_AS))"
    seen = confined.output(code, policy=confined.policy(limits=limits))
    assert seen == f"{resource.getrlimit(resource.RLIMIT_AS)}\n"


def test_fork_bomb_stops_at_its_ceiling(confined: Room) -> None:
    """Ours: the kernel refuses the process beyond the limit."""
    # Under reduced a plain user's processes are counted together with all others of that user.
    shared = confined.level is Level.REDUCED and os.geteuid() != 0
    code = (
        "import os, signal, time\n"
        "made = []\n"
        "try:\n"
        "    while len(made) < 200:\n"
        "        pid = os.fork()\n"
        "        if pid == 0: signal.pause()\n"
        "        made.append(pid)\n"
        "except BlockingIOError: pass\n"
        "for pid in made: os.kill(pid, 9)\n"
        "print(len(made))"
    )
    made = int(confined.output(code, policy=confined.policy(limits=Limits(processes=20))))
    assert made < (200 if shared else 20)


UNIX_SOCKET = """
import os, socket
ends = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        socket.socket(socket.AF_UNIX, kind).bind(os.environ["DATA_DIR"] + f"/{int(kind)}")
        ends.append("bound")
    except OSError as error:
        ends.append(type(error).__name__)
print(*ends)
"""


def test_unix_sockets_open_where_they_were_granted(strong: Room) -> None:
    """Ours: Chromium finds itself by one; nobody else needs any."""
    assert strong.output(UNIX_SOCKET) == "PermissionError PermissionError\n"
    granted = replace(strong.policy(), unix_sockets=True)
    assert strong.output(UNIX_SOCKET, policy=granted) == "bound PermissionError\n"


def test_unix_sockets_are_refused_where_those_of_the_machine_are_in_reach(strong: Room) -> None:
    """Ours: the machine's own network has its abstract sockets."""
    policy = replace(strong.policy(), unix_sockets=True, network=Network(NetworkMode.FULL))
    with pytest.raises(SandboxError, match="Unix sockets need SANDBOX=strong"):
        strong.run("", policy=policy)
