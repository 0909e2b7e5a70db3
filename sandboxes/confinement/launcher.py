"""Runs inside the child's process, confines it step by step and becomes the program to start.

    python -I -S -B launcher.py [options] -- program arguments

Standard library only, and of that as little as possible: it is on the path of every start.
Whatever was asked for and cannot be done ends the process with code 97 and one sentence on
standard error. The options carry no secret (an argument list is world-readable); secrets are
in the environment, which is passed on untouched.
"""

import os
import resource
import sys

# Our own root comes last, so that nothing there can stand in for the standard library.
sys.path.append(os.path.abspath(__file__).rsplit("/", 3)[0])  # noqa: PTH100 - pathlib costs 10 ms here

from sandboxes.confinement import keeper, kernel, landlock, seccomp
from sandboxes.network import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Only for its names.
    import signal
else:
    # What is beneath it, without the enumerations around it: 7 ms.
    import _signal as signal

REFUSED = 97
FIRST_INHERITED_FD = 3
EVERY_FD = 2**31 - 1 if sys.platform == "linux" else os.sysconf("SC_OPEN_MAX")
"""Linux closes a range at once; elsewhere each number is one call."""
NICENESS = 5
"""A third of the gateway's share of a processor that both want; see sched(7)."""
WRAPPER_IGNORES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A signal to the group is meant for the server; its wrapper must outlive it to report the end."""


FLAGS = frozenset(
    {"--wraps", "--keep", "--confine", "--internet", "--proxied", "--unix-sockets"}
    | {"--shared-user", "--shared-files"}
)


class Order:
    """What the options ask for."""

    def __init__(self) -> None:
        self.parent = 0
        self.directory: str | None = None
        self.wraps = False
        self.keep = False
        self.confine = False
        self.uid: int | None = None
        self.minimum_landlock = 1
        self.internet = False
        self.closed_ports: list[int] = []
        self.proxied = False
        self.unix_sockets = False
        self.shared_user = False
        self.shared_files = False
        self.handover: int | None = None
        self.listen: list[int] = []
        self.extra_processes: int | None = None
        self.rlimits: list[tuple[str, int]] = []
        self.read: list[str] = []
        self.write: list[str] = []
        self.devices: list[str] = []
        self.command: list[str] = []


def parse(arguments: list[str]) -> Order:
    """Return the order.

    Raises:
        ValueError: an option is unknown or has no value.
    """
    order = Order()
    rest = iter(arguments)
    for option in rest:
        if option == "--":
            order.command = list(rest)
            break
        if not _flag(order, option):
            value = next(rest, None)
            if value is None:
                raise ValueError(f"option {option} has no value")
            _value(order, option, value)
    if not order.command:
        raise ValueError("there is no program to start")
    return order


def _flag(order: Order, option: str) -> bool:
    if option not in FLAGS:
        return False
    setattr(order, option.removeprefix("--").replace("-", "_"), True)
    return True


def _value(order: Order, option: str, value: str) -> None:
    paths = {"--read": order.read, "--write": order.write, "--device": order.devices}
    ports = {"--listen": order.listen, "--closed-port": order.closed_ports}
    if option in paths:
        paths[option].append(value)
    elif option in ports:
        ports[option].append(int(value))
    elif option == "--handover":
        order.handover = int(value)
    elif option == "--parent":
        order.parent = int(value)
    elif option == "--directory":
        order.directory = value
    elif option == "--uid":
        order.uid = int(value)
    elif option == "--landlock":
        order.minimum_landlock = int(value)
    elif option == "--extra-processes":
        order.extra_processes = int(value)
    elif option == "--rlimit":
        name, _, amount = value.partition("=")
        order.rlimits.append((name, int(amount)))
    else:
        raise ValueError(f"option {option} is unknown")


def limit(order: Order) -> None:
    """Set the ceilings of this process and of each descendant, which none can raise again."""
    for name, amount in order.rlimits:
        number = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(number)
        ceiling = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(number, (ceiling, ceiling))


def tasks_of(uid: int) -> int:
    """Return how many tasks of this user there are; the kernel counts them all together."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 10 ms here
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116 - as above
                    count += os.stat(f"/proc/{name}/task").st_nlink - 2  # noqa: PTH116 - as above
            except OSError:
                continue
    return count


def shed_root(uid: int) -> None:
    """Become user and group `uid` for good, without any capability to come back."""
    kernel.drop_bounding_set()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if 0 in os.getresuid() or 0 in os.getresgid():
        raise OSError("the change of user did not hold")


def follow_parent(parent: int) -> None:
    """Die with the parent. After any change of uid, because that clears the setting."""
    if sys.platform == "linux":
        kernel.prctl("setting the parent-death signal", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise OSError("the process that asked for it is already gone")


def reset_signals(order: Order) -> None:
    """Give the program the signal dispositions of a fresh process."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    if order.wraps:
        for number in WRAPPER_IGNORES:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def close_inherited(order: Order) -> None:
    """Close every descriptor but the standard ones and the socket for listeners, if any."""
    first = FIRST_INHERITED_FD
    if order.handover is not None:
        handover.place(order.handover)
    if order.handover is not None or order.listen:
        first = handover.HANDOVER_FD + 1
    os.closerange(first, EVERY_FD)


def confine(order: Order) -> None:
    """Take every privilege, file and system call away that was not granted."""
    network = order.internet or (bool(order.listen) and not order.proxied)
    kernel.drop_capabilities()
    kernel.prctl("setting no_new_privs", kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(
        minimum=order.minimum_landlock,
        read=order.read,
        write=order.write,
        devices=order.devices,
        deny_tcp=not network,
        connect=order.listen,
        closed=order.closed_ports,
    )
    os.umask(0o077)
    families = seccomp.INTERNET if network else seccomp.PROXY if order.proxied else ()
    seccomp.install(
        (*families, *(seccomp.UNIX if order.unix_sockets else ())),
        seccomp.Sharing(user=order.shared_user, files=order.shared_files),
    )


def lower_priority() -> None:
    """Give way to the gateway when processors are short; a child cannot take this back."""
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


def start(order: Order) -> None:
    """Confine this process and replace it with the program; returns never."""
    close_inherited(order)
    if order.listen:
        handover.offer(order.listen)
    if order.keep:
        follow_parent(order.parent)
        order.parent = keeper.keep()
    if order.extra_processes is not None:
        order.rlimits.append(("NPROC", tasks_of(os.getuid()) + order.extra_processes))
    limit(order)
    if order.confine:
        lower_priority()
    if order.uid is not None:
        shed_root(order.uid)
    follow_parent(order.parent)
    if order.directory is not None:
        os.chdir(order.directory)
        os.environ["PWD"] = order.directory
    reset_signals(order)
    if order.confine:
        confine(order)
    os.execv(order.command[0], order.command)  # noqa: S606 - starting the program is the point


def main() -> None:
    """Start the program or end with code 97."""
    try:
        start(parse(sys.argv[1:]))
    except (OSError, ValueError) as error:
        program = sys.argv[-1] if "--" not in sys.argv else sys.argv[sys.argv.index("--") + 1]
        text = f"The sandbox refuses to start {program}: {error}.\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))
        os._exit(REFUSED)


if __name__ == "__main__":
    main()
