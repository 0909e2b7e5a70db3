"""What a stranger's page may cost the fetch server: time, memory, and the length of an answer."""

import json
from itertools import count

import pytest
from bs4 import BeautifulSoup

from web_pages.deadline import TooLong, within
from web_pages.decoding import decode
from web_pages.errors import FetchError
from web_pages.kinds import is_html
from web_pages.links import links_of
from web_pages.page import Form, Page
from web_pages.tables import rows_of, tables_of
from web_pages.writing import Writer, without_gaps

BLANKS = " " * 400_000
BOUND = 700_000
"""Characters of an answer as JSON: two hundred thousand, and what one row more may hold."""


def page(body: str) -> Page:
    """Return a page of HTML."""
    return Page("https://example.com/a", "text/html", "utf-8", body)


def test_how_a_page_begins_is_seen_at_once() -> None:
    """Ours: comments can be told apart in one way only; twice as many took twice the time each."""
    assert not is_html("", b"<!---->" * 146)
    assert is_html("", b" \n<!-- <p> --> <!----><!DOCTYPE html>")
    assert not is_html("", b"<!-- <html>")


def test_runs_of_blanks_are_looked_at_once() -> None:
    """Ours: a page of blanks ends at all, where each blank was looked at from each one before."""
    assert without_gaps(f"a{BLANKS}b") == f"a{BLANKS}b"
    assert without_gaps("a" + " \n" * 100_000 + "\tb  \nc") == "a\n\n\tb  \nc"
    assert page(f"<pre>\n  x{BLANKS}y\n \n</pre>").text(Form.MARKDOWN, "") == (
        f"```\n  x{BLANKS}y\n```"
    )
    assert page(f"<p>x{BLANKS}y\n{BLANKS}z").text(Form.MARKDOWN, "") == "x y\nz"


def test_what_a_page_declares_is_found_whatever_stands_before_it() -> None:
    """Ours: the names of encodings are looked for tag by tag."""
    hostile = b"<meta charset=charset=" * 100_000
    assert decode(hostile, None, markup=True)[1] == "utf-8"
    declared = b'<meta name=a><meta http-equiv=b content="text/html; charset=koi8-r">'
    assert decode(declared, None, markup=True)[1] == "koi8-r"
    assert decode(b'<?xml version="1.0" encoding="koi8-r"?><a/>', None, markup=True)[1] == "koi8-r"


def test_answers_of_tables_and_links_are_bounded_in_characters() -> None:
    """Ours: a cell that spans a thousand rows made 80 MB of a page of two thousand bytes."""
    wide = f"<table><tr><td colspan=200 rowspan=1000>{'x' * 2000}{'<tr>' * 30}</table>"
    rows = rows_of(page(wide), 1, 0, 200)
    assert len(json.dumps(rows)) < BOUND
    assert (rows["row_count"], rows["next_offset"]) == (31, 1)
    listed = tables_of(page(wide * 3))
    assert len(json.dumps(listed)) < BOUND
    base = f"<base href=/{'y' * 3900}/>"
    links = links_of(page(base + "".join(f"<a href={each}>" for each in range(200))), "", 1000,
                     same_host=False)  # fmt: skip
    assert len(json.dumps(links)) < BOUND
    assert isinstance(links["links"], list)
    assert links["more"] == 200 - len(links["links"])


def test_a_long_base_does_not_multiply() -> None:
    """Ours: one of two million characters was put before each link."""
    body = f"<base href=/{'y' * 2_000_000}/><a href=b>c</a>"
    assert page(body).text(Form.MARKDOWN, "") == "[c](https://example.com/b)"
    many = f"<base href=/{'y' * 3900}/>{'<a href=b>' * 3000}"
    with pytest.raises(FetchError, match="holds addresses too long to be read"):
        page(many).text(Form.MARKDOWN, "")


def test_text_stays_about_as_long_as_its_page() -> None:
    """Ours: what is selected within something selected, levels of quotes, long numbers."""
    assert page("<div>" * 200 + "words").text(Form.TEXT, "div") == "words"
    quoted = BeautifulSoup("<blockquote>" * 50 + "<pre>" + "a\n" * 100, "lxml")
    with pytest.raises(FetchError, match="longer than 1,000 characters"):
        Writer(plain=False, most=1000).convert_soup(quoted)
    number = "9" * 5000
    for body in (
        f"<ol start={number}><li>a",
        f"<table><tr><td colspan={number}>a",
        f"<h{number}>a",
    ):
        assert len(page(body).text(Form.MARKDOWN, "")) < 50


def test_work_that_does_not_end_is_interrupted() -> None:
    """Ours: markup is tangled in more ways than are known; the thread is free after it."""
    steps = count()

    def endless() -> None:
        while True:
            next(steps)

    with pytest.raises(TooLong, match="too tangled to be read in time"):
        within(0.05, endless)
    assert within(60, lambda: 5) == 5
