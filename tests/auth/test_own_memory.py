"""The gateway's memory: closed to processes of its own user."""

import subprocess
import sys

from gateway.variables import CHECKOUT

SCRIPT = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
from gateway.own_memory import close_own_memory
from sandboxes.confinement import kernel

def read_by_another():
    number = os.getpid()
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        for name in ("environ", "mem", "maps"):
            open(f"/proc/{number}/{name}", "rb").close()
    except PermissionError:
        os._exit(13)
    os._exit(0)

if os.geteuid() == 0:
    os.setuid(65534)
    kernel.prctl("as after exec", kernel.PR_SET_DUMPABLE, 1)
before = read_by_another()
close_own_memory()
print(before, read_by_another(), resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_no_process_of_the_same_user_reads_the_memory_and_no_crash_writes_it() -> None:
    """Issue 6, 7: PR_SET_DUMPABLE 0 and RLIMIT_CORE 0; before that, anybody could."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, CHECKOUT],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "0 13 (0, 0)\n")
