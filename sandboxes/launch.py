"""From a command and a policy to what `subprocess.Popen` needs. The door of this floor.

Every child starts through `launcher`, which ties its life to ours. Under level strong the
launcher runs twice: outside, to tie bubblewrap to us, and inside, to confine the child.
"""

import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandboxes import environment, interpreter, reach, system
from sandboxes.confinement import bubblewrap, landlock, machines
from sandboxes.errors import CommandNotFound, LevelUnavailable, NetworkUnavailable, SandboxError
from sandboxes.network import hosts, way_out
from sandboxes.network.way_out import Egress
from sandboxes.policy import Level, Limits, Network, NetworkMode, Policy

LAUNCHER = interpreter.SANDBOXES / "confinement" / "launcher.py"
STRONG_LANDLOCK = 1
"""Under strong, Landlock is the second fence behind the mount tree; any version will do."""
REDUCED_LANDLOCK = 6
"""The first version that also fences signals and abstract sockets (Linux 6.12)."""
INIT_OF_NAMESPACE = 1
OPTIONS = 5
"""Where the launcher's own options begin in the arguments of every start."""


class StartKind(StrEnum):
    """How a child was started."""

    COLD = "cold"
    """By a program of its own, which imports everything itself."""
    WARM = "warm"
    """By a fork of a process that has imported it already."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What bubblewrap and the launcher are told: all that a fork needs to be confined as well."""

    tree: tuple[str, ...]
    """For `mount_tree`."""
    options: tuple[str, ...]
    """For `launcher.parse`, with the program and its arguments."""
    network: NetworkMode


@dataclass(frozen=True, slots=True)
class Blank:
    """All of a server but its code and its variables (see `standby`)."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    policy: Policy
    code: Path
    """Where it will see its code."""
    marks: tuple[tuple[int, int], ...]
    """Of the folders that it is given: a folder that took the place of one is another."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Arguments for `Popen`, with `start_new_session` and `close_fds`, from a thread that lives on.

    The parent-death signal is tied to the thread that starts the process. TERM and KILL to the
    process group reach the program at every level.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    pass_fds: tuple[int, ...] = ()
    confinement: Confinement | None = None
    """At level strong: for a start without a program of its own (see `warm`)."""
    egress: Egress | None = None
    """What the child reaches through a proxy, which whoever starts it serves (`egress.Proxy`)."""
    blank: Blank | None = None
    """For a start from a process that waits for it."""

    def handing_over(self, descriptor: int) -> tuple[str, ...]:
        """Return `argv` for a process that inherits this socket to hand its listeners over."""
        return (*self.argv[:OPTIONS], "--handover", str(descriptor), *self.argv[OPTIONS:])

    def behind_wrapper(self) -> tuple[str, ...]:
        """Return `argv` of level strong for a process that takes the outer launcher's part itself.

        It has tied bubblewrap to its life, lets it ignore what is meant for the program, and lets
        it inherit no descriptor but the standard ones and the socket for listeners, as number
        `handover.HANDOVER_FD`.
        """
        return self.argv[self.argv.index("--") + 1 :]


def prepare(command: Sequence[str], *, env: Mapping[str, str], cwd: Path, policy: Policy) -> Launch:
    """Return how to start `command` under `policy`; starts nothing. Call in the parent process.

    `env` is the whole environment of the child (see `environment.child_environment`).

    Raises:
        LevelUnavailable: the level cannot be had here.
        NetworkUnavailable: the network access cannot be given.
        InvalidHost: a granted host is no name.
        CommandNotFound: the program does not exist.
        RefusedName: `env` would steer our own launcher.
        SandboxError: a granted path is missing or cannot be read by the child.
    """
    environment.check_loader(env)
    program = _program(command[0], env, cwd)
    target = [str(program), *command[1:]]
    if policy.level is Level.OFF:
        return Launch((*_launcher(os.getpid()), "--", *target), env, cwd)
    _check_machine(policy)
    read_only = _read_only(policy, program)
    reach.check(policy, program, read_only)
    if policy.level is Level.REDUCED:
        confined = [*_launcher(os.getpid()), "--keep", *_reduced(policy, read_only), "--", *target]
        return Launch(tuple(confined), env, cwd)
    # Bubblewrap as root has no right left to enter a folder of the server's user.
    place = ["--directory", str(cwd)]
    inside = [*place, *_strong(policy, read_only), "--", *target]
    tree = bubblewrap.options(
        policy,
        read_only=read_only,
        links=tuple(hop for hop in interpreter.hops(program) if hop.is_symlink()),
        root=os.geteuid() == 0,
    )
    outside = [*_launcher(os.getpid()), "--wraps", "--", str(_bubblewrap()), *tree, "--"]
    granted = _egress(policy.network)
    return Launch(
        (*outside, *_launcher(INIT_OF_NAMESPACE), *inside),
        env if granted is None else {**env, **way_out.ENVIRONMENT},
        Path("/"),
        confinement=Confinement(tuple(tree), tuple(inside), policy.network.mode),
        egress=granted,
    )


def _egress(network: Network) -> Egress | None:
    if network.mode is not NetworkMode.HOSTS:
        return None
    named = tuple(host for host in network.hosts if host != hosts.EVERY)
    public = hosts.EVERY in network.hosts
    return Egress(
        () if public and not named else hosts.parse_rules(named),
        private=network.private_addresses,
        public=public,
    )


