"""What a run leaves in its work folder is copied, whatever it is; nothing else ever is."""

import hashlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.run_files.copying import Keeper, NotKept, Room, copy_file, keep_changed
from gateway.run_files.finding import MAX_DEPTH, OPEN_FOLDER, find_changed
from gateway.run_files.shelf import mark_beginning

COUNTS = RunFileSet("run_1", 1, at=7)
HOUR_NS = 3600 * 10**9


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty work folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def keep(work: Path, *, since_ns: int = 0, room: Room | None = None) -> LeftFiles:
    """Keep what changed in a work folder beside it."""
    into = work.parent / "kept"
    return keep_changed(
        work, since_ns, into, COUNTS, hide=lambda name: name.replace("s3cret", "***"),
        room=room or Room(),
    )  # fmt: skip


def kept(work: Path, left: LeftFiles) -> dict[str, bytes]:
    """Return the bytes of each file that was kept."""
    into = work.parent / "kept"
    return {each.path: (into / str(each.seq)).read_bytes() for each in left.files if each.kept}


def reasons(left: LeftFiles) -> dict[str, str]:
    """Return why each other file was not."""
    return {each.path: each.reason for each in left.files if not each.kept}


def wait_for_next_tick(folder: Path) -> int:
    """Return an instant of the file system that nothing so far has reached."""
    mark, before = folder / "mark", folder.stat().st_ctime_ns
    while mark_beginning(mark).file.stat().st_ctime_ns <= before:
        mark.unlink()
    return mark.stat().st_ctime_ns


