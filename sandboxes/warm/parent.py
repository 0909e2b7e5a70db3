"""The gateway's end of a warm process: starts it, asks it for children, takes them over.

Nothing here waits: whoever owns one watches its `fileno` and calls `hear`. Above: the
supervisor. The other end is `process`.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from sandboxes import interpreter, launch, system
from sandboxes.confinement import bubblewrap
from sandboxes.errors import SandboxError
from sandboxes.network.way_out import WayOut
from sandboxes.policy import Level, Network, NetworkMode, Policy
from sandboxes.warm import child as warm_child

SCRIPT = interpreter.SANDBOXES / "warm" / "process.py"
MAX_MESSAGE_BYTES = 65536
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - its own
    "TMPDIR": "/tmp",  # noqa: S108 - its own
    "LANG": "C.UTF-8",
}
"""All that is in the memory of every child; none of it is a secret."""
KILLED = -signal.SIGKILL
EXIT_TEXT_BYTES = 64
END_WITHIN_S = 5.0
"""A closed socket ends it in milliseconds; after this it is killed."""


@dataclass(frozen=True, slots=True)
class WarmConfig:
    """What a warm process imports and sees. Paths are absolute."""

    python: Path
    rehearsal: Path
    """Run once before the first fork; leaves one thread."""
    code_roots: tuple[Path, ...]
    """Folders with the code of servers, read-only; nothing of the gateway's is in them."""
    data_root: Path
    """Holds the DATA_DIR and HOME of every server."""
    environment: Mapping[str, str]
    """Beside its own few variables; never a secret."""
    network: NetworkMode = NetworkMode.NONE
    """FULL: it has the machine's network, as its children have; else they have their own."""
    closed_ports: tuple[int, ...] = ()
    """With FULL, TCP ports that neither it nor any of its children connects to."""

    def sees(self, paths: Iterable[Path]) -> bool:
        """Return whether a child can be given all these paths."""
        own = (self.data_root, *self.code_roots, interpreter.SANDBOXES)
        roots = tuple(f"{root}/" for root in (*own, *interpreter.folders(self.python)))
        return all(system.covers(path) or f"{path}/".startswith(roots) for path in paths)

    def view(self) -> list[str]:
        """Return the options of its own mount tree and namespaces.

        Raises:
            SandboxError: it would see the gateway's own files, or a folder is missing.
        """
        ours = (self.data_root.resolve(), interpreter.SANDBOXES)
        for root in self.code_roots:
            if any(path.is_relative_to(root.resolve()) for path in ours):
                raise SandboxError(f"{root} holds the gateway's own files beside code of servers.")
        folders = interpreter.folders(self.python) + interpreter.folders(self.python.resolve())
        policy = Policy(
            Level.STRONG,
            self.data_root,
            read_only=(*self.code_roots, *folders, interpreter.SANDBOXES, self.rehearsal),
            network=Network(self.network),
        )
        links = tuple(hop for hop in interpreter.hops(self.python) if hop.is_symlink())
        return bubblewrap.options(
            policy, read_only=policy.read_only, links=links, root=os.geteuid() == 0
        )


class WarmReady:
    """The warm process can be asked for children."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A child was born; it is not confined yet."""

    number: int
    child: "ForkedChild"


@dataclass(frozen=True, slots=True)
class Refused:
    """A child could not be made; the warm process goes on."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The warm process has ended or is ending, and its children with it."""

    reason: str


class ForkedChild:
    """A child of a warm process, and the gateway's ends of its pipes."""

    start = launch.StartKind.WARM

    def __init__(
        self, *, pidfd: int, pipes: "Pipes", forget: Callable[["ForkedChild"], None]
    ) -> None:
        self.pid = _pid_of(pidfd)
        self.stdin, self.stdout, self.stderr = pipes.stdin, pipes.stdout, pipes.stderr
        self.way_out = pipes.way_out
        self.exit_fd = pipes.status
        """Readable once the child is confined, or refused that; afterwards once it is gone."""
        self._pipes = pipes
        self._pidfd = pidfd
        self._forget = forget

    def confined(self) -> bool:
        """Return whether it is confined; read once `exit_fd` is readable the first time.

        False: it ended before any code of its server ran.
        """
        return os.read(self.exit_fd, len(warm_child.CONFINED)) == warm_child.CONFINED

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to it and to all in its group."""
        with suppress(ProcessLookupError):
            # It stays a zombie until `reap`; it is gone before only when its warm process died.
            signal.pidfd_send_signal(self._pidfd, 0)
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """Return its exit status, once it is gone; negative numbers are signals."""
        told = os.read(self.exit_fd, EXIT_TEXT_BYTES)
        os.close(self.exit_fd)
        os.close(self._pidfd)
        self._forget(self)
        return int(told) if told else KILLED

    def give_up(self) -> None:
        """End it before it was taken over."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._pipes.close()
        os.close(self._pidfd)
        self._forget(self)


