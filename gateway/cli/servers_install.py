"""``servers install``: what a fixed server needs of the machine, its packages, and its start."""

import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence

from gateway.cli.answers import ask, show_change
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway, read_settings
from gateway.cli.progress import waiting
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind, ServerSpec
from supervisor.system_packages import SystemPackage, missing

LOCK_WAIT_S = 120
"""How long apt-get waits for another package manager."""


def run(args: Namespace) -> int:
    """Install what is missing, and switch the server on; a second time changes nothing."""
    spec = _spec(args)
    _provide(spec)
    live_gateway(args)
    with waiting(args, f"installing the packages of {args.server} and starting it"):
        state = ask(args, "get_server_health", server=args.server)["servers"][0]["state"]
        # One that was on and found nothing gave up; a restart has it look again.
        tool = "restart_mcp_server" if state == "failed" else "enable_fixed_server"
        answer = ask(args, tool, name=args.server)
    return show_change(args, answer)


def _spec(args: Namespace) -> ServerSpec:
    folder = read_settings(args).fixed_servers_dir / args.server
    if not folder.is_dir():
        raise Failure(
            Exit.FAILED,
            f"There is no fixed server {args.server!r}; 'servers list' shows those there are.",
        )
    try:
        return read_server(folder, ServerKind.FIXED)
    except InvalidServer as error:
        raise Failure(Exit.FAILED, str(error)) from error


def _provide(spec: ServerSpec) -> None:
    """Install what is missing of the machine's packages. Raises Failure: it cannot be had."""
    lacking = missing(spec.system_packages)
    if not lacking:
        return
    names = [package.name for package in lacking]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        command = f"apt-get install -y --no-install-recommends {' '.join(names)}"
        raise Failure(
            Exit.FAILED,
            f"Server {spec.name!r} needs {_listed(lacking)}; as root, run: {command}\n"
            f"Then run again: ./claude-runner servers install {spec.name}",
        )
    _apt(names)
    left = missing(lacking)
    if left:
        old = [package for package in left if package.is_too_old]
        raise Failure(
            Exit.FAILED,
            f"Server {spec.name!r} needs {_listed(left)}, and this distribution has "
            + ("only older ones" if old else "none")
            + "; install them from elsewhere, then run this again.",
        )


def _apt(names: Sequence[str]) -> None:
    print(f"installing {' '.join(names)}", file=sys.stderr, flush=True)
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive")
    apt = (*quiet, "apt-get", "-q", "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}")
    subprocess.run((*apt, "update"), stdout=sys.stderr, check=False)
    install = (*apt, "install", "-y", "--no-install-recommends", "--", *names)
    if subprocess.run(install, stdout=sys.stderr, check=False).returncode:
        raise Failure(
            Exit.FAILED,
            f"apt-get could not install {' '.join(names)}; its reason stands above.",
        )


def _listed(packages: Sequence[SystemPackage]) -> str:
    return ", ".join(map(str, packages))