def test_what_changed_is_copied_byte_for_byte(work: Path) -> None:
    """Issue 7, What 5: path, size, kind and digest; what was there before is left alone."""
    (work / "old.txt").write_text("old", "utf-8")
    (work / "log.txt").write_text("one", "utf-8")
    since_ns = wait_for_next_tick(work.parent)
    (work / "out").mkdir()
    (work / "out" / "plot.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (work / "report.md").write_text("# S\N{LATIN SMALL LETTER O WITH DIAERESIS}\n", "utf-8")
    with (work / "log.txt").open("a", encoding="utf-8") as log:
        log.write("two")
    os.utime(work / "log.txt", (1, 1))
    left = keep(work, since_ns=since_ns)
    data = {
        "log.txt": (b"onetwo", "text/plain"),
        "report.md": (b"# S\xc3\xb6\n", "text/markdown"),
        "out/plot.png": (b"\x89PNG\r\n\x1a\nrest", "image/png"),
    }
    assert left.files == tuple(
        RunFile("run_1", 1, seq, path, len(told), kind, hashlib.sha256(told).hexdigest())
        for seq, (path, (told, kind)) in enumerate(data.items())
    )
    assert left.counts == replace(COUNTS, kept=3, bytes=6 + 6 + 12)
    assert kept(work, left) == {path: told for path, (told, _) in data.items()}
    into = work.parent / "kept"
    assert {path.stat().st_mode & 0o777 for path in (into, *into.iterdir())} == {0o700, 0o600}


def test_nothing_is_made_where_nothing_changed(work: Path) -> None:
    """Ours: most runs write nothing."""
    (work / "old.txt").write_text("old", "utf-8")
    left = keep(work, since_ns=time.time_ns() + HOUR_NS)
    assert (left.files, (work.parent / "kept").exists()) == ((), False)


def test_no_link_is_followed_and_nothing_but_files_is_opened(work: Path) -> None:
    """Adversarial: links out, links of names, pipes, sockets and devices are named, not read."""
    precious = work.parent / "precious"
    precious.mkdir()
    (precious / "key").write_text("not yours", "utf-8")
    (work / "link").symlink_to(precious / "key")
    (work / "folder").symlink_to(precious)
    os.link(precious / "key", work / "hard")
    os.mkfifo(work / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(work)  # its whole path may be too long for an address
    try:
        listener.bind("socket")
    finally:
        os.chdir(before)
        listener.close()
    left = keep(work)
    assert kept(work, left) == {}
    assert reasons(left) == {
        "link": "It is a link, no file.",
        "folder": "It is a link, no file.",
        "hard": "It has other names, which may lead out of the folder.",
        "pipe": "It is a pipe, no file.",
        "socket": "It is a socket, no file.",
    }
    assert {each.path: each.kind for each in left.files}["folder"] == "link"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_strangers_file_and_a_device_are_not_read(work: Path) -> None:
    """Adversarial: the gateway may be root, its copies must not help anybody to be."""
    (work / "shadow").write_text("x", "utf-8")
    os.chown(work / "shadow", 12345, 12345)
    try:
        os.mknod(work / "zero", 0o666 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this root may not make devices")
    assert reasons(keep(work)) == {
        "shadow": "It belongs to another user.",
        "zero": "It is a device, no file.",
    }


def test_names_are_shown_whatever_they_are(work: Path) -> None:
    """Adversarial: line ends, dots, bytes that are no text, secrets; the copy has a number."""
    names = [b"a\nb", b"..x", b"...", b"\xff\xfe", b"<b>", b"s3cret.txt", b"-rf", b"\\xff"]
    for name in names:
        (work / os.fsdecode(name)).write_bytes(name)
    left = keep(work)
    assert kept(work, left) == {
        "-rf": b"-rf",
        "...": b"...",
        "..x": b"..x",
        "<b>": b"<b>",
        "\\xff": b"\\xff",
        "a\nb": b"a\nb",
        "***.txt": b"s3cret.txt",
        "\\xff\\xfe": b"\xff\xfe",
    }
    assert sorted(path.name for path in (work.parent / "kept").iterdir()) == [*"01234567"]


def test_too_large_and_too_many_are_named_with_the_reason(work: Path) -> None:
    """Adversarial: sparse giants are not even begun; the folder beside the top comes last."""
    with (work / "giant").open("wb") as giant:
        giant.truncate(2**40)
    for number in range(4):
        (work / f"{number}.bin").write_bytes(bytes(10))
    (work / "node_modules").mkdir()
    (work / "node_modules" / "a").write_bytes(b"")
    (work / "deep").mkdir()
    (work / "deep" / "b").write_bytes(b"")
    room = Room(files=4, not_kept=2, file_bytes=20, bytes=35)
    left = keep(work, room=room)
    assert [*kept(work, left)] == ["0.bin", "1.bin", "2.bin", "deep/b"]
    assert reasons(left) == {
        "3.bin": "35 bytes are kept of an attempt.",
        "giant": "Files of at most 20 bytes are kept.",
    }
    assert left.counts == replace(COUNTS, kept=4, bytes=30, unlisted=1)


def test_a_million_files_and_endless_folders_cost_a_bounded_look(work: Path) -> None:
    """Adversarial: it stops, and says that there may be more."""
    (work / "many").mkdir()
    for number in range(50):
        (work / "many" / str(number)).touch()
    (work / "report").touch()
    top = os.open(work, OPEN_FOLDER)
    try:
        found = find_changed(top, 0, max_entries=10)
        assert (found.cut, len(found.changed)) == (True, 9)
        assert found.changed[0].path == "report"
        deep = os.dup(top)
        for _ in range(3 * MAX_DEPTH):
            os.mkdir("d" * 200, dir_fd=deep)
            deeper = os.open("d" * 200, OPEN_FOLDER, dir_fd=deep)
            os.close(deep)
            deep = deeper
        os.close(deep)
        assert find_changed(top, 0).cut
    finally:
        os.close(top)


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_what_changes_while_it_is_copied_is_not_kept(work: Path, change: str) -> None:
    """Adversarial: another run of the job may write; half of one state is no file."""
    file, place = work / "report", work / "copy"
    file.write_bytes(bytes(1000))
    wait_for_next_tick(work.parent)
    changes: dict[str, Callable[[], object]] = {
        "grow": lambda: file.write_bytes(bytes(2000)),
        "shrink": lambda: file.write_bytes(b""),
        "touch": lambda: file.chmod(0o600),
    }
    with file.open("rb") as source:
        before = os.fstat(source.fileno())
        changes[change]()
        with pytest.raises(NotKept, match="changed while it was copied"):
            copy_file(source.fileno(), before, place)
    assert not place.exists()


def test_a_place_that_becomes_a_link_meanwhile_leads_nowhere(work: Path) -> None:
    """Adversarial: between the look and the copy, a folder is swapped for a link."""
    (work / "out").mkdir()
    (work / "out" / "a").write_bytes(b"mine")
    precious = work.parent / "precious"
    precious.mkdir()
    (precious / "a").write_bytes(b"not yours")
    top = os.open(work, OPEN_FOLDER)
    try:
        found = find_changed(top, 0)
        (work / "out").rename(work.parent / "away")
        (work / "out").symlink_to(precious)
        keeper = Keeper(top, work.parent / "kept", str, Room(), COUNTS)
        keeper.take(found.changed)
    finally:
        os.close(top)
    assert reasons(keeper.left(cut=False)) == {"out/a": "It cannot be copied: Not a directory."}
