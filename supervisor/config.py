"""What holds for all servers of a supervisor."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandboxes.limits.cgroup import Cgroups
from sandboxes.ownership import UID_BASE
from sandboxes.packages.build import PackageIndex, Tools
from sandboxes.policy import Level
from sandboxes.warm.parent import WarmConfig
from supervisor.slots.restart import RestartPolicy
from supervisor.starts.launching import QUIET


@dataclass(frozen=True, slots=True)
class WarmStarts:
    """What Python servers need to be started warm."""

    rehearsal: Path
    """A script that imports what they import, and uses it once."""
    code_roots: tuple[Path, ...]
    """Folders with their code, and with nothing of the gateway's."""


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    """What holds for all servers."""

    home: Path
    """Absolute; holds `servers/<name>/` and `pids.json`."""
    python: Path
    """Interpreter of Python servers."""
    level: Level
    uid_base: int = UID_BASE
    """First of the user ids that children get when the supervisor runs as root."""
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    warm: WarmStarts | None = None
    """None: every start is cold. Of use at level strong alone."""
    closed_ports: tuple[int, ...] = ()
    """Ports, such as the gateway's own, that children with network `full` cannot connect to."""
    cgroups: Cgroups | None = None
    """Where the kernel holds limits too; None: no part of the cgroup v2 tree is ours."""
    index: PackageIndex = field(default_factory=PackageIndex)
    """Where the packages come from that servers declare."""


def warm_config(config: SupervisorConfig) -> WarmConfig | None:
    """Return what is needed to start servers warm; None where none can be."""
    if config.level is not Level.STRONG or config.warm is None:
        return None
    return WarmConfig(
        python=config.python,
        rehearsal=config.warm.rehearsal,
        code_roots=config.warm.code_roots,
        data_root=config.home / "servers",
        environment=QUIET,
        closed_ports=config.closed_ports,
    )


def build_tools(config: SupervisorConfig) -> Tools:
    """Return what environments are built with."""
    # uv is one of our own requirements, so its program lies beside our interpreter.
    uv = Path(sys.executable).with_name("uv")
    return Tools(
        config.python,
        uv,
        config.level,
        uid_base=config.uid_base,
        index=config.index,
        closed_ports=config.closed_ports,
    )
