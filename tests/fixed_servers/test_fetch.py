"""The parts of the fetch server, on a host of the test's own."""

import gzip
import re
import threading
from collections.abc import Iterator

import pytest

from tests.fixed_servers.web_host import Given, WebHost, web_host
from web_pages import visitor as visiting
from web_pages.address import read_address
from web_pages.decoding import decode
from web_pages.errors import FetchError
from web_pages.links import links_of
from web_pages.page import Form, Page
from web_pages.robots import AGENT, KEPT_S, Robots
from web_pages.shelf import MOST_KEPT, Shelf
from web_pages.tables import rows_of, tables_of
from web_pages.visitor import Visitor

ARTICLE = """<!doctype html><html><head><title> An  article </title><script>steal()</script></head>
<body><nav><a href="/home">Home</a></nav><main><h2>First</h2><p>Some <b>bold</b> words and
<a href="next?page=2#here">more</a>.<ul><li>one<li>two</ul>
<p hidden>hidden instruction<p style="color:red; DISPLAY : none">another one
<pre>a  b
  c</pre><img src="data:image/png;base64,AAAA" alt="a dot"><a href="javascript:x()">no</a></main>"""


@pytest.fixture
def host() -> Iterator[WebHost]:
    """A host without pages."""
    with web_host() as host:
        yield host


def page(body: str, url: str = "https://example.com/a/b") -> Page:
    """Return a page of HTML."""
    return Page(url, "text/html", "utf-8", body)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("http://Example.com", "https://Example.com/"),
        ("http://example.com:80/a?b#c", "https://example.com/a?b"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        (" https://example.com/ ", "https://example.com/"),
    ],
)
def test_pages_of_http_are_asked_for_by_https_behind_the_proxy(asked: str, meant: str) -> None:
    """Ours: the sandbox's proxy carries no plain http."""
    assert read_address(asked, https_only=True) == meant


@pytest.mark.parametrize(
    "text",
    ["", "example.com", "file:///etc/passwd", "ftp://example.com/", "https://", "javascript:x()",
     "https://me:secret@example.com/", "http://[::1", "https://example.com:99999/",
     "https://example.com/" + "a" * 5000],
)  # fmt: skip
def test_what_is_no_address_of_a_page_is_refused(text: str) -> None:
    """Ours: in one sentence, which repeats no password."""
    with pytest.raises(FetchError) as refused:
        read_address(text, https_only=False)
    assert "secret" not in str(refused.value)


def test_a_page_becomes_markdown_or_text() -> None:
    """Issue 9: whole addresses, lists that authors left open, nothing that nobody sees."""
    article = page(ARTICLE)
    assert article.text(Form.MARKDOWN, "").splitlines() == [
        "# An article", "", "[Home](https://example.com/home)", "", "## First", "",
        "Some **bold** words and", "[more](https://example.com/a/next?page=2#here).", "",
        "- one", "- two", "", "```", "a  b", "  c", "```", "", "a dotno",
    ]  # fmt: skip
    plain = article.text(Form.TEXT, "")
    assert "Some bold words and\nmore." in plain
    assert "instruction" not in plain
    assert article.text(Form.TEXT, "li") == "- one\n\n- two"
    with pytest.raises(FetchError, match="Nothing on the page matches 'table'"):
        article.text(Form.TEXT, "table")
    with pytest.raises(FetchError, match="is no CSS selector"):
        article.text(Form.TEXT, "p[")


def test_markup_of_any_depth_gives_its_words() -> None:
    """Ours: a page cannot end the server."""
    deep = "<div>" * 3000 + "down here" + "</div>" * 3000
    assert page(deep).text(Form.MARKDOWN, "") == "down here"
    with pytest.raises(FetchError, match="more than 100,000 tags"):
        page("<b>a" * 100_001).text(Form.MARKDOWN, "")


def test_links_are_whole_each_once_and_filtered() -> None:
    """Issue 9: links; those to other places of the same page lead nowhere."""
    body = """<base href="/docs/"><a href="a">One</a><a href=a#b>again</a><a href="https://x.org/">
    Ex  <i>ternal</i></a><a href="mailto:me@x.org">mail</a><a href="http://[">broken</a>
    <a href="https://example.com/a/b#top">top</a>"""
    found = links_of(page(body), "", 10, same_host=False)
    assert found["links"] == [
        {"url": "https://example.com/docs/a", "text": "One"},
        {"url": "https://x.org/", "text": "Ex ternal"},
    ]
    assert links_of(page(body), "TERN", 10, same_host=False)["links"] == [
        {"url": "https://x.org/", "text": "Ex ternal"}
    ]
    assert links_of(page(body), "", 10, same_host=True)["links"] == [
        {"url": "https://example.com/docs/a", "text": "One"}
    ]
    assert links_of(page(body), "", 1, same_host=False)["more"] == 1


