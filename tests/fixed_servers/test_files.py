"""The parts of the files server, on real folders."""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from granted_files import listing, reading, searching, writing
from granted_files.errors import FilesError
from granted_files.roots import Roots

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
SECRET = "canary-outside-of-the-folder"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the granted folders."""
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    return secret


@pytest.fixture
def roots(tmp_path: Path, outside: Path) -> Roots:
    """`docs` to read, `work` to write."""
    docs, work = tmp_path / "docs", tmp_path / "work"
    (docs / "2026").mkdir(parents=True)
    (work / "sub").mkdir(parents=True)
    (docs / "2026" / "Report.txt").write_text("one\nGrüße an Änn\nthree", encoding="utf-8")
    (docs / "data.bin").write_bytes(b"ab\0\xff")
    (docs / "picture.dat").write_bytes(PNG)
    for folder in (docs, work):
        (folder / "link.txt").symlink_to(outside)
        (folder / "up").symlink_to(tmp_path)
    return Roots.of({"GRANTED_READ_ONLY": str(docs), "GRANTED_READ_WRITE": str(work)})


def test_granted_folders_and_what_is_in_them_are_listed(roots: Roots) -> None:
    """Issue 9: links are shown as links."""
    assert listing.list_folder(roots, "") == {
        "folders": [{"path": "docs", "writable": False}, {"path": "work", "writable": True}]
    }
    seen = listing.list_folder(roots, "docs/")
    kinds = {each["name"]: (each["kind"], each["bytes"]) for each in seen["entries"]}
    assert {name: kinds[name] for name in ("2026", "data.bin", "link.txt", "up")} == {
        "2026": ("folder", kinds["2026"][1]),
        "data.bin": ("file", 4),
        "link.txt": ("link", kinds["link.txt"][1]),
        "up": ("link", kinds["up"][1]),
    }
    assert (seen["writable"], seen["more"]) == (False, 0)


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Ours: the first part of a path says which one."""
    roots = Roots.of({"GRANTED_READ_ONLY": f"{tmp_path}/a/docs:{tmp_path}/b/docs"})
    assert list(roots.by_label) == ["docs", "docs-2"]


def test_without_a_granted_folder_it_says_how_to_grant_one() -> None:
    """Ours: one sentence with the command."""
    for act in (listing.list_folder, lambda r, p: searching.by_name(r, "*", p)):
        with pytest.raises(FilesError, match="servers grant files --read-only FOLDER"):
            act(Roots.of({}), "")


def test_text_is_read_by_parts_and_never_within_a_character(roots: Roots) -> None:
    """Issue 9: big files by range."""
    whole = "one\nGrüße an Änn\nthree"
    size = len(whole.encode())
    for limit in range(1, 8):
        text, offset = "", 0
        while offset is not None:
            part = reading.read_part(roots, "docs/2026/Report.txt", offset, max(limit, 2))
            text, offset = text + part["text"], part["next_offset"]
            assert part["bytes"] == size
        assert text == whole
    assert reading.read_part(roots, "docs/2026/Report.txt", -5, 100)["text"] == "three"
    assert reading.read_part(roots, "docs/2026/Report.txt", 500, 100)["text"] == ""


def test_a_big_file_is_read_from_its_middle(roots: Roots, tmp_path: Path) -> None:
    """Ours: nothing before the range is read."""
    with (tmp_path / "docs" / "big.log").open("wb") as file:
        file.write(b"begin")
        file.truncate(8 * 1024**3)
        file.seek(0, os.SEEK_END)
        file.write(b"the end")
    part = reading.read_part(roots, "docs/big.log", -7, 100)
    assert (part.get("text") or b64decode(part["base64"]).decode()) == "the end"


def test_what_is_no_text_is_base64_and_pictures_are_pictures(roots: Roots) -> None:
    """Issue 9: binary files are handled; a picture is one by its content."""
    part = reading.read_part(roots, "docs/data.bin", 1, 2)
    assert (b64decode(part["base64"]), part["next_offset"], "text" in part) == (b"b\0", 3, False)
    assert reading.read_image(roots, "docs/picture.dat") == (PNG, "png")
    with pytest.raises(FilesError, match="no PNG, JPEG, GIF or WebP"):
        reading.read_image(roots, "docs/data.bin")


ESCAPES = [
    "docs/../secret.txt", "work/sub/../../secret.txt", "docs/link.txt", "docs/up/secret.txt",
    "work/up/new.txt", "/etc/passwd", "secret.txt", "docs/a\0b", "../docs", "docs/" + "a/" * 70,
    "work/link.txt", "nothing/x", "docs/2026/Report.txt/x", "docs",
]  # fmt: skip


@pytest.mark.parametrize(
    "act",
    [
        lambda roots, path: reading.read_part(roots, path, 0, 100),
        lambda roots, path: reading.read_image(roots, path),
        lambda roots, path: writing.write(roots, path, "x", "", overwrite=True),
        lambda roots, path: writing.move(roots, path, "work/moved"),
    ],
    ids=["read", "view", "write", "move"],
)
def test_nothing_outside_of_a_granted_folder_is_reached(
    roots: Roots, outside: Path, act: Callable[[Roots, str], Any]
) -> None:
    """Issue 9: not by '..', not by a link, not by an absolute path."""
    for path in ESCAPES:
        try:
            said = str(act(roots, path))
        except FilesError as error:
            said = str(error)
        # A link of its own may be renamed; what it leads to stays.
        assert SECRET not in said
    assert outside.read_text("utf-8") == SECRET
    assert sorted(each.name for each in outside.parent.iterdir()) == ["docs", "secret.txt", "work"]
    assert (outside.parent / "docs" / "2026" / "Report.txt").exists()


