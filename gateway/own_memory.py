"""Closes the gateway's memory to others: it holds every key and every credential in use."""

import resource

from sandboxes.confinement import kernel


def close_own_memory() -> None:
    """Let no other process of our user read our memory or environment, and no crash write it down.

    prctl(2), PR_SET_DUMPABLE: what is in /proc/PID belongs to root, ptrace is refused. A child is
    readable again once it executes its own program; that no core is written, it inherits.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel.prctl("closing the gateway's memory", kernel.PR_SET_DUMPABLE, 0)
