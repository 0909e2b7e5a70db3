"""``doctor``: what this machine offers, one line per finding."""

import json
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sandboxes
import supervisor
from gateway.cli import doctor_connector
from gateway.cli.doctor_trials import trials
from gateway.cli.exits import Exit
from gateway.cli.home import read_settings
from gateway.local import GatewayStarting, find_live
from gateway.sandbox_notice import sandbox_notice
from gateway.settings import Settings
from gateway.variables import CHECKOUT
from gateway.vault import VaultError
from gateway.vault.master_key import find_master_key
from gateway.vault.opening import key_sources
from gateway.version import describe_http_server
from sandboxes import probe
from sandboxes.policy import Level

PROCESSES = Path("/proc/self/stat")
ROLLUP = Path("/proc/self/smaps_rollup")


class Grade(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "WARNING"
    """As asked for, and worth saying every time."""
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    grade: Grade
    text: str


def run(args: Namespace) -> int:
    """Print every finding; fail when one is a problem."""
    if args.subject == "connector":
        return doctor_connector.run(args)
    findings = list(examine(read_settings(args)))
    if args.json:
        print(json.dumps([_as_json(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.grade:<8} {finding.subject:<13} {finding.text}")
    return Exit.FAILED if any(each.grade is Grade.PROBLEM for each in findings) else Exit.OK


def _as_json(finding: Finding) -> dict[str, str]:
    grade = finding.grade.value.lower()
    return {"subject": finding.subject, "grade": grade, "text": finding.text}


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings; starts a probe child per sandbox level."""
    yield _python()
    yield _imports()
    yield _bubblewrap(settings.sandbox)
    yield from _levels(settings)
    yield _limits(settings.sandbox)
    for trial in trials(settings):
        yield (
            _fine(trial.subject, trial.text) if trial.good else _problem(trial.subject, trial.text)
        )
    yield _master_key(settings)
    yield _database(settings)
    yield _api_key(settings)
    yield _fine("HTTP server", describe_http_server(settings.http_server))
    yield _gateway(settings.home)


def _fine(subject: str, text: str) -> Finding:
    return Finding(subject, Grade.OK, text)


def _problem(subject: str, text: str) -> Finding:
    return Finding(subject, Grade.PROBLEM, text)


def _check(subject: str, good: bool, text: str) -> Finding:  # noqa: FBT001 - a value, not a switch
    return _fine(subject, text) if good else _problem(subject, text)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return _check("python", good, f"{version} at {sys.executable}; 3.11 to 3.13 are supported")


def _imports() -> Finding:
    for package in (sandboxes, supervisor):
        found = Path(package.__file__ or "").resolve()
        if not found.is_relative_to(CHECKOUT):
            sentence = f"{package.__name__} is imported from {found}; remove that distribution"
            return _problem("packages", sentence)
    return _fine("packages", f"supervisor and sandboxes are those of {CHECKOUT}")


def _bubblewrap(wanted: Level) -> Finding:
    found = shutil.which("bwrap")
    if found:
        return _fine("bubblewrap", found)
    advice = "not found: apt-get install bubblewrap"
    return _check("bubblewrap", wanted is not Level.STRONG, advice)


def _levels(settings: Settings) -> Iterator[Finding]:
    """Start a probe child at each level; only the one that is asked for must be there."""
    for level in (Level.STRONG, Level.REDUCED):
        wanted = level is settings.sandbox
        subject = f"level {level.value}"
        reason = probe.problem(level, uid_base=settings.sandbox_uid_base)
        if reason is not None:
            note = "" if wanted else "; SANDBOX does not ask for it"
            yield _check(subject, not wanted, f"cannot be had: {reason}{note}")
        else:
            note = "; SANDBOX asks for it" if wanted else ""
            yield _fine(subject, f"a probe child started confined{note}")
    if notice := sandbox_notice(settings.sandbox):
        yield Finding("sandbox", Grade.WARNING, notice)


def _limits(level: Level) -> Finding:
    if not PROCESSES.exists():
        return _problem("limits", f"{PROCESSES.parent} is missing: memory and disk are not watched")
    exact = "" if ROLLUP.exists() else "; shared memory is estimated, for the kernel tells no more"
    kind = "not confined, but " if level is Level.OFF else ""
    return _fine("limits", f"{kind}memory, processes and disk are watched{exact}")


def _master_key(settings: Settings) -> Finding:
    sources = key_sources(settings)
    try:
        found = find_master_key(sources)
    except VaultError as error:
        return _problem("master key", str(error).rstrip("."))
    if found is None:
        return _fine("master key", f"{sources.file} will be made at the first start")
    return _fine("master key", f"in {found.source}")


def _database(settings: Settings) -> Finding:
    if settings.database_url is not None:
        return _fine("database", "PostgreSQL, as DATABASE_URL says (not contacted)")
    path = settings.home / "jobs.db"
    if not path.exists():
        return _fine("database", f"{path} will be made at the first start")
    usable = os.access(path, os.R_OK | os.W_OK)
    return _check("database", usable, str(path) if usable else f"{path} is not writable for us")


def _api_key(settings: Settings) -> Finding:
    if settings.anthropic_api_key is not None:
        return _fine("API key", "ANTHROPIC_API_KEY is set")
    return _fine("API key", "ANTHROPIC_API_KEY is not set: servers work, runs refuse")


def _gateway(home: Path) -> Finding:
    try:
        live = find_live(home)
    except GatewayStarting as error:
        return _fine("gateway", str(error))
    if live is None:
        return _fine("gateway", f"none runs with the home {home}")
    return _fine("gateway", f"{live.url}, process {live.pid}, version {live.version}")
