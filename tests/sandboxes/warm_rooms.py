"""Rooms whose children are forks of a warm process."""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sandboxes import ownership
from sandboxes.launch import Launch
from sandboxes.policy import Level, NetworkMode, Policy
from sandboxes.warm.parent import (
    Failed,
    Forked,
    ForkedChild,
    Refused,
    WarmConfig,
    WarmProcess,
    WarmReady,
)
from tests.sandboxes.conftest import GUARD_S, Room, open_to_all, python_for


@dataclass(frozen=True)
class WarmRoom(Room):
    """A room in which `run` forks instead of starting a program."""

    process: WarmProcess
    config: WarmConfig

    def run(
        self, code: str, *arguments: str, policy: Policy | None = None, **credentials: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code as a server to its end; with a warm process of its network."""
        ready = self.prepare((*self.command(code), *arguments), policy=policy, **credentials)
        if policy is None or policy.network.mode is not NetworkMode.FULL:
            return finish(self.process, ready)
        full = replace(self.config, network=NetworkMode.FULL, closed_ports=policy.closed_ports)
        with warm_process(full) as process:
            return finish(process, ready)


def build_warm_room(process: WarmProcess, config: WarmConfig, name: str = "own") -> WarmRoom:
    """Make the folders of one server below those that the warm process sees."""
    folder = config.data_root.parent
    code, home = folder / "code" / name, folder / "servers" / name
    code.mkdir()
    room = WarmRoom(
        level=Level.STRONG,
        code=code,
        data=home / "data",
        private=home / "private",
        secret=folder / "gateway.env",
        python=python_for(Level.STRONG),
        process=process,
        config=config,
    )
    ownership.make_folders(room.data, room.private, room.uid)
    return room


def warm_config(folder: Path, rehearsal: str = "") -> WarmConfig:
    """What a warm process sees: the code and the data in a folder, not the secret beside them."""
    open_to_all(folder)
    for name in ("code", "servers"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "gateway.env").write_text("OAUTH_SECRET_KEY=very-secret", encoding="utf-8")
    script = folder / "rehearsal.py"
    script.write_text(rehearsal, encoding="utf-8")
    return WarmConfig(
        python=python_for(Level.STRONG),
        rehearsal=script,
        code_roots=(folder / "code",),
        data_root=folder / "servers",
        environment={},
    )


@contextmanager
def warm_process(config: WarmConfig) -> Iterator[WarmProcess]:
    """Start one and wait until it is ready."""
    process = WarmProcess(config, on_forgotten=lambda: None)
    try:
        said = hear(process)
        assert isinstance(said, WarmReady), said
        yield process
    finally:
        process.close()


def fork(process: WarmProcess, ready: Launch) -> ForkedChild:
    """Return a child that is confined, or was refused that."""
    process.ask(ready)
    said = hear(process)
    assert isinstance(said, Forked), said
    wait_for(said.child.exit_fd)
    return said.child


def finish(process: WarmProcess, ready: Launch) -> "subprocess.CompletedProcess[str]":
    """Run a child to its end, as `conftest.finish` does a cold one."""
    child = fork(process, ready)
    assert child.confined(), os.read(child.stderr, 4096)
    os.close(child.stdin)
    out, err = (read_all(descriptor) for descriptor in (child.stdout, child.stderr))
    wait_for(child.exit_fd)
    if child.way_out is not None:
        child.way_out.ours.close()
    return subprocess.CompletedProcess(ready.argv, child.reap(), out, err)


def hear(process: WarmProcess) -> WarmReady | Forked | Refused | Failed | None:
    """Wait until the warm process says something."""
    wait_for(process.fileno())
    return process.hear()


def wait_for(descriptor: int) -> None:
    """Wait until there is something to read."""
    ready, _, _ = select.select([descriptor], [], [], GUARD_S)
    assert ready, f"nothing came within {GUARD_S:g} s"


def read_all(descriptor: int) -> str:
    """Read to the end and close."""
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        return stream.read()
