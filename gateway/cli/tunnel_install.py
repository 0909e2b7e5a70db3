"""``tunnel install``: puts ngrok's SDK, an extra, beside the packages of the gateway."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from gateway.cli.exits import Exit, Failure
from gateway.variables import CHECKOUT

LOCK = CHECKOUT / "requirements-ngrok.txt"


def run(_: Namespace) -> int:
    """Install what the lock names, checked by its hashes."""
    uv = str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes"]
    command = [*install, "--only-binary", ":all:", "-r", str(LOCK)]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise Failure(
            Exit.FAILED, "ngrok's package could not be installed; the reason stands above."
        )
    print("ngrok's package is installed; start the gateway again.", file=sys.stderr)
    return Exit.OK
