"""Folders of servers that are swapped: one that fails at any step loses nothing."""

import shutil
from pathlib import Path

import pytest

from gateway.servers.content import KeptFile
from gateway.servers.folders import ServerFolders

NAME = "mailer"


def file(text: str) -> tuple[KeptFile, ...]:
    """Return the one file of a server."""
    return (KeptFile("metadata.json", text.encode(), executable=False),)


def made(root: Path) -> ServerFolders:
    """Return folders with a server that holds "old", and "new" staged for it."""
    folders = ServerFolders(root)
    for text in ("old", "new"):
        folders.stage_files(NAME, file(text))
        if text == "old":
            folders.put_in_place(NAME)
    return folders


def held(root: Path) -> str:
    """Return what the server's folder holds."""
    return (root / NAME / "metadata.json").read_text("utf-8")


def test_a_swap_that_fails_before_its_first_step_keeps_the_server(tmp_path: Path) -> None:
    """Ours: a disk that is full costs an update and never the server."""
    folders = made(tmp_path)
    (tmp_path / ".previous").write_text("in the way", "utf-8")
    with pytest.raises(OSError):
        folders.put_in_place(NAME)
    folders.take_back(NAME)
    folders.recover()
    assert held(tmp_path) == "old"


def test_a_swap_that_fails_between_its_steps_keeps_the_server(tmp_path: Path) -> None:
    """Ours: as above, where the present folder has given way already."""
    folders = made(tmp_path)
    shutil.rmtree(tmp_path / ".next" / NAME)
    with pytest.raises(OSError):
        folders.put_in_place(NAME)
    folders.take_back(NAME)
    folders.recover()
    assert held(tmp_path) == "old"


def test_what_an_earlier_swap_left_is_in_no_later_ones_way(tmp_path: Path) -> None:
    """Ours: a predecessor that could not be forgotten neither stops a swap nor comes back."""
    folders = made(tmp_path)
    stale = tmp_path / ".previous" / NAME
    stale.mkdir(parents=True)
    (stale / "metadata.json").write_text("stale", "utf-8")
    folders.put_in_place(NAME)
    assert held(tmp_path) == "new"
    folders.take_back(NAME)
    assert held(tmp_path) == "old"
    folders.recover()
    assert held(tmp_path) == "old"
