"""Attacks on the kernel's odd corners: namespaces, mounts, modules, rings, keys, terminals."""

import ctypes
import fcntl
import os

from arsenal import AARCH64, Blocked, attack, call, first, in_child

NULL = ctypes.c_void_p(None)
NEW_USER, NEW_MOUNT, NEW_PID, NEW_NET = 0x10000000, 0x00020000, 0x20000000, 0x40000000
SIGCHLD = 17


@attack
def unshare_user_namespace(t):
    return in_child(lambda: call(272, 97, NEW_USER))


@attack
def unshare_other_namespaces(t):
    return first(
        *[lambda n=n: in_child(lambda: call(272, 97, n)) for n in (NEW_MOUNT, NEW_PID, NEW_NET)]
    )


@attack
def clone_into_user_namespace(t):
    def action():
        pid = call(56, 220, ctypes.c_long(NEW_USER | SIGCHLD), 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return pid

    return in_child(action)


@attack
def clone3_into_user_namespace(t):
    return in_child(lambda: call(435, 435, (ctypes.c_uint64 * 11)(NEW_USER, 0, 0, 0, SIGCHLD), 88))


@attack
def join_namespaces_of_others(t):
    def join(name):
        held = os.open(f"/proc/{t['gateway_pid']}/ns/{name}", os.O_RDONLY)
        return call(308, 268, held, 0)

    return first(
        *[lambda n=n: in_child(lambda: join(n)) for n in ("mnt", "net", "pid")],
        lambda: in_child(lambda: call(308, 268, os.pidfd_open(os.getpid()), NEW_NET)),
    )


@attack
def mount_file_system(t):
    return in_child(lambda: call(165, 40, b"none", b"/tmp", b"tmpfs", 0, NULL))


@attack
def mount_again_writable(t):
    return in_child(lambda: call(165, 40, NULL, b"/usr", NULL, 32 | 4096, NULL))


@attack
def unmount(t):
    return first(*[lambda p=p: in_child(lambda: call(166, 39, p, 2)) for p in (b"/proc", b"/tmp")])


@attack
def mount_by_new_calls(t):
    return first(
        lambda: in_child(lambda: call(430, 430, b"tmpfs", 0)),
        lambda: in_child(lambda: call(428, 428, -100, b"/", 1)),
        lambda: in_child(lambda: call(442, 442, -100, b"/", 0, bytes(32), 32)),
    )


@attack
def change_root(t):
    data = os.environ["DATA_DIR"].encode()
    return first(
        lambda: in_child(lambda: call(161, 51, data)),
        lambda: in_child(lambda: call(155, 41, data, data)),
    )


@attack
def use_io_uring(t):
    return in_child(lambda: call(425, 425, 4, bytes(256)))


@attack
def use_keyrings(t):
    return first(
        lambda: in_child(lambda: call(250, 219, 0, -3, 1)),
        lambda: in_child(lambda: call(248, 217, b"user", b"planted", b"x", 1, -3)),
    )


@attack
def load_bpf_program(t):
    return in_child(lambda: call(321, 280, 0, bytes(128), 128))


@attack
def use_userfaultfd(t):
    return in_child(lambda: call(323, 282, 1))


@attack
def use_performance_events(t):
    return in_child(lambda: call(298, 241, bytes([0, 0, 0, 0, 112]) + bytes(123), 0, -1, -1, 0))


@attack
def load_kernel_module(t):
    return first(
        lambda: in_child(lambda: call(175, 105, bytes(8), 8, b"")),
        lambda: in_child(lambda: call(313, 273, 0, b"", 0)),
    )


@attack
def load_another_kernel(t):
    return first(
        lambda: in_child(lambda: call(246, 104, 0, 0, NULL, 0)),
        lambda: in_child(lambda: call(320, 294, -1, -1, 0, b"", 0)),
    )


@attack
def restart_machine(t):
    # Wrong magic numbers: whoever may restart is answered EINVAL.
    return in_child(lambda: call(169, 142, 0, 0, 0, 0))


@attack
def use_swap(t):
    return in_child(lambda: call(167, 224, os.environ["DATA_DIR"].encode(), 0))


@attack
def set_clock(t):
    return first(
        lambda: in_child(lambda: call(227, 112, 0, NULL)),
        lambda: in_child(lambda: call(164, 170, NULL, NULL)),
    )


@attack
def rename_machine(t):
    return in_child(lambda: call(170, 161, b"planted", 7))


@attack
def read_kernel_log(t):
    return in_child(lambda: call(103, 116, 3, bytes(64), 64))


@attack
def watch_file_system(t):
    return in_child(lambda: call(300, 262, 0, 0))


@attack
def account_processes(t):
    return in_child(lambda: call(163, 89, NULL))


@attack
def switch_personality(t):
    return in_child(lambda: call(135, 92, 0x0040000))


@attack
def share_memory_with_others(t):
    return first(
        lambda: in_child(lambda: call(29, 194, 1234, 4096, 0o1666)),
        lambda: in_child(lambda: call(64, 190, 1234, 1, 0o1666)),
        lambda: in_child(lambda: call(68, 186, 1234, 0o1666)),
        lambda: in_child(lambda: call(240, 180, b"planted", 0o102, 0o600, NULL)),
    )


@attack
def hold_memory_without_mapping(t):
    return first(
        lambda: in_child(lambda: os.memfd_create("hidden")),
        lambda: in_child(lambda: call(447, 447, 0)),
    )


@attack
def type_into_terminal(t):
    return first(
        lambda: in_child(lambda: fcntl.ioctl(0, 0x5412, b"x")),
        lambda: in_child(lambda: fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")),
    )


@attack
def take_over_terminal(t):
    return first(lambda: os.open("/dev/tty", os.O_RDWR), lambda: os.open("/dev/console", os.O_RDWR))


@attack
def open_pseudo_terminal_of_others(t):
    return first(*[lambda n=n: os.open(f"/dev/pts/{n}", os.O_RDWR) for n in range(4)])


@attack
def touch_hardware_ports(t):
    if AARCH64:
        raise Blocked("this processor has none")
    return first(
        lambda: in_child(lambda: call(172, -1, 3)), lambda: in_child(lambda: call(173, -1, 0, 8, 1))
    )


@attack
def use_x32_calls(t):
    return in_child(lambda: call(0x40000000 | 39, 0x40000000 | 172))


@attack
def use_unknown_calls(t):
    return first(
        *[lambda n=n: in_child(lambda: call(n, n, 0, 0, 0)) for n in (467, 468, 500, 1000)]
    )


@attack
def add_own_filter(t):
    return in_child(lambda: call(317, 277, 1, 0, bytes(16)))