def _program(name: str, env: Mapping[str, str], cwd: Path) -> Path:
    if "/" in name:
        path = cwd / name
        try:
            usable = path.is_file() and os.access(path, os.X_OK)
        except PermissionError as error:
            raise SandboxError(
                f"The program {path} is in a folder that the gateway's user may not enter; "
                f"install it elsewhere."
            ) from error
        if not usable:
            raise CommandNotFound(name)
        return path
    found = shutil.which(name, path=env.get("PATH", ""))
    if found is None:
        raise CommandNotFound(name)
    return Path(found)


def _own_python() -> Path:
    return Path(sys.executable).resolve()


def _launcher(parent: int) -> list[str]:
    return [str(_own_python()), "-I", "-S", "-B", str(LAUNCHER), "--parent", str(parent)]


def _bubblewrap() -> Path:
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if found is None:
        raise LevelUnavailable(
            Level.STRONG, "bubblewrap is not installed; run: apt-get install bubblewrap"
        )
    return Path(found)


def _check_machine(policy: Policy) -> None:
    level, network = policy.level, policy.network.mode
    if not sys.platform.startswith("linux"):
        raise LevelUnavailable(level, "it needs Linux; set SANDBOX=off to run without a sandbox")
    if platform.machine() not in machines.MACHINES:
        raise LevelUnavailable(level, f"no system call filter for {platform.machine()} processors")
    needed = STRONG_LANDLOCK if level is Level.STRONG else REDUCED_LANDLOCK
    offered = landlock.abi()
    if offered < needed:
        raise LevelUnavailable(
            level,
            f"the kernel offers Landlock version {offered} and it needs {needed}; "
            f"run a newer kernel with landlock in its lsm= list",
        )
    if os.geteuid() == 0 and not policy.uid:
        raise LevelUnavailable(level, "started as root without a user for the server")
    if policy.unix_sockets and (level is not Level.STRONG or network is NetworkMode.FULL):
        raise SandboxError(
            "Unix sockets need SANDBOX=strong and no network in full, because those of the machine "
            "would be in reach; ask for less network or for no sockets."
        )
    if network is NetworkMode.HOSTS and level is not Level.STRONG:
        raise NetworkUnavailable(
            "Network access to single hosts needs sandbox level 'strong', because a server without "
            "a network of its own could go past the proxy; set SANDBOX=strong or grant no hosts."
        )


def _read_only(policy: Policy, program: Path) -> tuple[Path, ...]:
    ours = (interpreter.SANDBOXES,)
    if any(program.is_relative_to(path) for path in policy.read_only):
        ours += interpreter.installation(program)
    if policy.level is Level.STRONG:
        ours += interpreter.folders(_own_python())
    sources = (one.source for one in policy.shown)
    paths = tuple(dict.fromkeys((*policy.read_only, *ours)))
    for path in (policy.data_dir, *policy.read_write, *paths, *sources):
        if not path.is_absolute() or path in bubblewrap.MADE_BY_US:
            raise SandboxError(f"A server cannot be given {path}; name a folder of its own.")
        if not path.exists():
            raise SandboxError(f"{path} is granted to a server but does not exist; make it first.")
    return paths


def _limits(limits: Limits) -> list[str]:
    ceilings = {
        "CORE": 0,
        "MEMLOCK": 0,
        "NOFILE": limits.open_files,
        "FSIZE": limits.file_size_bytes,
        "AS": limits.address_space_bytes,
    }
    options: list[str] = []
    for name, amount in ceilings.items():
        if amount is not None:
            options += ["--rlimit", f"{name}={amount}"]
    return options


def _common(policy: Policy, *, read: Sequence[object], write: Sequence[object]) -> list[str]:
    options = ["--confine", *_limits(policy.limits)]
    options += ["--uid", str(policy.uid)] if os.geteuid() == 0 else ["--shared-user"]
    if policy.network.mode is NetworkMode.FULL:
        options += ["--internet"]
        for port in policy.closed_ports:
            options += ["--closed-port", str(port)]
    for path in read:
        options += ["--read", str(path)]
    for path in write:
        options += ["--write", str(path)]
    for name in system.DEVICES:
        options += ["--device", name]
    return options


def _strong(policy: Policy, read_only: Sequence[Path]) -> list[str]:
    # The mount tree holds nothing but what the child may see, so whole folders are granted here.
    shown = [one.at for one in policy.shown]
    read = ("/usr", *system.LINKS, "/etc", "/proc", *read_only, *shown)
    write = (policy.data_dir, *policy.read_write, "/tmp", "/dev/shm")  # noqa: S108 - the child's own
    options = _common(policy, read=read, write=write)
    if policy.unix_sockets:
        options += ["--unix-sockets"]
    for port in policy.listeners:
        options += ["--listen", str(port)]
    if policy.network.mode is NetworkMode.HOSTS:
        options += ["--proxied", "--listen", str(way_out.PORT)]
    processes = policy.limits.processes
    return [*options, "--landlock", str(STRONG_LANDLOCK), "--rlimit", f"NPROC={processes}"]


def _reduced(policy: Policy, read_only: Sequence[Path]) -> list[str]:
    resolver = system.resolver(policy.network.mode)
    read = (*system.READ_ONLY, *system.LINKS, *resolver, *system.PROC, *read_only)
    options = _common(policy, read=read, write=(policy.data_dir, *policy.read_write))
    options += ["--shared-files", "--landlock", str(REDUCED_LANDLOCK)]
    processes = policy.limits.processes
    if os.geteuid() == 0:
        return [*options, "--rlimit", f"NPROC={processes}"]
    # The kernel counts all processes of a user together, and this user runs more than one server.
    return [*options, "--extra-processes", str(processes)]