@dataclass(frozen=True, slots=True)
class Pipes:
    """Our ends of a child's pipes, and of the socket over which its listener comes."""

    stdin: int
    stdout: int
    stderr: int
    status: int
    way_out: WayOut | None

    def close(self) -> None:
        """Close all."""
        for descriptor in (self.stdin, self.stdout, self.stderr, self.status):
            os.close(descriptor)
        if self.way_out is not None:
            self.way_out.ours.close()


class WarmProcess:
    """A started warm process; ready once it has said so."""

    def __init__(self, config: WarmConfig, on_forgotten: Callable[[], None]) -> None:
        """Start it; the parent-death signal is tied to the calling thread.

        `on_forgotten` is called when there is one child less.

        Raises:
            SandboxError: it would see what it must not.
            OSError: it cannot be started.
        """
        self._on_forgotten = on_forgotten
        self._children: set[ForkedChild] = set()
        self._asked: dict[int, Pipes] = {}
        self._number = 0
        self._ready = False
        view = config.view()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                (str(config.python), "-I", str(SCRIPT), str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                env={**ENVIRONMENT, **config.environment},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket.settimeout(0)
        # Not in its arguments, which are those of every child too.
        full = config.network is NetworkMode.FULL
        order = {
            "tree": view,
            "rehearsal": str(config.rehearsal),
            "parent": os.getpid(),
            "closed ports": config.closed_ports if full else (),
        }
        self._send(json.dumps(order).encode())

    @property
    def pid(self) -> int:
        """The process whose group holds the warm process."""
        return self._process.pid

    @property
    def children(self) -> int:
        """How many children are alive or asked for; they die with it."""
        return len(self._children) + len(self._asked)

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to hear."""
        return self._socket.fileno()

    def ask(self, ready: launch.Launch) -> int:
        """Ask for a child and return the number under which it will come.

        Raises:
            OSError: it takes no more requests now, or has ended.
        """
        assert ready.confinement is not None
        self._number += 1
        order = {"tree": ready.confinement.tree, "options": ready.confinement.options}
        with ExitStack() as ours, ExitStack() as theirs:
            pipes, given = _ends(ready, ours, theirs)
            given.insert(warm_child.ORDER, _sealed(order, theirs))
            given.insert(warm_child.ENVIRONMENT, _sealed(dict(ready.env), theirs))
            self._send(json.dumps({"fork": self._number}).encode(), *given)
            ours.pop_all()
        self._asked[self._number] = pipes
        return self._number

    def hear(self) -> WarmReady | Forked | Refused | Failed | None:
        """Return what it says, None when it says nothing now."""
        try:
            text, given, _, _ = socket.recv_fds(self._socket, MAX_MESSAGE_BYTES, 1)
        except BlockingIOError:
            return None
        except ConnectionError:
            text, given = b"", []
        if not text:
            return Failed("it ended")
        said = json.loads(text)
        if "ready" in said:
            self._ready = True
            return WarmReady()
        if "failed" in said:
            return Failed(said["failed"])
        if "refused" in said:
            self._asked.pop(said["refused"]).close()
            return Refused(said["refused"], said["reason"])
        number = said["forked"]
        child = ForkedChild(pidfd=given[0], pipes=self._asked.pop(number), forget=self._forget)
        self._children.add(child)
        return Forked(number, child)

    def close(self) -> None:
        """End it and all its children; returns when it is gone."""
        self._socket.close()
        for pipes in self._asked.values():
            pipes.close()
        self._asked.clear()
        if not self._ready and self._process.poll() is None:
            # It is still rehearsing: it has no child, and would look at the socket afterwards.
            os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _forget(self, child: ForkedChild) -> None:
        self._children.discard(child)
        self._on_forgotten()

    def _send(self, message: bytes, *descriptors: int) -> None:
        socket.send_fds(self._socket, [message], descriptors)


def _ends(ready: launch.Launch, ours: ExitStack, theirs: ExitStack) -> tuple[Pipes, list[int]]:
    """Return our ends and the child's: stdin, stdout, stderr, status, the way out if any."""
    stdin, *others = (os.pipe() for _ in range(4))
    pairs = [(stdin[1], stdin[0]), *others]
    for mine, its in pairs:
        ours.callback(os.close, mine)
        theirs.callback(os.close, its)
    given = [its for _, its in pairs]
    way_out: WayOut | None = None
    if ready.egress is not None:
        listening, offering = socket.socketpair()
        way_out = WayOut(ready.egress, ours.enter_context(listening))
        given.append(theirs.enter_context(offering).fileno())
    return Pipes(*(mine for mine, _ in pairs), way_out=way_out), given


def _sealed(content: object, opened: ExitStack) -> int:
    """Return a file in memory that can be read and nothing else."""
    descriptor = os.memfd_create("order", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    opened.callback(os.close, descriptor)
    text = memoryview(json.dumps(content).encode())
    while text:
        text = text[os.write(descriptor, text) :]
    # Named here: macOS has none, and imports this module as well.
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _pid_of(pidfd: int) -> int:
    """Return the process number that a descriptor from another namespace has in ours."""
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))
