"""Attacks on what all share: memory, processes, disks, descriptors, the gateway's attention."""

import ctypes
import errno
import mmap
import os
import signal
import socket
import sys
import threading
import time

from arsenal import Limited, bomb, call

DATA = os.environ["DATA_DIR"]
MIB = 1 << 20
PIECE = b"x" * MIB
ENOUGH_FILES = 4096
ENOUGH_MIB = 4096
LONG_S = 20.0
"""What is not over by then was stopped by nobody."""


def until_refused(action, enough):
    """Repeat an action until an error ends it; raise Limited, or say that nothing did."""
    for count in range(enough):
        try:
            action(count)
        except (OSError, MemoryError, RuntimeError) as error:
            name = errno.errorcode.get(getattr(error, "errno", None), type(error).__name__)
            raise Limited(f"{name} after {count}") from None
    return f"{enough} times without a limit"


def wait_for_the_end():
    """Hold what was taken; whoever is still there in the end was not stopped."""
    time.sleep(LONG_S)
    return "nobody stopped it"


@bomb
def fork_bomb(t):
    held = []

    def fork(_):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        held.append(pid)

    try:
        return until_refused(fork, 2000)
    finally:
        for pid in held:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@bomb
def multiplying_fork_bomb(t):
    own = os.getpid()
    for _ in range(12):
        try:
            os.fork()
        except OSError:
            continue
    time.sleep(2)
    if os.getpid() != own:
        os._exit(0)
    raise Limited("the ceiling held")


@bomb
def thread_bomb(t):
    stop = threading.Event()
    threading.stack_size(65536)
    try:
        return until_refused(
            lambda _: threading.Thread(target=stop.wait, daemon=True).start(), 2000
        )
    finally:
        stop.set()


@bomb
def memory_in_one_process(t):
    held = []
    return until_refused(lambda _: held.append(bytearray(PIECE)), ENOUGH_MIB)


@bomb
def memory_in_many_processes(t):
    for _ in range(8):
        if os.fork() == 0:
            held = []
            for _ in range(150):
                held.append(bytearray(PIECE))
            signal.pause()
    return wait_for_the_end()


@bomb
def shared_memory(t):
    held = []
    for _ in range(8):
        if os.fork() == 0:
            for _ in range(150):
                piece = mmap.mmap(-1, MIB)
                piece.write(PIECE)
                held.append(piece)
            signal.pause()
    return wait_for_the_end()


def behind_an_ended_thread(action):
    """Do it in a process whose first thread has ended, which takes its numbers with it."""
    if os.fork() == 0:
        threading.Thread(target=action).start()
        call(60, 93, 0)
    return wait_for_the_end()


@bomb
def memory_behind_an_ended_thread(t):
    def take():
        held = [bytearray(PIECE) for _ in range(250)]
        time.sleep(LONG_S + len(held))

    return behind_an_ended_thread(take)


@bomb
def files_behind_an_ended_thread(t):
    def take():
        held = []
        for number in range(24):
            path = os.path.join(DATA, f"file-{number}")
            held.append(open(path, "wb", 0))
            os.unlink(path)
            for _ in range(8):
                held[-1].write(PIECE)
        time.sleep(LONG_S)

    return behind_an_ended_thread(take)


@bomb
def descriptors(t):
    held = []
    return until_refused(lambda _: held.append(os.open("/dev/null", os.O_RDONLY)), 100_000)


@bomb
def one_big_file(t):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(os.path.join(DATA, "big"), "wb", 0) as file:
        return until_refused(lambda _: file.write(PIECE), ENOUGH_MIB)


@bomb
def many_big_files(t):
    for number in range(64):
        with open(os.path.join(DATA, f"file-{number}"), "wb", 0) as file:
            for _ in range(8):
                file.write(PIECE)
    return wait_for_the_end()


@bomb
def deleted_files(t):
    held = []
    # Not more: they would meet the limit of open files before the watch looks.
    for number in range(24):
        path = os.path.join(DATA, f"file-{number}")
        file = open(path, "wb", 0)
        held.append(file)
        os.unlink(path)
        for _ in range(8):
            file.write(PIECE)
    return wait_for_the_end()


def unlinked_file(number):
    """Make a file of 8 MiB without a name; return its descriptor."""
    path = os.path.join(DATA, f"file-{number}")
    with open(path, "wb+", 0) as file:
        os.unlink(path)
        for _ in range(8):
            file.write(PIECE)
        return os.dup(file.fileno())


@bomb
def files_under_way(t):
    held = socket.socketpair()
    for number in range(24):
        descriptor = unlinked_file(number)
        socket.send_fds(held[0], [b"x"], [descriptor])
        os.close(descriptor)
    return wait_for_the_end()


@bomb
def files_only_mapped(t):
    for number in range(24):
        descriptor = unlinked_file(number)
        # mmap.mmap would keep a descriptor of its own.
        size, offset = ctypes.c_size_t(8 * MIB), ctypes.c_size_t(0)
        call(9, 222, None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, offset)
        os.close(descriptor)
    return wait_for_the_end()


@bomb
def files_in_home(t):
    for number in range(64):
        with open(os.path.join(os.environ["HOME"], f"file-{number}"), "wb", 0) as file:
            for _ in range(8):
                file.write(PIECE)
    return wait_for_the_end()


@bomb
def many_small_files(t):
    for number in range(20_000):
        os.close(os.open(os.path.join(DATA, str(number)), os.O_CREAT | os.O_WRONLY, 0o600))
    return wait_for_the_end()


@bomb
def folders_in_folders(t):
    os.chdir(DATA)
    for _ in range(2000):
        os.mkdir("d")
        os.chdir("d")
    return wait_for_the_end()


def fill(folder):
    """Fill a folder of memory."""

    def write(number):
        with open(os.path.join(folder, str(number)), "wb", 0) as file:
            file.write(PIECE)

    return until_refused(write, 512)


@bomb
def fill_tmp(t):
    return fill("/tmp")


@bomb
def fill_shared_memory(t):
    return fill("/dev/shm")


@bomb
def pipes(t):
    def fill_pipe(_):
        reading, writing = os.pipe()
        held.append((reading, writing))
        os.set_blocking(writing, False)
        os.write(writing, b"x" * 65536)

    held = []
    return until_refused(fill_pipe, 100_000)


@bomb
def socket_buffers(t):
    held = []

    def fill_pair(_):
        pair = socket.socketpair()
        held.append(pair)
        pair[0].setblocking(False)
        pair[0].send(PIECE)

    return until_refused(fill_pair, 100_000)


@bomb
def burn_processors(t):
    for _ in range(24):
        if os.fork() == 0:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                pass
            os._exit(0)
    time.sleep(2.5)
    raise Limited("its share is smaller than the gateway's")


@bomb
def flood_output(t):
    line = b"this is not MCP\n" * 4096
    while True:
        os.write(1, line)


@bomb
def endless_line(t):
    while True:
        os.write(1, PIECE)


@bomb
def flood_errors(t):
    end = time.monotonic() + 2
    while time.monotonic() < end:
        sys.stderr.write("x" * 100_000)
    raise Limited("only the last lines are kept")
