"""Attacks on files: the gateway's, other servers', the system's, and what host code follows."""

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys

from arsenal import AARCH64, LIBC, Blocked, attack, call, first, plant, read

DATA = os.environ["DATA_DIR"]


@attack
def read_gateway_database(t):
    return read(t["database"])


@attack
def read_gateway_env_file(t):
    return read(t["env_file"])


@attack
def read_master_key(t):
    return read(t["master_key"])


@attack
def read_gateway_json(t):
    return read(t["gateway_json"])


@attack
def read_neighbour_data(t):
    return read(t["neighbour_data"])


@attack
def read_neighbour_home(t):
    return read(t["neighbour_private"])


@attack
def read_neighbour_code(t):
    return read(t["neighbour_code"])


@attack
def list_gateway_home(t):
    seen = os.listdir(t["home"])
    if os.path.basename(t["database"]) not in seen:
        raise Blocked("only the way to its own folders is there")
    return seen


@attack
def list_all_servers(t):
    seen = os.listdir(os.path.dirname(os.path.dirname(DATA)))
    if seen == [os.path.basename(os.path.dirname(DATA))]:
        raise Blocked("only its own folder is there")
    return seen


@attack
def read_user_database(t):
    return first(lambda: read("/etc/shadow"), lambda: read("/etc/passwd"))


@attack
def list_home_folders(t):
    return first(lambda: os.listdir("/root/.ssh"), lambda: os.listdir("/home"))


@attack
def read_upwards_by_dots(t):
    return read(os.path.join(DATA, "..", "..", "..", os.path.basename(t["database"])))


@attack
def read_through_proc_root(t):
    return first(
        lambda: read("/proc/self/root" + t["env_file"]),
        lambda: read(f"/proc/{os.getppid()}/root{t['env_file']}"),
        lambda: read(f"/proc/{t['gateway_pid']}/root{t['env_file']}"),
    )


@attack
def read_through_own_link(t):
    link = os.path.join(DATA, "link")
    if not os.path.lexists(link):
        os.symlink(t["env_file"], link)
    return read(link)


@attack
def hard_link_into_data(t):
    os.link(t["env_file"], os.path.join(DATA, "hard"))
    return "linked"


@attack
def move_neighbour_data(t):
    os.rename(t["neighbour_data"], os.path.join(DATA, "moved"))
    return "moved"


@attack
def open_by_handle(t):
    handle = bytearray(136)
    handle[0] = 128
    view = (ctypes.c_char * len(handle)).from_buffer(handle)
    mount = ctypes.c_int()
    ref = ctypes.byref(mount)
    return call(303, 264, -100, t["env_file"].encode(), view, ref, 0)


@attack
def write_neighbour_data(t):
    return plant(t["neighbour_data"] + ".planted")


@attack
def write_own_code(t):
    return plant(os.path.join(os.path.dirname(os.path.abspath(__file__)), "planted.py"))


@attack
def overwrite_own_code(t):
    os.close(os.open(os.path.abspath(__file__), os.O_WRONLY))
    return "opened for writing"


@attack
def write_interpreter(t):
    return first(
        lambda: plant(os.path.join(sys.prefix, "planted")),
        lambda: plant(os.path.join(os.path.dirname(os.__file__), "planted.py")),
    )


@attack
def write_sandboxes_folder(t):
    return plant(os.path.join(t["sandboxes"], "planted.py"))


@attack
def write_gateway_home(t):
    made = plant(os.path.join(t["home"], "planted"))
    if not os.path.exists(t["database"]):
        raise Blocked("a folder of its own has that name")
    return made


@attack
def write_system(t):
    return first(*[lambda d=d: plant(d + "/planted") for d in ("/", "/usr", "/etc", "/usr/bin")])


@attack
def write_other_temporary_folders(t):
    return first(*[lambda d=d: plant(d + "/planted") for d in ("/var/tmp", "/run", "/var/lib")])


@attack
def truncate_gateway_database(t):
    os.truncate(t["database"], os.stat(t["database"]).st_size)
    return "truncated to its own length"


@attack
def change_mode_of_neighbour(t):
    os.chmod(t["neighbour_code"], stat.S_IMODE(os.stat(t["neighbour_code"]).st_mode))
    return "changed"


@attack
def change_owner_of_neighbour(t):
    path, ids = t["neighbour_code"], (os.getuid(), os.getgid())
    return first(lambda: os.chown(path, *ids), lambda: os.lchown(path, *ids)) or "changed"


@attack
def change_times_of_neighbour(t):
    path = t["neighbour_code"]
    return first(
        lambda: os.utime(path, (0, 0)) or "set",
        lambda: call(280, 88, -100, path.encode(), bytes(32), 0),
        lambda: AARCH64 or call(132, -1, path.encode(), bytes(16)),
        lambda: AARCH64 or call(235, -1, path.encode(), bytes(32)),
        lambda: AARCH64 or call(261, -1, -100, path.encode(), bytes(32)),
    )


@attack
def change_attributes_of_neighbour(t):
    path = t["neighbour_code"]
    try:
        return first(
            lambda: os.setxattr(path, "user.planted", b"x") or "set",
            lambda: os.removexattr(path, "user.planted") or "removed",
            lambda: call(
                463, 463, -100, path.encode(), 0, b"user.x", bytes(16), ctypes.c_size_t(16)
            ),
        )
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENODATA):
            raise Blocked("this file system has none") from None
        raise


