"""Folders that a hostile child filled are measured and removed without harm to anything else."""

import os
import time
from pathlib import Path

import pytest

from sandboxes.limits import tree
from tests.demonstrations import Counts, Demonstrations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder beside a precious one."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"x" * 1_000_000)
    made = tmp_path / "data"
    made.mkdir()
    return made


def make_deep(folder: Path, depth: int) -> None:
    """Nest so many folders, deeper than any path may be long."""
    at = os.open(folder, tree.OPEN_FOLDER)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", tree.OPEN_FOLDER, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_space_and_entries_of_a_whole_folder_are_counted(folder: Path) -> None:
    """Ours: blocks on disk, not lengths; a file with two names counts once."""
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"x" * 300_000)
    os.link(folder / "a" / "b" / "file", folder / "second")
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    size = tree.measure([folder], max_entries=100)
    assert (size.entries, size.too_deep) == (5, False)
    assert 300_000 <= size.bytes < 600_000


def test_links_are_not_followed_and_fifos_not_opened(folder: Path) -> None:
    """Issue 3, point 8: neither when measured nor when removed."""
    (folder / "folder").symlink_to(folder.parent / "precious")
    (folder / "file").symlink_to(folder.parent / "precious" / "file")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "fifo")
    size = tree.measure([folder], max_entries=100)
    assert size.entries == 4 and size.bytes < 100_000
    tree.remove(folder)
    assert not folder.exists()
    assert (folder.parent / "precious" / "file").stat().st_size == 1_000_000


def test_a_link_in_place_of_the_folder_loses_only_the_link(folder: Path) -> None:
    """Issue 3, point 8."""
    folder.rmdir()
    folder.symlink_to(folder.parent / "precious")
    assert tree.measure([folder], max_entries=10) == tree.Size()
    tree.remove(folder)
    assert not folder.is_symlink()
    assert (folder.parent / "precious" / "file").exists()


def test_a_folder_that_is_not_there_is_empty_and_removed(tmp_path: Path) -> None:
    """Ours: nothing to do is no error."""
    assert tree.measure([tmp_path / "none"], max_entries=10) == tree.Size()
    tree.remove(tmp_path / "none")


def test_depth_costs_neither_stack_nor_descriptors(folder: Path) -> None:
    """Ours: deeper than a recursion or an open file limit would allow."""
    make_deep(folder, 3000)
    assert tree.measure([folder], max_entries=10_000).too_deep
    tree.remove(folder)
    assert not folder.exists()


def test_counting_stops_at_its_bound(
    folder: Path, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue 3, point 8: a million files are not walked to their end."""
    many = counts(5_000, 1_000_000)
    for number in range(many):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY, 0o600))
    begun = time.monotonic()
    size = tree.measure([folder], max_entries=many // 10)
    took = time.monotonic() - begun
    assert size.entries == many // 10 + 1
    demonstrations.record("Files in a DATA_DIR over its limit", many, f"noticed in {took:.2f} s")
    tree.remove(folder)
    assert not folder.exists()
