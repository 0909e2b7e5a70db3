"""What `doctor` finds out by doing it: the proxy of granted hosts, warm starts, cgroups."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.settings import Settings
from gateway.variables import CHECKOUT
from sandboxes.limits import cgroup
from sandboxes.network import proxy_probe
from sandboxes.policy import Level
from sandboxes.warm import probe as warm_probe
from sandboxes.warm.parent import WarmConfig
from supervisor.starts.launching import QUIET

REHEARSAL = CHECKOUT / "gateway" / "rehearsal.py"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried."""

    subject: str
    good: bool
    text: str


def trials(settings: Settings) -> Iterator[Trial]:
    """Yield what was tried; starts a child with a granted host and a warm process."""
    yield _proxy(settings)
    yield _warm(settings)
    yield _cgroup(settings)
    yield _node()


def _proxy(settings: Settings) -> Trial:
    if settings.sandbox is not Level.STRONG:
        return Trial("hosts", good=True, text="single hosts are granted under SANDBOX=strong alone")
    reason = proxy_probe.problem(uid_base=settings.sandbox_uid_base)
    text = "a probe child reached its granted host through its proxy"
    return Trial("hosts", reason is None, reason or text)


def _warm(settings: Settings) -> Trial:
    if settings.sandbox is not Level.STRONG:
        return Trial("warm starts", good=True, text="only under SANDBOX=strong; starts are cold")
    roots = (settings.fixed_servers_dir, settings.dynamic_servers_dir)
    with tempfile.TemporaryDirectory(prefix="claude-runner-probe-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        config = WarmConfig(
            python=Path(sys.executable),
            rehearsal=REHEARSAL,
            code_roots=tuple(root for root in roots if root.is_dir()),
            data_root=folder,
            environment=QUIET,
        )
        reason = warm_probe.problem(config)
    if reason is None:
        return Trial("warm starts", good=True, text="a warm process came up")
    return Trial("warm starts", good=False, text=f"starts will be cold: {reason}")


def _cgroup(settings: Settings) -> Trial:
    # Never a problem: the watch holds the same limits.
    if settings.sandbox is Level.OFF:
        return Trial("cgroup", good=True, text="not used under SANDBOX=off")
    group = cgroup.own_group()
    reason = "there is no cgroup v2 tree" if group is None else cgroup.missing(group)
    text = f"{group} is ours: the kernel holds limits too" if reason is None else f"none: {reason}"
    return Trial("cgroup", good=True, text=text)


def _node() -> Trial:
    found = shutil.which("npm")
    text = found or "npm not found: no packages for Node servers; apt-get install npm"
    return Trial("npm", good=True, text=text)
