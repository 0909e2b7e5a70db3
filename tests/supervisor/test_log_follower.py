"""A log is followed from a place on, over the file's end and its making room."""

from pathlib import Path

import pytest

from supervisor.children.log_follower import (
    READ_BYTES,
    Followed,
    LogPlace,
    read_end,
    read_log_place,
    read_on,
)


def texts(found: Followed) -> list[str]:
    """Return the lines' texts."""
    return [line.text for line in found.lines]


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    """Ours: a line without its end waits for it; a log that is not there yet has none."""
    log = tmp_path / "stderr.log"
    begin = read_end(log)
    assert begin == Followed((), LogPlace())
    log.write_text("2026-01-01T00:00:00.000Z one\nhal", encoding="utf-8")
    first = read_on(log, begin.place)
    with log.open("a", encoding="utf-8") as file:
        file.write("f\n")
    second = read_on(log, read_log_place(str(first.place)))
    assert [texts(first), texts(second), texts(read_on(log, second.place))] == [
        ["one"],
        ["half"],
        [],
    ]
    assert first.lines[0].at is not None


def test_a_log_that_makes_room_is_followed_into_its_new_file(tmp_path: Path) -> None:
    """Ours: what was written before the change of files is not lost."""
    log = tmp_path / "stderr.log"
    log.write_text("one\n", encoding="utf-8")
    place = read_end(log).place
    with log.open("a", encoding="utf-8") as file:
        file.write("two\n")
    log.rename(tmp_path / "stderr.log.1")
    log.write_text("three\n", encoding="utf-8")
    found = read_on(log, place)
    assert (texts(found), found.skipped) == (["two", "three"], False)
    assert texts(read_on(log, found.place)) == []


def test_a_reader_that_is_behind_gets_the_newest(tmp_path: Path) -> None:
    """Issue 8: slow tabs catch up; what is left out is said."""
    log = tmp_path / "stderr.log"
    log.write_text("first\n", encoding="utf-8")
    place = read_end(log).place
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{number:099d}\n" for number in range(2 * READ_BYTES // 100))
    for found in (read_on(log, place), read_end(log), read_on(log, LogPlace(1, 0))):
        assert found.skipped
        assert texts(found)[-1] == f"{2 * READ_BYTES // 100 - 1:099d}"
        assert {len(text) for text in texts(found)} == {99}


@pytest.mark.parametrize("text", ["", "1", "a-b", "1-2-3", "-1-2", "1-" + "9" * 30])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    """Ours: browsers send it back, and others may send anything."""
    with pytest.raises(ValueError, match="is no place in a log"):
        read_log_place(text)
