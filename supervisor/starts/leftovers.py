"""Processes that outlived an earlier supervisor: recorded while alive, ended at the next start."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARKER = "CLAUDE_RUNNER_CHILD"
"""Environment variable of every child: tells whose it is, also when it left its group."""
CREATE_TIME_SLACK_S = 0.05
"""Kernel ticks: two readings of one process's start may differ by this much."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One child as written down. The start time guards against a number used again."""

    server: str
    pid: int
    started_at: float


class PidFile:
    """The children alive now, on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._alive: dict[int, Recorded] = {}

    def add(self, child: Recorded) -> None:
        """Write a child down."""
        self._alive[child.pid] = child
        self._save()

    def remove(self, pid: int) -> None:
        """Cross a child out."""
        if self._alive.pop(pid, None) is not None:
            self._save()

    def read(self) -> tuple[Recorded, ...]:
        """Return what an earlier supervisor wrote; nothing when the file is missing or torn."""
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            return tuple(Recorded(r["server"], r["pid"], r["started_at"]) for r in rows)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return ()

    def _save(self) -> None:
        rows = [
            {"server": c.server, "pid": c.pid, "started_at": c.started_at}
            for c in self._alive.values()
        ]
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(json.dumps(rows), encoding="utf-8")
        beside.replace(self._path)


def kill_leftovers(recorded: tuple[Recorded, ...], home_mark: str) -> Iterator[Recorded]:
    """End every recorded process that still lives, and every other one that carries our mark."""
    for child in recorded:
        if _same(child):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
                yield child
    yield from _kill_marked(home_mark)


def _same(child: Recorded) -> bool:
    try:
        started_at = psutil.Process(child.pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return abs(started_at - child.started_at) < CREATE_TIME_SLACK_S


def _kill_marked(home_mark: str) -> Iterator[Recorded]:
    for process in psutil.process_iter():
        try:
            server, _, home = process.environ().get(MARKER, "").partition("@")
            if home == home_mark:
                process.kill()
                yield Recorded(server, process.pid, process.create_time())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        except OSError:
            # /proc/PID/environ of a process that is just ending reads as ESRCH.
            continue
