"""``runs download``: files that a run left, written below a folder and nowhere else."""

import hashlib
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.cli.answers import ask
from gateway.cli.client import download_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.table import plain

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
PRIVATE = 0o600


def run(args: Namespace) -> int:
    """Write one file or all that are kept; nothing that is there is replaced."""
    folder = args.to or Path(args.run_id)
    wanted = [file for file in files_of(args) if args.path in (None, file["path"])]
    if not wanted:
        what = "files" if args.path is None else f"file {args.path!r}"
        raise Failure(Exit.FAILED, f"Run {args.run_id} left no {what}; `runs files` lists them.")
    if args.path is not None:
        # The same path of an earlier attempt comes later.
        wanted = wanted[:1]
        if reason := wanted[0]["not_kept"]:
            raise Failure(Exit.FAILED, f"{plain(args.path)} cannot be had: {reason}")
    taken: set[str] = set()
    for file in wanted:
        if file["not_kept"]:
            print(f"Not kept: {plain(file['path'])}: {file['not_kept']}", file=sys.stderr)
        elif file["path"] not in taken:
            taken.add(file["path"])
            print(plain(_download(args, file, folder)))
    return Exit.OK


def files_of(args: Namespace) -> Iterator[dict[str, Any]]:
    """Yield what a run left, those of its last attempt first."""
    offset: int | None = 0
    while offset is not None:
        page = ask(args, "list_run_files", run_id=args.run_id, offset=offset)
        yield from page["files"]
        offset = page["next_offset"]


def _download(args: Namespace, file: dict[str, Any], folder: Path) -> Path:
    parts = _parts(file["path"])
    place = folder.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        at = _open_way(folder, parts[:-1])
        try:
            target = os.open(parts[-1], NEW_FILE, PRIVATE, dir_fd=at)
            try:
                _fill(args, file, target)
            except BaseException:
                with suppress(OSError):
                    os.unlink(parts[-1], dir_fd=at)
                raise
        finally:
            os.close(at)
    except FileExistsError as error:
        raise Failure(
            Exit.FAILED, f"{plain(place)} exists; name another folder with --to."
        ) from error
    except OSError as error:
        raise Failure(
            Exit.FAILED, f"{plain(place)} cannot be written: {error.strerror}."
        ) from error
    return place


def _fill(args: Namespace, file: dict[str, Any], target: int) -> None:
    digest = hashlib.sha256()
    path = f"runs/{quote(args.run_id)}/files/{file['attempt']}/{file['number']}"
    with os.fdopen(target, "wb") as out:
        for chunk in download_local(live_gateway(args), path):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != file["sha256"]:
        raise Failure(Exit.FAILED, f"{plain(file['path'])} did not arrive as it was kept.")


def _parts(path: str) -> list[str]:
    """Return the folders and the name of a path that a model chose, as they are made here."""
    parts = [plain(part) for part in path.split("/")]
    if any(part in ("", ".", "..") for part in parts):
        raise Failure(Exit.FAILED, f"{plain(path)} is no path below a folder.")
    return parts


def _open_way(folder: Path, parts: list[str]) -> int:
    """Return a descriptor of a folder below `folder`, made where missing; no link is followed."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        try:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=at)
            below = os.open(part, OPEN_FOLDER, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at
