"""Looks at this machine: sandbox levels, limits, keys, database, the gateway that runs."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import sandboxes
import supervisor
from gateway.connector.watch import ask_health
from gateway.doctor.findings import Finding, Grade, check, fine, problem
from gateway.doctor.trials import trials
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


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings; starts a probe child per sandbox level. Blocking."""
    yield _python()
    yield _imports()
    yield _bubblewrap(settings.sandbox)
    yield from _levels(settings)
    yield _limits(settings.sandbox)
    for trial in trials(settings):
        yield check(trial.subject, trial.good, trial.text)
    yield _master_key(settings)
    yield _database(settings)
    yield _api_key(settings)
    yield fine("HTTP server", describe_http_server(settings.http_server))
    yield _gateway(settings.home)
    yield _public_address(settings)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return check("python", good, f"{version} at {sys.executable}; 3.11 to 3.13 are supported")


def _imports() -> Finding:
    for package in (sandboxes, supervisor):
        found = Path(package.__file__ or "").resolve()
        if not found.is_relative_to(CHECKOUT):
            sentence = f"{package.__name__} is imported from {found}; remove that distribution"
            return problem("packages", sentence)
    return fine("packages", f"supervisor and sandboxes are those of {CHECKOUT}")


def _bubblewrap(wanted: Level) -> Finding:
    found = shutil.which("bwrap")
    if found:
        return fine("bubblewrap", found)
    advice = "not found: apt-get install bubblewrap"
    return check("bubblewrap", wanted is not Level.STRONG, advice)


def _levels(settings: Settings) -> Iterator[Finding]:
    """Start a probe child at each level; only the one that is asked for must be there."""
    for level in (Level.STRONG, Level.REDUCED):
        wanted = level is settings.sandbox
        subject = f"level {level.value}"
        reason = probe.problem(level, uid_base=settings.sandbox_uid_base)
        if reason is not None:
            note = "" if wanted else "; SANDBOX does not ask for it"
            yield check(subject, not wanted, f"cannot be had: {reason}{note}")
        else:
            note = "; SANDBOX asks for it" if wanted else ""
            yield fine(subject, f"a probe child started confined{note}")
    if notice := sandbox_notice(settings.sandbox):
        yield Finding("sandbox", Grade.WARNING, notice)


def _limits(level: Level) -> Finding:
    if not PROCESSES.exists():
        return problem("limits", f"{PROCESSES.parent} is missing: memory and disk are not watched")
    exact = "" if ROLLUP.exists() else "; shared memory is estimated, for the kernel tells no more"
    kind = "not confined, but " if level is Level.OFF else ""
    return fine("limits", f"{kind}memory, processes and disk are watched{exact}")


def _master_key(settings: Settings) -> Finding:
    sources = key_sources(settings)
    try:
        found = find_master_key(sources)
    except VaultError as error:
        return problem("master key", str(error).rstrip("."))
    if found is None:
        return fine("master key", f"{sources.file} will be made at the first start")
    return fine("master key", f"in {found.source}")


def _database(settings: Settings) -> Finding:
    if settings.database_url is not None:
        return fine("database", "PostgreSQL, as DATABASE_URL says (not contacted)")
    path = settings.home / "jobs.db"
    if not path.exists():
        return fine("database", f"{path} will be made at the first start")
    usable = os.access(path, os.R_OK | os.W_OK)
    return check("database", usable, str(path) if usable else f"{path} is not writable for us")


def _api_key(settings: Settings) -> Finding:
    if settings.anthropic_api_key is not None:
        return fine("API key", "ANTHROPIC_API_KEY is set")
    return fine("API key", "ANTHROPIC_API_KEY is not set: servers work, runs refuse")


def _gateway(home: Path) -> Finding:
    try:
        live = find_live(home)
    except GatewayStarting as error:
        return fine("gateway", str(error))
    if live is None:
        return fine("gateway", f"none runs with the home {home}")
    return fine("gateway", f"{live.url}, process {live.pid}, version {live.version}")


def _public_address(settings: Settings) -> Finding:
    subject, address = "address", settings.public_url
    if address is None:
        return fine(subject, "PUBLIC_URL is not set: only this machine reaches the gateway")
    try:
        if find_live(settings.home) is None:
            return fine(subject, f"{address} was not asked, for no gateway runs")
    except GatewayStarting as error:
        return fine(subject, f"{address} was not asked: {error}")
    trouble = asyncio.run(ask_health(address))
    advice = "`claude-runner doctor connector` walks the whole way"
    if trouble:
        return problem(subject, f"{address} is not reached from here: {trouble}; {advice}")
    return fine(subject, f"{address} answers")
