"""Starts the Claude CLI of one run and ends everything that it started.

Run as a script with ``python -IS``; standard library only, and of that as little as possible, for
it is on the path of every start. It makes a session of its own, becomes the reaper of every
descendant, starts the CLI from an empty environment, and stays until the CLI has ended. Then, or
when it gets a signal, or when the gateway dies, it kills what is left, also what left the process
group. It does the same when the lease of the gateway is over, which may have been stopped and then
ends nothing itself. Under level strong it is for bubblewrap what the outer launcher is for a
server.
"""

import _socket
import ctypes
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Only for their names.
    import signal

    # As above.
    from collections.abc import Iterator, Mapping
else:
    # What is beneath it, without the enumerations around it: 7 ms.
    import _signal as signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT_GONE = 3
"""Exit code when the gateway died before the CLI was started."""

LEASE_LOOK_S = 1.0
"""So much later than the lease ends at most is it seen; others wait five times as long."""

IGNORED_BY_BUBBLEWRAP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A signal to the group is meant for the CLI; bubblewrap must outlive it to report the end."""

HANDOVER_FD = 3
"""Where the launcher expects the socket through which it hands the run's listener over."""
EVERY_FD = 2**31 - 1 if sys.platform == "linux" else os.sysconf("SC_OPEN_MAX")
"""Linux closes a range at once; elsewhere each number is one call."""
FROM_SDK = (
    "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_SDK_READS_SESSION_STATE",
    "PWD",
)  # fmt: skip


def cli_environment(inherited: "Mapping[str, str]") -> dict[str, str]:
    """Return the CLI's environment: the names in RUN_KEEP and those of the SDK, nothing else."""
    names = {*inherited["RUN_KEEP"].split(","), *FROM_SDK}
    kept = {name: inherited[name] for name in sorted(names) if name in inherited}
    if any(name.upper().endswith("_PROXY") for name in kept):
        # The way to the gateway is on loopback, where no proxy finds it.
        past = [kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1", "localhost"]
        kept["NO_PROXY"] = kept["no_proxy"] = ",".join(filter(None, past))
    return kept


def main(arguments: list[str]) -> int:
    """Run the CLI with `arguments`; return its exit code, 128 + n for signal n."""
    parent = int(os.environ["RUN_PARENT"])
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return PARENT_GONE
    _write_group(os.environ["RUN_GROUP_FILE"])
    environment = cli_environment(os.environ)
    channel = _connect(os.environ.get("RUN_CHANNEL"))
    command = split_words(os.environ["RUN_COMMAND"])
    if channel is None:
        command = _tied_to_us(command)
    child = os.fork()
    if child == 0:
        os.chdir(os.environ["RUN_DIRECTORY"])
        _become_cli([*command, *arguments], environment, channel)
    if channel is not None:
        channel.close()
    _let_go_of_pipes()
    status = _wait(child)
    _kill_descendants()
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + status % 128


def split_words(text: str) -> list[str]:
    """Return the words that `options.join_words` joined."""
    return [line.encode("ascii").decode("unicode_escape") for line in text.split("\n")]


def _tied_to_us(command: list[str]) -> list[str]:
    """Return the launcher's command with us as the parent without which it does not go on."""
    at = command.index("--parent") + 1
    return [*command[:at], str(os.getpid()), *command[at + 1 :]]


def _connect(path: str | None) -> _socket.socket | None:
    """Return a connection to the gateway's end of the handing over; None: there is none."""
    if path is None:
        return None
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    folder, _, name = path.rpartition("/")
    # Through a descriptor, because an address has 107 bytes at most (unix(7)).
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    channel.connect(f"/proc/self/fd/{descriptor}/{name}")
    os.close(descriptor)
    return channel


def _become_cli(
    command: list[str], environment: dict[str, str], channel: _socket.socket | None
) -> None:
    """Become the launcher, or bubblewrap: then with the socket for the launcher inside."""
    wrapper = os.getsid(0)
    first = HANDOVER_FD
    if channel is not None:
        if channel.fileno() != HANDOVER_FD:
            os.dup2(channel.fileno(), HANDOVER_FD)
        os.set_inheritable(HANDOVER_FD, True)  # noqa: FBT003 - positional in the library
        first += 1
        for number in IGNORED_BY_BUBBLEWRAP:
            signal.signal(number, signal.SIG_IGN)
    os.closerange(first, EVERY_FD)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    if os.getppid() == wrapper:
        os.execve(command[0], command, environment)  # noqa: S606 - argv, no shell
    os._exit(PARENT_GONE)


def _wait(child: int) -> int:
    """Return the wait status of the CLI, or of SIGKILL when it is to end now."""
    signals = _signals(os.environ.get("RUN_LEASE_FILE"))
    while next(signals) == signal.SIGCHLD:
        while (reaped := _reap()) is not None:
            if reaped[0] == child:
                return reaped[1]
    return int(signal.SIGKILL)


def _signals(lease: str | None) -> "Iterator[int]":
    """Give each signal that comes; SIGTERM when the gateway's lease is over."""
    while lease is None:
        yield signal.sigwait(WATCHED)
    look_at = time.monotonic() + LEASE_LOOK_S
    while True:
        came = signal.sigtimedwait(WATCHED, max(0.0, look_at - time.monotonic()))
        # By the clock, for what the CLI starts may send signals all the time.
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + LEASE_LOOK_S
            if is_over(lease):
                yield signal.SIGTERM
        if came is not None:
            yield came.si_signo


def is_over(lease: str) -> bool:
    """Tell whether the time has come that a file names, in seconds of the machine (CLOCK_BOOTTIME).

    One that cannot be read says nothing.
    """
    try:
        with open(lease, encoding="ascii") as file:  # noqa: PTH123 - as below
            return time.clock_gettime(time.CLOCK_BOOTTIME) > float(file.read())
    except (OSError, ValueError):
        return False


def _reap() -> tuple[int, int] | None:
    """Return a descendant that has ended and its status; None: none has."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _kill_descendants() -> None:
    """Kill children until there are none; the children of a killed one become ours."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Return our children; an unreaped one keeps its number, so that no stranger can be hit."""
    names = os.listdir("/proc")  # noqa: PTH208 - pathlib costs 10 ms here
    return [int(name) for name in names if name.isdigit() and _parent_of(name) == os.getpid()]


def _parent_of(process: str) -> int | None:
    """Return the parent of a process by its number; None when it has gone (proc(5))."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1])


def _write_group(path: str) -> None:
    partial = f"{path}.partial"
    with open(partial, "w", encoding="ascii") as file:  # noqa: PTH123 - as above
        file.write(str(os.getpid()))
    os.rename(partial, path)  # noqa: PTH104 - as above


def _let_go_of_pipes() -> None:
    """Close our ends, so that the gateway reads end-of-file as soon as the CLI has ended."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
