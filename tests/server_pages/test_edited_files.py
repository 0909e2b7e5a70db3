"""What an edit of one file makes of all files of a server."""

import pytest

from gateway.servers.content import MAX_FILES, FolderContent, KeptFile
from gateway.servers.files import FileChanged, FileEdit, digest_of, edited, text_of
from supervisor.errors import InvalidServer

CODE = KeptFile("server.py", b"a = 1\n", executable=True)
DATA = KeptFile("data/words.txt", b"one\n", executable=False)
PRESENT = FolderContent("00", (CODE, DATA))


def test_one_file_changes_and_the_others_stay() -> None:
    """Ours: also the file's own mode stays."""
    files = edited("x", PRESENT, FileEdit("server.py", "a = 2\n", digest_of(CODE)))
    assert files == (DATA, KeptFile("server.py", b"a = 2\n", executable=True))
    added = edited("x", PRESENT, FileEdit("lib/more.py", "b\n", ""))
    assert added == (CODE, DATA, KeptFile("lib/more.py", b"b\n", executable=False))
    assert edited("x", PRESENT, FileEdit("data/words.txt", None, digest_of(DATA))) == (CODE,)


@pytest.mark.parametrize("was", ["", "0" * 64])
def test_a_file_that_is_not_what_was_edited_is_left_alone(was: str) -> None:
    """Issue 8: nobody's change is lost without a word; what differs is shown."""
    with pytest.raises(FileChanged) as raised:
        edited("x", PRESENT, FileEdit("server.py", "a = 2\n", was))
    assert raised.value.now == digest_of(CODE)
    assert raised.value.difference.splitlines()[2:] == ["@@ -1 +1 @@", "-a = 1", "+a = 2"]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "../x.py", "a/../../b", ".env", "a//b", "a/", "__pycache__/x.py"),
        *("a b", "node_modules/x.js", "x\\y", "\u202ex", "/".join("abcdefg"), "a" * 201),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Ours: an edit stays among the files of its server."""
    with pytest.raises(InvalidServer, match="cannot be a file's path"):
        edited("x", PRESENT, FileEdit(path, "text", ""))


def test_what_is_too_large_and_what_a_server_needs_is_refused() -> None:
    """Ours: bounds are those of what is kept as versions."""
    many = FolderContent("00", tuple(KeptFile(f"{n}", b"", False) for n in range(MAX_FILES)))
    settings = KeptFile("metadata.json", b"{}", executable=False)
    for present, edit in (
        (FolderContent("00", None), FileEdit("server.py", "a", "")),
        (many, FileEdit("more.py", "a", "")),
        (PRESENT, FileEdit("more.py", "a" * 1_000_001, "")),
        (PRESENT, FileEdit("more.py", None, "")),
        (FolderContent("00", (settings,)), FileEdit("metadata.json", None, digest_of(settings))),
    ):
        with pytest.raises(InvalidServer):
            edited("x", present, edit)


def test_only_plain_text_is_edited() -> None:
    """Ours: a browser would send other ends of lines back than it was given."""
    contents = (b"a\n", b"\xff", b"a\0", b"a\r\n")
    assert [text_of(KeptFile("x", each, False)) for each in contents] == ["a\n", None, None, None]
