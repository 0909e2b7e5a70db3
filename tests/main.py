"""`./claude-runner test`: installs the test toolchain, then runs pytest with its arguments."""

import sys

import pytest

from tests import toolchain

SUITE_S = 20 * 60
"""Ends a suite that hangs. `./claude-runner test` is to take 15 minutes on two idle cores, and a
machine that is not idle must not fail for it."""

SIDE_BY_SIDE = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
"""Four workers for two cores, for many tests wait; a file each at a time, in the order of
collection. `-n 0` has the last word."""


def main(arguments: list[str]) -> int:
    """Run the suite and return its exit code."""
    if arguments != ["--version"]:
        failed = toolchain.install()
        if failed:
            return failed
    sample = [f"--session-timeout={SUITE_S}", *SIDE_BY_SIDE]
    return int(pytest.main([*([] if "--full" in arguments else sample), *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
