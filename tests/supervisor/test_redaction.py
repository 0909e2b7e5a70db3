"""Secrets do not get into what is written down, in whatever spelling and pieces they come."""

import base64
import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from supervisor.children.stderr_log import StderrLog
from supervisor.redaction import Redactor

CANARY = 'pa$s/w0rd "quoted" +äß\\end'
PLAIN = "plain-word-1234567890"
PEM = "\n".join(
    (
        "-----BEGIN RSA PRIVATE KEY-----",
        *(base64.b64encode(hashlib.sha384(bytes([n])).digest()).decode() for n in range(26)),
        "-----END RSA PRIVATE KEY-----",
    )
)


def basic(before: str) -> Callable[[str], str]:
    """Return how a value is spelled in base64 behind another one."""
    return lambda value: base64.b64encode(f"{before}{value}:after".encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json with its own letters": lambda value: json.dumps(value, ensure_ascii=False),
    "repr": repr,
    "url": quote,
    "url, all of it": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "hexadecimal": lambda value: value.encode().hex(),
    "large hexadecimal": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 behind one": basic("u"),
    "base64 behind two": basic("u:"),
    "base64 behind three": basic("us:"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(f"~~{value}".encode()).decode(),
}


LETTERS = "abcdefgXYZ0123456789+/&=äß 漢"
NEIGHBOURS = 8
"""Characters that stand before or behind a value in some of its spellings."""


def knowing(*values: str) -> Redactor:
    """Return a redactor that knows values."""
    redactor = Redactor()
    for value in values:
        redactor.know("KEY", value)
    return redactor


def told(path: Path, redactor: Redactor, pieces: list[bytes]) -> tuple[str, str]:
    """Return the file and the tail after a child wrote some pieces."""
    log = StderrLog(path, redactor)
    tail = log.begin()
    for piece in pieces:
        tail.write(piece)
    tail.end()
    log.close()
    return path.read_text("utf-8"), "\n".join(tail.lines())


@pytest.mark.parametrize("value", [CANARY, PLAIN, PEM])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_known_value_is_hidden_in_every_spelling(value: str, spelling: str) -> None:
    """Research C: plain, base64, URL-encoded, JSON-escaped and hexadecimal."""
    spelled = SPELLINGS[spelling](value)
    shown = knowing(value).hide_text(f"before {spelled} after")
    core = spelled[8:-8]
    assert core not in shown and "[KEY hidden]" in shown
    assert shown.startswith("before ") and shown.endswith(" after")


@pytest.mark.parametrize("length", [50, 64, 65, 100, 108, 127, 128, 129, 200])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_of_a_long_value_nothing_is_left(length: int, spelling: str) -> None:
    """Ours: but for what digits of base64 at its ends share with their neighbours."""
    value = "".join(random.Random(length).choices(LETTERS, k=length))  # noqa: S311 - no secret
    shown = knowing(value).hide_text(f"before {SPELLINGS[spelling](value)} after")
    left = shown.replace("[KEY hidden]", "")
    assert len(left) <= len("before  after") + 2 * NEIGHBOURS, left


def test_a_value_is_hidden_however_it_is_cut(tmp_path: Path) -> None:
    """Ours: cut in two at each place, on one line and wrapped over two."""
    redactor = knowing(CANARY)
    for number, spelling in enumerate(SPELLINGS.values()):
        spelled = spelling(CANARY).encode()
        for at in range(1, len(spelled)):
            # One or two characters at the end of a line are not taken for a beginning.
            for between in (b"", b"\n") if at > 7 else (b"",):
                pieces = [b"said " + spelled[:at] + between, spelled[at:] + b" end\n"]
                shown = told(tmp_path / f"{number}-{at}-{len(between)}", redactor, pieces)
                for text in shown:
                    assert spelled[4:-4] not in text.replace("\n", "").encode()
                    assert "[KEY hidden]" in text and text.rstrip().endswith(" end")


def test_the_pieces_in_which_text_comes_change_nothing(tmp_path: Path) -> None:
    """Property: what is kept of random text is the same, whole or in random pieces."""
    rng = random.Random(8)  # noqa: S311 - no secret, and the same each time
    values = [secrets.token_urlsafe(24), CANARY, PEM, "A" * 300]
    redactor = knowing(*values)
    words = [*values, *(v[: len(v) // 2] for v in values), "word", "-----BEGIN", "\n", " ", "a"]
    for number in range(60):
        spell = rng.choice(list(SPELLINGS.values()))
        text = "".join(spell(w) if rng.random() < 0.3 else w for w in rng.choices(words, k=30))
        data = text.encode()
        cuts = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(9))})
        pieces = [data[one:two] for one, two in pairwise(cuts)]
        for text in told(tmp_path / f"{number}", redactor, pieces):
            joined = "".join(line.partition("Z ")[2] or line for line in text.split("\n"))
            assert not [value for value in values if value.replace("\n", "") in joined]
            assert redactor.hide_text(joined).count("hidden]") == joined.count("hidden]")


def test_what_is_no_secret_stays_as_it_is() -> None:
    """Ours: bytes that are no text, short values, and words that only begin like a key."""
    redactor = knowing("short", PLAIN)
    data = b"\xff\x00 short sk-ant-short AKIA eyJ.x.y crt_short plain-word- -----BEGIN\n"
    assert redactor.hide(data) is data


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-api03-" + "aB3_" * 20,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 12,
        "xoxb-123456789012-abcdefABCDEF",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "crt_" + "aB3-" * 11,
        "cra_" + "aB3_" * 11,
        PEM,
        PEM.replace("\n", "\\n"),
        PEM.replace("\n", "\n    "),
    ],
)
def test_a_key_that_nobody_told_of_is_hidden_by_its_form(key: str) -> None:
    """Issue 6: patterns for common key formats."""
    shown = Redactor().hide_text(f"token={key} next\nline")
    assert key[8:-8] not in shown and "hidden] next\nline" in shown


