"""``backup``: one archive of a home and its servers, also while a gateway runs."""

from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.backup.errors import BackupError
from gateway.backup.telling import Told
from gateway.backup.writing import write_archive
from gateway.cli.answers import show
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings, read_standings
from gateway.cli.progress import Progress, progress
from gateway.cli.table import plain
from gateway.domain.units import counted, size
from gateway.settings import Settings
from gateway.store import StoreError
from gateway.vault.opening import key_sources


def run(args: Namespace) -> int:
    """Write the archive and say what it does not hold."""
    standings = read_standings(args)
    settings = read_settings(args)
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    target = (args.file or Path(f"claude-runner-{now}.tar.gz")).absolute()
    if target.exists():
        raise Failure(Exit.WRONG_USE, f"{target} exists already; name another file.")
    if not (settings.home / "jobs.db").exists() and settings.database_url is None:
        raise Failure(Exit.FAILED, f"There is nothing to back up in the home {settings.home}.")
    try:
        with progress(args) as line:
            manifest = write_archive(settings, standings, target, counting(line, "Backed up"))
    except (BackupError, StoreError) as error:
        raise Failure(Exit.FAILED, str(error)) from error
    except OSError as error:
        raise Failure(Exit.FAILED, f"{target} cannot be written ({error.strerror}).") from error
    told = asdict(manifest)
    answer = {
        **told,
        "files": len(manifest.files),
        "path": str(target),
        "bytes": target.stat().st_size,
        "master_key": where_the_key_is(settings),
    }
    return show(args, answer, _text)


def counting(line: Progress, done: str) -> Told:
    """Return what shows how many files are done."""
    return lambda files: line.say(f"{done} {counted(files, 'file')}")


def where_the_key_is(settings: Settings) -> str:
    """Return where a home's master key comes from, as a path or a variable."""
    sources = key_sources(settings)
    if sources.variable is not None:
        return "MASTER_KEY"
    if sources.credential is not None and sources.credential.exists():
        return str(sources.credential)
    return str(sources.file)


def _text(answer: Any) -> str:
    lines = [
        f"Wrote {answer['path']}: {counted(answer['files'], 'file')}, {size(answer['bytes'])}.",
        f"Not in it: the master key ({answer['master_key']}), without which its secrets stay "
        "sealed; keep a copy of it apart.",
    ]
    if answer["secrets"]:
        lines.append(f"Not in it: {', '.join(answer['secrets'])}; set them on the other machine.")
    if answer["left_out"]:
        lines.append(f"Left out: {len(answer['left_out'])}, such as {answer['left_out'][0]}")
    return "\n".join(map(plain, lines))
