"""What children print is kept, also where the disk takes no more."""

from pathlib import Path

from supervisor.children.stderr_log import StderrLog
from supervisor.redaction import Redactor


def test_file_that_cannot_be_written_is_told_once_and_lines_are_kept(tmp_path: Path) -> None:
    """Ours: the reader of a child's pipe goes on; the tail says what happened to the file."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "stderr.log"
    log = StderrLog(path, Redactor())
    tail = log.begin()
    tail.write(b"one\n")
    tail.write(b"two\n")
    assert tail.lines() == (f"({path} cannot be written: File exists)", "one", "two")
