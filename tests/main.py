"""`./claude-runner test`: installs the test toolchain, then runs pytest with its arguments."""

import sys

import pytest

from tests import toolchain

SUITE_S = 15 * 60
"""The promise of `./claude-runner test` on two cores; a full run may take longer."""


def main(arguments: list[str]) -> int:
    """Run the suite and return its exit code."""
    failed = toolchain.install()
    if failed:
        return failed
    bound = [] if "--full" in arguments else [f"--session-timeout={SUITE_S}"]
    return int(pytest.main([*bound, *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