def test_a_folder_that_becomes_a_link_leads_nowhere(roots: Roots, tmp_path: Path) -> None:
    """Ours: every step is looked at when it is taken, whatever it was before."""
    listing.list_folder(roots, "work/sub")
    (tmp_path / "work" / "sub").rmdir()
    (tmp_path / "work" / "sub").symlink_to(tmp_path)
    for act in (
        lambda: listing.list_folder(roots, "work/sub"),
        lambda: reading.read_part(roots, "work/sub/secret.txt", 0, 100),
        lambda: writing.write(roots, "work/sub/new.txt", "x", "", overwrite=False),
    ):
        with pytest.raises(FilesError, match="links are not followed"):
            act()
    assert not (tmp_path / "new.txt").exists()


def test_files_are_written_replaced_moved_and_deleted(roots: Roots, tmp_path: Path) -> None:
    """Issue 9: in a folder that may be written."""
    work = tmp_path / "work"
    writing.write(roots, "work/new/a.txt", "one", "", overwrite=False)
    (work / "new" / "a.txt").chmod(0o640)
    with pytest.raises(FilesError, match="say overwrite"):
        writing.write(roots, "work/new/a.txt", "two", "", overwrite=False)
    writing.write(roots, "work/new/a.txt", "", b64encode(b"\0two").decode(), overwrite=True)
    assert (work / "new" / "a.txt").read_bytes() == b"\0two"
    assert (work / "new" / "a.txt").stat().st_mode & 0o777 == 0o640
    writing.write(roots, "work/b.txt", "", "", overwrite=False)
    with pytest.raises(FilesError, match=r"'work/b\.txt' is there already"):
        writing.move(roots, "work/new/a.txt", "work/b.txt")
    writing.move(roots, "work/new/a.txt", "work/other/c.txt")
    writing.delete(roots, "work/new")
    writing.delete(roots, "work/b.txt")
    writing.delete(roots, "work/link.txt")
    with pytest.raises(FilesError, match="not empty"):
        writing.delete(roots, "work/other")
    assert sorted(each.name for each in work.rglob("*") if not each.is_symlink()) == [
        "c.txt",
        "other",
        "sub",
    ]
    assert (tmp_path / "secret.txt").exists()


def test_a_folder_that_was_granted_to_read_is_not_written(roots: Roots) -> None:
    """Issue 9: read-only; the sentence says how to change that."""
    for act in (
        lambda: writing.write(roots, "docs/new.txt", "x", "", overwrite=False),
        lambda: writing.move(roots, "work/sub", "docs/sub"),
        lambda: writing.move(roots, "docs/data.bin", "work/data.bin"),
        lambda: writing.delete(roots, "docs/data.bin"),
    ):
        with pytest.raises(FilesError, match=r"read-only.*--read-write /.*docs"):
            act()


def test_content_that_is_none_is_refused(roots: Roots) -> None:
    """Ours: nothing half is written."""
    for text, encoded in (("a", "Yg=="), ("", "!"), ("\ud800", "")):
        with pytest.raises(FilesError):
            writing.write(roots, "work/a", text, encoded, overwrite=False)
    with pytest.raises(FilesError, match="only files are written"):
        writing.write(roots, "work/sub", "x", "", overwrite=True)


def test_files_are_found_by_name(roots: Roots) -> None:
    """Issue 9: patterns, in one folder or in all, without following links."""

    def names(pattern: str, path: str = "") -> list[str]:
        return [each["path"] for each in searching.by_name(roots, pattern, path)["found"]]

    assert names("*.TXT") == ["docs/link.txt", "docs/2026/Report.txt", "work/link.txt"]
    assert names("2026/rep*") == ["docs/2026/Report.txt"]
    assert names("sub", "work") == ["work/sub"]
    assert names("secret*") == []


def test_lines_are_found_by_their_text(roots: Roots, tmp_path: Path) -> None:
    """Issue 9: in text files, whatever the case, and nowhere behind a link."""
    (tmp_path / "work" / "long.txt").write_text("x" * 5000 + "GRÜSSE" + "y" * 5000, "utf-8")
    found = searching.by_text(roots, "grüsse", "", "*")["found"]
    assert [(each["path"], each["line"]) for each in found] == [
        ("docs/2026/Report.txt", 2),
        ("work/long.txt", 1),
    ]
    assert found[0]["text"] == "Grüße an Änn"
    assert len(found[1]["text"]) <= searching.MAX_LINE
    assert searching.by_text(roots, "canary", "", "*") == {"found": []}
    assert searching.by_text(roots, "ab", "docs", "*") == {"found": []}
    assert searching.by_text(roots, "grüsse", "", "*.md") == {"found": []}


def test_a_search_ends_at_its_bounds_and_says_so(roots: Roots, tmp_path: Path) -> None:
    """Issue 9: bounded."""
    (tmp_path / "work" / "many.txt").write_text("hit\n" * 500, encoding="utf-8")
    with (tmp_path / "work" / "large.txt").open("wb") as file:
        file.truncate(searching.MAX_FILE_BYTES + 1)
    answer = searching.by_text(roots, "hit", "work", "*")
    assert len(answer["found"]) == searching.MAX_FOUND
    assert re.match("there are more than 200 results; ", answer["incomplete"])
    assert searching.by_text(roots, "nothing", "work", "*") == {"found": [], "files_too_large": 1}
