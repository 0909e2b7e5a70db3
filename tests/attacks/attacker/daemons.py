"""Processes that try to outlive their server, and links that wait for host code."""

import ctypes
import os
import signal
import time

DATA = os.environ["DATA_DIR"]


def daemonise(arguments):
    """Leave session, group and parent; hold a lock file open for as long as it lives."""
    count = arguments.get("count", 1)
    for number in range(count):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                _live(number)
            os._exit(0)
        os.wait()
    path = os.path.join(DATA, f"alive-{count - 1}")
    while not os.path.exists(path):
        time.sleep(0.01)
    return count


def _live(number):
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    # Whoever set a parent-death signal on us did so in vain.
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    os.environ.clear()
    os.close(os.open(os.path.join(DATA, f"alive-{number}"), os.O_CREAT | os.O_WRONLY))
    while True:
        time.sleep(0.02)
        os.utime(os.path.join(DATA, f"alive-{number}"))


def crash(arguments):
    """End as a defect would."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def plant_links(arguments):
    """Leave links and a deep folder for whoever measures, removes or hands over this folder."""
    os.symlink(arguments["precious"], os.path.join(DATA, "folder"))
    os.symlink(os.path.join(arguments["precious"], "file"), os.path.join(DATA, "file"))
    os.symlink("/", os.path.join(DATA, "root"))
    os.symlink(DATA, os.path.join(DATA, "loop"))
    os.rmdir(os.environ["TMPDIR"])
    os.symlink(arguments["precious"], os.environ["TMPDIR"])
    for _ in range(20):
        os.mkdir(os.path.join(DATA, "deep"), 0o700)
        os.rename(os.path.join(DATA, "deep"), os.path.join(DATA, f"deep-{_}"))
    return "planted"
