"""Folders that are handed to a server's own user."""

import os
from pathlib import Path

import pytest

from sandboxes.errors import ForeignOwner, SandboxError
from sandboxes.ownership import UID_BASE, assign_uid, give, make_folders

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@as_root
def test_folders_and_what_root_put_in_them_change_hands(tmp_path: Path) -> None:
    """Ours: also when the gateway once ran at level off."""
    data, private = tmp_path / "data", tmp_path / "private"
    (data / "old").mkdir(parents=True)
    (data / "old" / "file").touch()
    make_folders(data, private, UID_BASE)
    owned = (data, data / "old", data / "old" / "file", private, private / "tmp")
    assert {path.stat().st_uid for path in owned} == {UID_BASE}
    assert {path.stat().st_gid for path in owned} == {UID_BASE}


@as_root
def test_foreign_owner_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    """Ours: another server's file is not taken over."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").touch()
    (data / "foreign").touch()
    os.chown(data / "foreign", UID_BASE + 1, 0)
    with pytest.raises(ForeignOwner) as refused:
        give(data, UID_BASE)
    assert (refused.value.path, refused.value.owner) == (data / "foreign", UID_BASE + 1)
    assert (data / "mine").stat().st_uid == 0


@as_root
def test_links_are_not_followed(tmp_path: Path) -> None:
    """Ours: a link planted in a folder never gives away what it points to."""
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    outside.mkdir()
    (outside / "file").touch()
    (data / "folder").symlink_to(outside)
    (data / "file").symlink_to(outside / "file")
    give(data, UID_BASE)
    assert {outside.stat().st_uid, (outside / "file").stat().st_uid} == {0}
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(SandboxError):
        give(tmp_path / "link", UID_BASE)


@as_root
def test_second_name_of_a_file_elsewhere_is_not_given_away(tmp_path: Path) -> None:
    """Ours: a hard link is the file itself."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "shadow").touch()
    (data / "file").hardlink_to(tmp_path / "shadow")
    with pytest.raises(SandboxError):
        give(data, UID_BASE)
    assert (tmp_path / "shadow").stat().st_uid == 0


@as_root
def test_each_server_keeps_a_user_of_its_own(tmp_path: Path) -> None:
    """Ours: the owner of DATA_DIR is the record."""
    uids: list[int] = []
    for name in ("a", "b", "a"):
        server = tmp_path / name
        uids.append(assign_uid(tmp_path, server / "data"))
        make_folders(server / "data", server / "private", uids[-1])
    assert uids == [UID_BASE, UID_BASE + 1, UID_BASE]


def test_temporary_folder_replaced_by_a_link_is_left_alone(tmp_path: Path) -> None:
    """Ours: a child may do in its HOME what it likes; we do not follow."""
    data, private = tmp_path / "data", tmp_path / "private"
    make_folders(data, private, None)
    (private / "tmp").rmdir()
    (private / "tmp").symlink_to(tmp_path / "nowhere")
    make_folders(data, private, None)
    assert not (tmp_path / "nowhere").exists()
