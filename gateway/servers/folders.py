"""The folders of servers that we write: written beside, put in place by renaming, and taken back.

An update leaves a trail that says what to do after a crash: ``.next/<name>`` is a folder that was
never in place, ``.previous/<name>`` one whose successor was never confirmed. Blocking.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gateway.servers.content import KeptFile
from gateway.servers.owners_policy import with_policy_of
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import check_name, code_files

CODE_FILE = "server.py"
METADATA_FILE = "metadata.json"
REQUIREMENTS_FILE = "requirements.txt"

TRIAL_PREFIX = ".trial-"
"""How names of trials begin, and none of a server."""

_NEXT = ".next"
_PREVIOUS = ".previous"
_TRIALS = ".trials"
_FORMER_PREFIX = ".former-"


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a server: its code, if it is Python of ours, and its metadata as written."""

    code: str | None
    metadata: dict[str, object]
    requirements: tuple[str, ...] | None = None
    """What `requirements.txt` is to hold: nothing for an empty one, None to leave it alone."""


class ServerFolders:
    """Owner of a folder that holds servers."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        """Return where a server's folder is or would be. Raises InvalidServer for a bad name."""
        check_name(name)
        return self._root / name

    def recover(self) -> None:
        """Finish what a crash interrupted: unconfirmed folders give way to their predecessors."""
        previous = self._root / _PREVIOUS
        for folder in sorted(previous.iterdir()) if previous.is_dir() else []:
            self.take_back(folder.name)
        for leftovers in (_NEXT, _TRIALS):
            shutil.rmtree(self._root / leftovers, ignore_errors=True)

    def read(self, name: str) -> Source:
        """Return what a server's folder says.

        Raises:
            InvalidServer: its metadata is not a JSON object, or a file is not text.
        """
        folder = self.path(name)
        code, metadata = folder / CODE_FILE, folder / METADATA_FILE
        try:
            text = code.read_text(encoding="utf-8") if code.is_file() else None
            written = metadata.read_bytes() if metadata.is_file() else b"{}"
        except (OSError, ValueError) as error:
            raise InvalidServer(
                f"The folder of server {name!r} cannot be read: {error}."
            ) from error
        return Source(text, _parsed(name, written))

    def stage(self, name: str, source: Source) -> Path:
        """Write a server's next folder beside the present one, and return its path.

        Files of the present folder that `source` does not speak of are kept.
        """
        staged = self._copy_present(name)
        _fill(staged, source)
        return staged

    def stage_trial(self, trial: str, name: str, source: Source) -> Path:
        """Write a server's folder under a trial's own name, and return its path.

        As `stage`, without a way into place.
        """
        folder = self._root / _TRIALS / trial / name
        self._copy(self.path(name), folder)
        _fill(folder, source)
        for step in (folder.parent, folder.parent.parent):
            # The child may be another user.
            step.chmod(0o755)
        return folder

    def discard_trial(self, trial: str) -> None:
        """Remove what a trial wrote."""
        shutil.rmtree(self._root / _TRIALS / trial, ignore_errors=True)

    def with_policy(
        self, name: str, files: tuple[KeptFile, ...], base: tuple[KeptFile, ...] | None = None
    ) -> tuple[KeptFile, ...]:
        """Return files for a server that leave what its owner has set, by `with_policy_of`.

        Raises:
            InvalidServer: metadata cannot be read.
        """
        present, coming = self.read(name).metadata, _metadata_of(name, files)
        before = None if base is None else _metadata_of(name, base)
        merged = with_policy_of(present, coming, before)
        if merged == coming:
            return files
        others = (file for file in files if file.path != METADATA_FILE)
        return (*others, KeptFile(METADATA_FILE, _text(merged).encode(), executable=False))

    def stage_files(self, name: str, files: Iterable[KeptFile]) -> Path:
        """Write a server's next folder with exactly these files, and return its path.

        What is derived from code, such as `node_modules`, is kept.
        """
        staged = self._copy_present(name)
        for path in list(code_files(staged)):
            path.unlink()
        for file in files:
            path = staged / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            path.chmod(0o755 if file.executable else 0o644)
        staged.chmod(0o755)
        return staged

    def put_in_place(self, name: str) -> Path:
        """Make the staged folder the present one, and keep the present one as the previous.

        Raises:
            OSError: the present folder is where it was, and the staged one too.
        """
        present, staged = self.path(name), self._root / _NEXT / name
        if not present.is_dir():
            staged.rename(present)
            return present
        previous = self._root / _PREVIOUS / name
        previous.parent.mkdir(exist_ok=True)
        self._drop_previous(previous)
        present.rename(previous)
        try:
            staged.rename(present)
        except OSError:
            previous.rename(present)
            raise
        return present

    def discard_staged(self, name: str) -> None:
        """Remove a folder that was staged and will not be used."""
        shutil.rmtree(self._root / _NEXT / name, ignore_errors=True)

    def confirm(self, name: str) -> None:
        """Forget the previous folder: the present one is the server."""
        previous = self._root / _PREVIOUS / name
        if previous.is_dir():
            # Renamed first: a half-removed folder under its old name would be taken back.
            self._set_aside(previous)
            self.discard_staged(name)

    def take_back(self, name: str) -> None:
        """Make the previous folder the present one again; without one, the present one stays."""
        present, previous = self.path(name), self._root / _PREVIOUS / name
        if not previous.is_dir():
            self.discard_staged(name)
            return
        if present.is_dir():
            self._set_aside(present)
        previous.rename(present)
        self.discard_staged(name)

    def remove(self, name: str) -> None:
        """Remove a server's folder for good; one that is a symbolic link loses the link only."""
        folder = self.path(name)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)

    def _drop_previous(self, previous: Path) -> None:
        """Remove what an earlier change could not: beside a present folder nobody needs it."""
        if previous.is_dir():
            aside = self._root / _NEXT / f"{_FORMER_PREFIX}{previous.name}"
            shutil.rmtree(aside, ignore_errors=True)
            # Renamed first: a half-removed folder under its old name would be taken back.
            previous.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def _copy_present(self, name: str) -> Path:
        staged = self._root / _NEXT / name
        shutil.rmtree(staged, ignore_errors=True)
        self._copy(self.path(name), staged)
        return staged

    def _copy(self, present: Path, target: Path) -> None:
        if present.is_dir():
            shutil.copytree(present, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True)

    def _set_aside(self, folder: Path) -> None:
        self.discard_staged(folder.name)
        (self._root / _NEXT).mkdir(exist_ok=True)
        folder.rename(self._root / _NEXT / folder.name)


def _metadata_of(name: str, files: Iterable[KeptFile]) -> dict[str, object]:
    written = (file.content for file in files if file.path == METADATA_FILE)
    return _parsed(name, next(written, b"{}"))


def _parsed(name: str, written: bytes) -> dict[str, object]:
    try:
        found: object = json.loads(written)
    except ValueError as error:
        raise InvalidServer(
            f"{METADATA_FILE} of server {name!r} cannot be read: {error}."
        ) from error
    if not isinstance(found, dict):
        raise InvalidServer(f"{METADATA_FILE} of server {name!r} is not a JSON object.")
    return cast("dict[str, object]", found)


def _text(metadata: dict[str, object]) -> str:
    return json.dumps(metadata, indent=2) + "\n"


def _fill(folder: Path, source: Source) -> None:
    if source.code is not None:
        _write(folder / CODE_FILE, source.code)
    if source.requirements is not None:
        _write_lines(folder / REQUIREMENTS_FILE, source.requirements)
    _write(folder / METADATA_FILE, _text(source.metadata))
    folder.chmod(0o755)


def _write_lines(path: Path, lines: tuple[str, ...]) -> None:
    if lines:
        _write(path, "".join(f"{line}\n" for line in lines))
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Write a file that a child under another uid can read."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