def test_tables_are_rows_of_cells_whatever_spans_them() -> None:
    """Issue 9: tables; a table inside a cell is one of its own."""
    body = """<table><caption>Ports</caption><thead><tr><th rowspan=2>Name<th colspan=2>Number
    <tbody><tr><td>tcp<td>udp<tr><td>dns<td>53<td>53
    <tr><td>http<td colspan=99999999999>80<td><table><tr><td>inner</table></table>"""
    seen = tables_of(page(body))
    assert isinstance(seen["tables"], list)
    told = [(each["caption"], each["row_count"], each["column_count"]) for each in seen["tables"]]
    assert told == [("Ports", 4, 3), ("", 1, 1)]
    rows = rows_of(page(body), 1, 0, 3)
    assert rows["rows"] == [
        ["Name", "Number", "Number"], ["Name", "tcp", "udp"], ["dns", "53", "53"],
    ]  # fmt: skip
    assert rows["next_offset"] == 3
    assert rows_of(page(body), 1, 3, 3)["rows"] == [["http", "80", "inner"]]
    with pytest.raises(FetchError, match="has 2 tables, and none of number 3"):
        rows_of(page(body), 3, 0, 3)


def test_a_table_cannot_grow_without_end() -> None:
    """Ours: spans multiply, and a page of some bytes would fill the memory."""
    wide = "<td colspan=1000 rowspan=65000>x" * 100
    body = f"<table><tr>{wide}{'<tr><td>' * 3000}</table>"
    rows = rows_of(page(body), 1, 0, 1)
    assert rows["row_count"] == 1000
    assert isinstance(rows["rows"], list)
    assert len(rows["rows"][0]) == 200


@pytest.mark.parametrize(
    ("content", "charset", "expected"),
    [
        ("Grüße".encode(), None, ("Grüße", "utf-8")),
        ("Grüße".encode("latin-1"), "ISO-8859-1", ("Grüße", "cp1252")),
        (b"\xef\xbb\xbfGr\xc3\xbc", "iso-8859-1", ("Grü", "utf-8")),
        ('<meta charset="koi8-r">Привет'.encode("koi8-r"), None, None),
        ("日本語のテキストです。これは例です。".encode("shift_jis") * 5, None, None),
        ("Съешь ещё этих мягких булок, да выпей чаю. ".encode("cp1251") * 5, "nonsense", None),
        (b"a\xffb", "utf-8", ("a�b", "utf-8")),
        (b"plain", "unicode_escape", ("plain", "utf-8")),
        (b"plain", "hex", ("plain", "utf-8")),
    ],
)
def test_encodings_are_as_declared_else_found(
    content: bytes, charset: str | None, expected: tuple[str, str] | None
) -> None:
    """Issue 9; WHATWG Encoding: what the names mean to browsers. Codecs of Python alone do not."""
    text, encoding = decode(content, charset, markup=True)
    if expected:
        assert (text, encoding) == expected
    else:
        assert "�" not in text
        assert re.search("Привет|日本語|булок", text), (text, encoding)


async def test_robots_are_asked_first_and_obeyed(host: WebHost) -> None:
    """Issue 9, RFC 9309: by the longest rule for our name, once an hour for each host."""
    ours = f"User-agent: {AGENT}\nDisallow: /private\nAllow: /private/news\n"
    rules = f"User-agent: *\nDisallow: /\n\n{ours}"
    host.put("/robots.txt", rules, "text/plain")
    for path in ("/open", "/private/news", "/private/a"):
        host.put(path, "<p>here")
    visitor = Visitor({})
    for path in ("/open", "/private/news"):
        answer = await visitor.visit(f"{host.url}{path}")
        assert (answer.status, answer.content) == (200, b"<p>here")
    closed = f"{host.url}/private/a is closed to programs by {host.url}/robots.txt."
    with pytest.raises(FetchError, match=re.escape(closed)):
        await visitor.visit(f"{host.url}/private/a")
    assert host.asked == ["/robots.txt", "/open", "/private/news"]
    assert host.agents == {f"{AGENT}/1.0"}