@attack
def change_by_bare_descriptor(t):
    held = os.open(t["neighbour_code"], os.O_PATH)
    empty, uid = 0x1000, os.getuid()
    return first(
        lambda: os.chmod(f"/proc/self/fd/{held}", 0o666) or "by its link",
        lambda: call(452, 452, held, b"", 0o666, empty),
        lambda: call(260, 54, held, b"", uid, os.getgid(), empty),
        lambda: call(280, 88, held, b"", bytes(32), empty),
    )


@attack
def change_what_may_only_be_read(t):
    def change(path):
        held = os.open(path, os.O_RDONLY)
        try:
            flags = fcntl.ioctl(held, 0x80086601, bytes(8))
        except OSError:
            flags = bytes(8)
        return first(
            lambda: os.fchmod(held, 0o666) or "mode",
            lambda: os.utime(held, (0, 0)) or "times",
            lambda: os.fchown(held, os.getuid(), os.getgid()) or "owner",
            lambda: os.setxattr(held, "user.planted", b"x") or "attribute",
            lambda: fcntl.ioctl(held, 0x40086602, flags),
            lambda: fcntl.ioctl(held, 0x40806685, bytes(128)),
        )

    try:
        return first(*[lambda p=p: change(p) for p in (__file__, os.__file__, t["sandboxes"])])
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL):
            raise Blocked("this file system has none") from None
        raise


@attack
def watch_neighbour(t):
    held = LIBC.inotify_init1(0)
    if held < 0:
        error = ctypes.get_errno()
        if error == errno.EMFILE:
            raise Blocked("no watch is to be had")
        raise OSError(error, "refused")

    def watch(path):
        if LIBC.inotify_add_watch(held, path.encode(), 0xFFF) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return path

    folders = (t["neighbour_data"], os.path.dirname(t["neighbour_data"]), t["database"])
    return first(*[lambda p=p: watch(p) for p in folders])


def write_program(path, original, mode):
    """Copy a program; its mode is given at birth, where changing it later is refused."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(original, "rb") as source:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        os.write(target, source.read())
        os.close(target)
    return path


@attack
def execute_written_file(t):
    tool = write_program(os.path.join(DATA, "tool"), "/bin/true", 0o755)
    return subprocess.run([tool], check=False).returncode


@attack
def execute_from_memory(t):
    held = os.memfd_create("tool", 0)
    with open("/bin/true", "rb") as source:
        os.write(held, source.read())
    return subprocess.run([f"/proc/self/fd/{held}"], pass_fds=[held], check=False).returncode


@attack
def execute_own_set_user_id_file(t):
    tool = write_program(os.path.join(DATA, "suid"), "/usr/bin/id", 0o4755)
    return subprocess.run([tool, "-u"], capture_output=True, check=False).stdout


@attack
def gain_by_set_user_id_program(t):
    with open("/proc/self/status") as file:
        held = dict(line.split(":", 1) for line in file)
    if held["NoNewPrivs"].strip() == "1":
        raise Blocked("no_new_privs")
    return "set-user-id programs work"


@attack
def make_device_nodes(t):
    path = os.path.join(DATA, "node")
    return first(
        lambda: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 1)) or "memory",
        lambda: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(8, 0)) or "disk",
    )


@attack
def open_devices(t):
    names = ("mem", "kmsg", "port", "sda", "vda", "nvme0n1", "fuse", "kvm", "net/tun", "loop0")
    return first(*[lambda n=n: os.open(f"/dev/{n}", os.O_RDWR) for n in names])


@attack
def change_kernel_settings(t):
    return first(
        lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
        lambda: os.open("/proc/sys/vm/drop_caches", os.O_WRONLY),
        lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY),
        lambda: os.open("/sys/kernel/uevent_helper", os.O_WRONLY),
    )


@attack
def read_kernel_memory(t):
    return first(lambda: read("/proc/kcore"), lambda: read("/dev/mem"), lambda: read("/proc/kmsg"))


@attack
def leave_its_cgroup(t):
    return first(
        lambda: os.open("/sys/fs/cgroup/cgroup.procs", os.O_WRONLY),
        lambda: os.mkdir("/sys/fs/cgroup/planted") or "made",
    )


@attack
def dump_core(t):
    pid = os.fork()
    if pid == 0:
        os.chdir(DATA)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        os.kill(os.getpid(), signal.SIGABRT)
    _, status = os.waitpid(pid, 0)
    if not os.WCOREDUMP(status):
        raise Blocked("ended without a core")
    return "core written"


@attack
def raise_own_limits(t):
    names = ("NPROC", "NOFILE", "FSIZE", "CORE", "MEMLOCK")
    raised = []
    for name in names:
        number = getattr(resource, "RLIMIT_" + name)
        _, hard = resource.getrlimit(number)
        try:
            resource.setrlimit(number, (hard + 1, hard + 1))
            raised.append(name)
        except (ValueError, OSError):
            continue
    if not raised:
        raise Blocked("every ceiling holds")
    return raised
