"""Attacks on other processes, on descriptors and on what this process may not be."""

import ctypes
import errno
import os
import signal

from arsenal import LIBC, Blocked, attack, call, first, in_child, read, recognised

INHERITED = sorted(
    int(name)
    for name in os.listdir("/proc/self/fd")
    if int(name) > 2 and os.path.lexists(f"/proc/self/fd/{name}")
)
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


def others(t):
    """The processes that an attacker would go for."""
    return [t["gateway_pid"], t["neighbour_pid"], os.getppid()]


def on_others(t, action):
    """Try an action on each of them."""
    return first(*[lambda p=p: in_child(lambda: action(p)) for p in others(t)])


@attack
def read_environment_of_others(t):
    return first(*[lambda p=p: read(f"/proc/{p}/environ") for p in others(t)])


@attack
def read_memory_of_others(t):
    return first(*[lambda p=p: os.open(f"/proc/{p}/mem", os.O_RDWR) for p in others(t)])


@attack
def read_arguments_of_others(t):
    return first(
        *[lambda p=p: read(f"/proc/{p}/cmdline") for p in (t["gateway_pid"], t["neighbour_pid"])]
    )


@attack
def look_through_descriptors_of_others(t):
    tries = [(p, n) for p in others(t) for n in range(8)]
    return first(*[lambda p=p, n=n: os.readlink(f"/proc/{p}/fd/{n}") for p, n in tries])


@attack
def list_all_processes(t):
    seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if t["gateway_pid"] in seen or len(seen) > 20:
        return f"{len(seen)} processes"
    raise Blocked("sees its own only")


@attack
def follow_files_of_others(t):
    names = ("cwd", "exe", "root")
    tries = [(p, n) for p in others(t) for n in names]
    return first(*[lambda p=p, n=n: os.stat(f"/proc/{p}/{n}/.") for p, n in tries])


@attack
def signal_gateway(t):
    os.kill(t["gateway_pid"], 0)
    return "could be signalled"


@attack
def signal_neighbour(t):
    os.kill(t["neighbour_pid"], 0)
    return "could be signalled"


@attack
def kill_own_wrapper(t):
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    if os.getppid() == parent:
        raise Blocked("it ignores that")
    return "killed"


@attack
def stop_own_wrapper(t):
    os.kill(os.getppid(), signal.SIGSTOP)
    if os.getppid() == 1:
        raise Blocked("the first process of a namespace ignores that")
    return "stopped"


@attack
def signal_by_descriptor(t):
    return on_others(
        t, lambda p: signal.pidfd_send_signal(os.pidfd_open(p), signal.SIGCONT) or "sent"
    )


@attack
def take_descriptor_of_others(t):
    return on_others(t, lambda p: call(438, 438, os.pidfd_open(p), 1, 0))


@attack
def trace_others(t):
    return on_others(t, lambda p: call(101, 117, PTRACE_SEIZE, p, 0, 0))


@attack
def trace_own_child(t):
    def action():
        pid = os.fork()
        if pid == 0:
            signal.pause()
        try:
            return call(101, 117, PTRACE_ATTACH, pid, 0, 0)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    return in_child(action)


def vectors():
    """One empty byte here, one at an address there."""
    text = ctypes.create_string_buffer(8)
    return (ctypes.c_size_t * 2)(ctypes.addressof(text), 8), text


@attack
def read_memory_by_call(t):
    here, _kept = vectors()
    return on_others(t, lambda p: call(310, 270, p, here, 1, here, 1, 0))


@attack
def write_memory_by_call(t):
    here, _kept = vectors()
    return on_others(t, lambda p: call(311, 271, p, here, 0, here, 0, 0))


@attack
def compare_with_others(t):
    return on_others(t, lambda p: call(312, 272, p, p, 2, 0, 0))


@attack
def change_limits_of_others(t):
    import resource

    return on_others(t, lambda p: resource.prlimit(p, resource.RLIMIT_NOFILE))


@attack
def change_priority_of_others(t):
    return on_others(t, lambda p: os.setpriority(os.PRIO_PROCESS, p, 19) or "lowered")


@attack
def change_priority_of_user(t):
    os.setpriority(os.PRIO_USER, 0, 19)
    return "lowered"


@attack
def change_disk_priority_of_others(t):
    idle = 3 << 13
    return first(
        lambda: on_others(t, lambda p: call(251, 30, 1, p, idle)),
        lambda: in_child(lambda: call(251, 30, 3, os.getuid(), idle)),
    )


@attack
def change_processors_of_others(t):
    return on_others(t, lambda p: os.sched_setaffinity(p, {0}) or "pinned")


@attack
def raise_own_priority(t):
    return first(
        lambda: in_child(lambda: os.nice(-1)),
        lambda: in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    )


@attack
def use_inherited_descriptors(t):
    foreign = []
    for number in INHERITED:
        try:
            foreign.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    if not foreign:
        raise Blocked("only the three standard ones")
    return foreign


@attack
def find_secrets_in_environment(t):
    found = [key for key, value in os.environ.items() if recognised(value.encode(), t["hint"])]
    if not found:
        raise Blocked("not there")
    return found


@attack
def find_secrets_in_first_environment(t):
    if recognised(open("/proc/self/environ", "rb").read(), t["hint"]):
        return "there"
    raise Blocked("not there")


@attack
def become_root(t):
    def become(change):
        try:
            change(0, 0, 0)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise PermissionError(errno.EPERM, "its namespace has no root") from None
            raise
        return "root"

    return first(
        lambda: in_child(lambda: become(os.setresuid)),
        lambda: in_child(lambda: become(os.setresgid)),
    )


@attack
def join_groups(t):
    return in_child(lambda: os.setgroups([0]) or "joined")


@attack
def regain_capabilities(t):
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    full = (ctypes.c_uint32 * 6)(*([0xFFFFFFFF] * 6))

    def action():
        if LIBC.capset(header, full) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return "regained"

    return in_child(action)


@attack
def hide_from_the_watch(t):
    if LIBC.prctl(4, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return "no longer dumpable"
