"""The folders of one run: a private one that goes with it, and the job's work folder that stays."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.run import Run
from gateway.jobs.setup import owner_of
from gateway.server_entries import McpHttpEntry
from sandboxes.limits import tree

log = logging.getLogger(__name__)

RUNS = "runs"
"""Below the home: what belongs to one run alone."""
PLAYGROUND = "claude_playground"
"""Below the home: work folders."""
PRIVATE_MODE = 0o700
PASSABLE_MODE = 0o711
SECRET_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class RunFolders:
    """Paths of one run. Only the owner can read what is under `private`."""

    private: Path
    work: Path
    """The CLI's current folder, shared by all runs of a job."""

    @property
    def home(self) -> Path:
        """HOME of the CLI."""
        return self.private / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the CLI."""
        return self.private / "tmp"

    @property
    def handed(self) -> Path:
        """What the CLI is given to read."""
        return self.private / "handed"

    @property
    def group_file(self) -> Path:
        """Where the wrapper writes the number of its process group."""
        return self.private / "group"

    @property
    def began_file(self) -> Path:
        """Made when the attempt begins, so that its time tells what changed since."""
        return self.private / "began"

    @property
    def standby_file(self) -> Path:
        """There while nothing but a waiting CLI lives here; names its processes (`leftovers`)."""
        return self.private / "standby"

    @property
    def servers_file(self) -> Path:
        """The MCP configuration with the run's token; exists only while the CLI starts."""
        return self.handed / "mcp.json"

    @property
    def system_prompt_file(self) -> Path:
        """The job's system prompt, if it has one."""
        return self.handed / "system-prompt"


def folders_of(home: Path, run: Run) -> RunFolders:
    """Return where the folders of `run` are under `home`, made or not."""
    return folders_for(home, run.id, owner_of(run))


def folders_for(home: Path, run_id: str, owner: str | None) -> RunFolders:
    """Return the folders of a run by its id, and the job or webhook that it is of, if any."""
    return RunFolders(home / RUNS / run_id, home / PLAYGROUND / (owner or run_id))


def make_folders(folders: RunFolders, *, passable: bool = False) -> None:
    """Create the folders of a run.

    `passable`: other users may walk through to what is theirs, as a CLI without a mount tree
    of its own must; they can list and read nothing on the way.
    """
    inner = (folders.home, folders.temporary, folders.handed)
    for folder in (folders.private, *inner, folders.work):
        folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    if passable:
        for folder in (folders.private.parent, folders.private, folders.work.parent):
            folder.chmod(PASSABLE_MODE)


def remove_folders(folders: RunFolders) -> None:
    """Remove what belongs to the run alone; the CLI's user may have left anything in there."""
    try:
        tree.remove(folders.private)
    except OSError as error:
        log.warning("The folder of a run cannot be removed: %s", error)


def remove_unused(folders: RunFolders) -> None:
    """Remove what a CLI left that waited for a run in vain, with a work folder of its own."""
    remove_folders(folders)
    if folders.work.name == folders.private.name:
        try:
            tree.remove(folders.work)
        except OSError as error:
            log.warning("The folder of a run cannot be removed: %s", error)


def standby_files(home: Path) -> tuple[Path, ...]:
    """Return the `standby_file` of each private folder that has one."""
    return tuple((home / RUNS).glob("*/standby"))


def keep_conversation(folders: RunFolders) -> None:
    """Remove what belongs to one attempt alone; HOME has the conversation that goes on."""
    if not folders.private.is_dir():
        return
    for entry in folders.private.iterdir():
        if entry != folders.home:
            try:
                tree.remove(entry)
            except OSError as error:
                log.warning("The folder of a run cannot be removed: %s", error)


def write_servers(folders: RunFolders, entries: Mapping[str, McpHttpEntry]) -> None:
    """Write the MCP configuration; call before the folders are handed to the CLI's user."""
    _write_secret(folders.servers_file, json.dumps({"mcpServers": entries}))


def write_system_prompt(folders: RunFolders, text: str) -> None:
    """Write the system prompt to a file, because arguments are readable by every user.

    Call before the folders are handed to the CLI's user.
    """
    _write_secret(folders.system_prompt_file, text)


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
