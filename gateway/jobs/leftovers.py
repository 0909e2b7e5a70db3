"""What waiting CLIs of a killed gateway left, processes and folders; the next start ends it."""

import json
from pathlib import Path

from anyio import to_thread

from gateway.jobs.folders import RunFolders, folders_for, remove_unused, standby_files
from gateway.jobs.process import ProcessGroup, end_leftover


def note_group(folders: RunFolders, group: ProcessGroup) -> None:
    """Write down which processes wait, so that they can be told from strangers of that number."""
    folders.standby_file.write_text(json.dumps([group.number, group.started_at]), "utf-8")


async def clear_standbys(home: Path) -> None:
    """End the processes that the last gateway left waiting, then remove their folders."""
    for left in standby_files(home):
        if group := _read_group(left):
            await end_leftover(group)
        folders = folders_for(home, left.parent.name, None)
        await to_thread.run_sync(remove_unused, folders)


def _read_group(path: Path) -> ProcessGroup | None:
    """Return the group that was written down; None: the gateway died before it was."""
    try:
        number, started_at = json.loads(path.read_text("utf-8"))
        return ProcessGroup(int(number), float(started_at))
    except (OSError, ValueError, TypeError):
        return None