def test_a_private_key_is_hidden_while_its_lines_come(tmp_path: Path) -> None:
    """Ours: line after line, and also when its end never comes."""
    lines = [line.encode() + b"\n" for line in f"before\n{PEM}\nafter".split("\n")]
    for pieces in (lines, lines[:-2]):
        for text in told(tmp_path / str(len(pieces)), Redactor(), pieces):
            assert "before" in text and "[private key hidden]" in text
            assert not any(line.decode().strip() in text for line in pieces[1:28])
            assert ("after" in text) == (pieces is lines)


def test_a_beginning_is_not_shown_before_its_end_is_known(tmp_path: Path) -> None:
    """Ours: neither the file nor the tail has half a secret while the rest is on its way."""
    log = StderrLog(tmp_path / "log", knowing(PLAIN))
    tail = log.begin()
    tail.write(b"one\nword " + PLAIN[:11].encode())
    assert tail.lines() == ("one", "word ")
    tail.write(PLAIN[11:].encode())
    assert tail.lines() == ("one", "word [KEY hidden]")
    log.close()


def test_a_value_is_hidden_as_long_as_one_process_has_it() -> None:
    """Ours: two generations run side by side for a while; after the last it is not held."""
    redactor = knowing(PLAIN, PLAIN)
    redactor.forget("KEY", PLAIN)
    assert redactor.hide_text(PLAIN) == "[KEY hidden]"
    redactor.forget("KEY", PLAIN)
    assert redactor.hide_text(PLAIN) == PLAIN


def test_strings_anywhere_in_a_tree_are_looked_through() -> None:
    """Ours: members of what a run's messages are made of, by value and by name."""
    tree = {"a": [1, None, {"b": f"x {CANARY}"}], PLAIN: True}
    assert knowing(CANARY, PLAIN).hide_tree(tree) == {
        "a": [1, None, {"b": "x [KEY hidden]"}],
        "[KEY hidden]": True,
    }


@pytest.mark.parametrize(
    "unit",
    ["eyJ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----\n", "sk-ant-", "AKIA", "\n", "A", "ghp_a"],
)
def test_text_made_against_it_takes_time_in_proportion(unit: str) -> None:
    """Ours: the reader of a child's pipe is the gateway's own loop. Processor time, not clock."""
    redactor = knowing("A" * 40, CANARY, *(secrets.token_urlsafe(30) for _ in range(50)))
    data = (unit * (1 << 18))[: 1 << 18].encode()
    redactor.hide(b"ready")
    begun = time.process_time()
    redactor.hide(data)
    redactor.hide_lines(data, 1 << 16)
    redactor.shown_now(data)
    assert time.process_time() - begun < 5.0


WORDS = "!?two words & more!"


@pytest.mark.parametrize("value", [CANARY, PLAIN, WORDS, f"sk-ant-{'a1B2' * 8}", PEM])
def test_a_growing_text_never_shows_a_piece_of_a_secret(value: str) -> None:
    """Ours: however a stream is cut, nothing of a secret is in it, and what was shown stays."""
    redactor = knowing(CANARY, PLAIN, WORDS)
    text = f"Here it is: {value}, and {value}: the end. "
    secret = value.removeprefix("-----BEGIN RSA PRIVATE KEY-----").removeprefix("sk-ant-")
    pieces = [secret[at : at + 6] for at in range(min(len(secret), 200) - 5)]
    shown = ""
    for length in (*range(0, len(text), 1 + len(text) // 200), len(text)):
        now = redactor.hide_settled(text[:length])
        assert now.startswith(shown) or value in (WORDS, PEM)  # its first signs are no secret yet
        assert not any(piece in now for piece in pieces)
        shown = now
    assert shown == redactor.hide_text(text)


def test_a_growing_text_waits_where_one_secret_begins_in_another() -> None:
    """Ours: the longer one is not shown in part because the shorter one was hidden."""
    redactor = knowing("secret-one", "secret-one-and-more", "one and a word")
    for text in ("secret-one-and", "x secret-one an", "x secret-one and a wor"):
        assert "and" not in redactor.hide_settled(text)
    assert redactor.hide_settled("plain words, and on") == "plain words, and "
    assert redactor.hide_settled("漢字、漢字") == "漢字、漢字"