async def test_redirects_are_followed_one_by_one(host: WebHost) -> None:
    """Ours: each target is looked at like the first address; robots.txt may move too."""
    host.pages["/robots.txt"] = Given(status=301, headers={"Location": "/rules.txt"})
    host.put("/rules.txt", "User-agent: *\nDisallow: /closed", "text/plain")
    host.pages["/go"] = Given(status=302, headers={"Location": "there#part"})
    host.put("/there", "arrived")
    host.pages["/bad"] = Given(status=307, headers={"Location": "/closed"})
    host.pages["/file"] = Given(status=302, headers={"Location": "file:///etc/passwd"})
    host.pages["/loop"] = Given(status=302, headers={"Location": "/loop"})
    visitor = Visitor({})
    answer = await visitor.visit(f"{host.url}/go")
    assert (answer.url, answer.content) == (f"{host.url}/there", b"arrived")
    for path, why in (
        ("/bad", "/closed is closed to programs"),
        ("/file", "is no address of a page"),
        ("/loop", "is the 6th redirect"),
    ):
        with pytest.raises(FetchError, match=why):
            await visitor.visit(f"{host.url}{path}")
    assert "/closed" not in host.asked


async def test_what_cannot_be_read_is_told_in_a_sentence(host: WebHost) -> None:
    """Issue 9: size limits, content types, and what hosts answer."""
    most = visiting.MAX_BYTES
    host.put("/large", b"a" * (most + 1))
    bomb = Given(gzip.compress(bytes(most * 3)), headers={"Content-Encoding": "gzip"})
    host.pages |= {
        "/bomb": bomb,
        "/said": Given(headers={"Content-Length": str(most + 1)}),
        "/broken": Given(b"no gzip", headers={"Content-Encoding": "gzip"}),
        "/gone": Given(status=410),
    }
    host.put("/picture", b"\x89PNG", "image/svg+xml")
    host.put("/binary", b"a\0b", None)
    visitor = Visitor({})
    for path, why in (
        ("/large", "larger than 4 MiB"),
        ("/bomb", "larger than 4 MiB"),
        ("/said", "larger than 4 MiB"),
        ("/broken", "cannot be reached"),
        ("/gone", "answered 410 Gone."),
        ("/nothing", "answered 404 Not Found."),
        ("/picture", "is image/svg[+]xml: it holds no text"),
        ("/binary", "holds no text"),
    ):
        with pytest.raises(FetchError, match=why):
            await visitor.visit(f"{host.url}{path}")
    host.put("/bare", b"<!-- x --><html><p>here", None)
    host.put("/words", b"just words", None)
    host.put("/data", b'{"a": 1}', "application/vnd.api+json")
    for path, kind in (("/bare", "text/html"), ("/words", "text/plain"), ("/data", "")):
        answer = await visitor.visit(f"{host.url}{path}")
        assert answer.kind == (kind or "application/vnd.api+json")
    assert Page.of(answer).text(Form.MARKDOWN, "") == '{"a": 1}'
    with pytest.raises(FetchError, match="which has no links"):
        Page.of(answer).soup()


async def test_a_host_that_does_not_end_is_left(host: WebHost) -> None:
    """Issue 9: time limits, of a whole visit."""
    end = threading.Event()
    host.pages["/slow"] = Given(b"late", after=end)
    try:
        with pytest.raises(FetchError, match=r"/slow took longer than 0\.5 seconds"):
            await Visitor({}, visit_s=0.5).visit(f"{host.url}/slow")
    finally:
        end.set()


async def test_a_host_out_of_order_is_left_alone(host: WebHost) -> None:
    """RFC 9309, section 2.3.1.4; and it is asked again the next time."""
    host.pages["/robots.txt"] = Given(status=503)
    host.put("/", "<p>here")
    visitor = Visitor({})
    with pytest.raises(FetchError, match="answered 503, so nobody knows"):
        await visitor.visit(f"{host.url}/")
    host.put("/robots.txt", "", "text/plain")
    assert (await visitor.visit(f"{host.url}/")).content == b"<p>here"


def test_rules_and_pages_are_kept_for_a_while() -> None:
    """Ours: reading on asks no host again, and the memory has an end."""
    now = 0.0
    robots, shelf = Robots(lambda: now), Shelf(lambda: now)
    robots.learn("https://example.com/a", 404, b"Disallow: /")
    robots.check("https://EXAMPLE.com/b")
    for number in range(MOST_KEPT + 1):
        shelf.put(f"https://example.com/{number}", page(""))
    assert shelf.find("https://example.com/0") is None
    assert shelf.find("https://example.com/1") is not None
    now = KEPT_S
    assert not robots.knows("https://example.com/a")
    assert shelf.find("https://example.com/1") is None
