"""Every example as its reader adds it, in its sandbox, driven through `/mcp` by a real client."""

import json
from base64 import b64decode, b64encode

import pytest
from fastmcp.exceptions import ToolError
from mcp_types import ImageContent

from gateway.examples.shelf import EXAMPLES, read_example, read_examples
from supervisor.errors import InvalidServer
from tests.examples.conftest import ACCOUNT, NAMES, STORAGE, Village
from tests.examples.storage import storage
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.timeout(400)

BUILD_S = 170.0
"""For the packages of a server, on a busy machine."""
DOT = b"\x89PNG\r\n\x1a\n" + bytes(8)
ALL = {each.name: each for each in read_examples(EXAMPLES)}


def test_each_example_has_its_page_and_what_the_list_says() -> None:
    """Ours: a description, a page that adds it, a line in the table; its hosts are stood in for."""
    told = (EXAMPLES / "README.md").read_text("utf-8")
    for name, example in ALL.items():
        page = (EXAMPLES / name / "README.md").read_text("utf-8")
        assert example.description
        assert f"./claude-runner examples add {name}" in page
        assert f"| [{name}]({name}/README.md) |" in told
        assert "README.md" not in {file.path for file in read_example(EXAMPLES, name)}
    hosts = {host for example in ALL.values() for host in example.hosts}
    assert {host.replace("*", ACCOUNT) for host in hosts} == {*NAMES, STORAGE}


def test_a_name_of_no_example_is_answered_with_those_that_are() -> None:
    """Ours."""
    with pytest.raises(InvalidServer, match=r"no example 'dogs'; there are cat-facts, "):
        read_example(EXAMPLES, "dogs")


def test_examples_are_listed_with_what_they_need(village: Village) -> None:
    """Issue 9, What 2."""
    listed = village.shell.json("examples", "list")
    assert [each["name"] for each in listed] == [*ALL]
    shown = village.shell.text("examples", "list").splitlines()
    assert shown[0].split() == ["EXAMPLE", "NEEDS", "MAY", "REACH", "PACKAGES", "DESCRIPTION"]
    assert shown[1].split()[:2] == ["cat-facts", "catfact.ninja"]


def test_what_cannot_be_added_changes_nothing(village: Village) -> None:
    """Ours: an unknown example, and a name that is bad, reserved or taken."""
    shell = village.shell
    shell.text("examples", "add", "url-shortener", "--as", "taken", "--disabled")
    for words, status, why in (
        (("dogs",), 1, "There is no example 'dogs'"),
        (("../../fixed-servers/email",), 2, "email' is not allowed"),
        (("url-shortener", "--as", "Big"), 2, "'Big' is not allowed"),
        (("url-shortener", "--as", "all"), 1, "'all' is reserved"),
        (("url-shortener", "--as", "taken"), 1, "dynamic server named 'taken' already"),
    ):
        said = shell("examples", "add", *words)
        assert (said.status, why in said.err) == (status, True), said.err
    listed = shell.json("servers", "list")["servers"]
    assert [each["name"] for each in listed if not each["enabled"]] == ["taken"]
    shell.text("servers", "remove", "taken", "--yes")


async def test_cat_facts_asks_its_one_host(village: Village) -> None:
    """Issue 9: an API without a key; what it answers wrongly is one sentence."""
    said = village.shell.text("examples", "add", "cat-facts")
    assert said == "Server 'cat-facts' is ready.\n"
    host, answers = "catfact.ninja", village.internet.answers
    async with village.house.client() as caller:
        answers[host] = (200, {"fact": "Cats sleep.", "length": 11})
        fact = await caller.call("cat-facts:random_fact", max_length=50)
        assert fact == {"result": "Cats sleep."}
        assert (village.internet.asked[-1].host, village.internet.asked[-1].path) == (
            host,
            "/fact?max_length=50",
        )
        answers[host] = (200, {"data": [{"breed": "Manx", "country": "Isle of Man"}]})
        breeds = await caller.call("cat-facts:list_breeds", limit=1)
        assert breeds == {"result": [{"breed": "Manx", "country": "Isle of Man"}]}
        for answer, why in (
            ((404, {"message": "Fact not found"}), "No fact has 1000 characters at most"),
            ((500, {}), r"https://catfact\.ninja answered with status 500"),
        ):
            answers[host] = answer
            with pytest.raises(ToolError, match=why):
                await caller.call("cat-facts:random_fact")


async def test_the_weather_waits_for_its_key_and_sends_it_to_its_host_alone(
    village: Village,
) -> None:
    """Issue 9: an API with a key, which stands in no address; what it refuses is one sentence."""
    shell, host, answers = village.shell, "api.tomorrow.io", village.internet.answers
    said = shell.text("examples", "add", "weather")
    assert said.splitlines() == [
        "Server 'weather' is added, and starts when its credentials are set.",
        "./claude-runner credentials set weather TOMORROW_API_KEY",
    ]
    asked = {"place": "Lisbon", "units": "metric"}
    async with village.house.client() as caller:
        with pytest.raises(ToolError, match="TOMORROW_API_KEY"):
            await caller.call("weather:current_weather", **asked)
        shell.text("credentials", "set", "weather", "TOMORROW_API_KEY", given="a-key-of-tomorrow")
        values = {"temperature": 17.5, "windSpeed": 4, "uvIndex": 1}
        where, now = {"name": "Lisboa, Portugal"}, "2026-11-23T09:00:00Z"
        answers[host] = (200, {"location": where, "data": {"time": now, "values": values}})
        measured = {"time": now, "temperature": 17.5, "wind_speed": 4}
        assert await caller.call("weather:current_weather", **asked) == {
            "place": "Lisboa, Portugal",
            **measured,
        }
        got = village.internet.asked[-1]
        assert (got.host, got.path) == (host, "/v4/weather/realtime?location=Lisbon&units=metric")
        assert got.headers["apikey"] == "a-key-of-tomorrow"
        hourly = [{"time": now, "values": values}] * 3
        answers[host] = (200, {"location": {}, "timelines": {"hourly": hourly}})
        told = await caller.call("weather:forecast", place="Lisbon", hours=2)
        assert told == {"place": "Lisbon", "hours": [measured] * 2}
        for status, why in ((400, "does not know this place"), (401, "set another"), (500, "500")):
            answers[host] = (status, {})
            with pytest.raises(ToolError, match=f"tomorrow.io .*{why}"):
                await caller.call("weather:current_weather", **asked)


async def test_the_notes_are_found_by_their_words(village: Village) -> None:
    """Issue 9: SQLite with its full-text index in DATA_DIR; a query is words and nothing else."""
    village.shell.text("examples", "add", "sqlite-notes", "--as", "notes")
    async with village.house.client() as caller:

        async def found(words: str) -> list[int]:
            said = await caller.call("notes:search_notes", words=words)
            return [each["id"] for each in said["result"]]

        brulee = {
            "title": "Crème brûlée",
            "text": "Six yolks, half a litre of cream.",
        }
        assert await caller.call("notes:add_note", **brulee) == {"result": 1}
        await caller.call("notes:add_note", title="Oil", text='Six litres of "5W-30" OR more')
        assert await found("creme yolk") == [1]
        assert sorted(await found("SIX")) == [1, 2]
        for words in ("six oil", "OR", '5W "more'):
            assert await found(words) == [2]
        assert await found("oil\0litres") == [2]
        for words in (" ", '"', "\0", "- *"):
            with pytest.raises(ToolError, match="holds no word; give one"):
                await found(words)
        village.shell.text("servers", "restart", "notes")
        await caller.call("notes:change_note", number=1, text="Eight yolks.")
        assert [await found("six"), await found("eight")] == [[2], [1]]
        note = await caller.call("notes:read_note", number=1)
        assert (note["title"], note["text"]) == (brulee["title"], "Eight yolks.")
        await caller.call("notes:delete_note", number=2)
        listed = await caller.call("notes:list_notes")
        assert [each["id"] for each in listed["result"]] == [1]
        with pytest.raises(ToolError, match="There is no note 2; list_notes"):
            await caller.call("notes:delete_note", number=2)


async def test_the_url_shortener_keeps_what_it_is_told(village: Village) -> None:
    """Issue 9: state in DATA_DIR, which a restart leaves; its making is a version and an entry."""
    house, shell = village.house, village.shell
    shell.text("examples", "add", "url-shortener", "--as", "links")
    long = "https://example.com/reports/2026/q3?page=2"
    async with house.client() as caller:
        made = (await caller.call("links:shorten", url=long))["result"]
        assert await caller.call("links:shorten", url=long) == {"result": made}
        await caller.call("links:shorten", url=long, name="q3")
        with pytest.raises(ToolError, match=f"'q3' stands for {long[:20]}"):
            await caller.call("links:shorten", url="https://example.com", name="q3")
        with pytest.raises(ToolError, match="no http:// or https:// address"):
            await caller.call("links:shorten", url="javascript:alert(1)")
        shell.text("servers", "restart", "links")
        assert await caller.call("links:expand", name="q3") == {"result": long}
        listed = await caller.call("links:list_links", contains=made)
        assert listed == {made: long}
        assert await caller.call("links:remove", name="q3") == {"result": long}
        with pytest.raises(ToolError, match="No address is kept under 'q3'"):
            await caller.call("links:expand", name="q3")
    kept = house.place.home / "servers" / "links" / "data" / "links.json"
    assert json.loads(kept.read_text("utf-8")) == {made: long}
    (version,) = shell.json("servers", "versions", "links")["versions"]
    assert (version["origin"], version["author"]) == ("created", "owner")
    audit = ("audit", "--tool", "add an example")
    wait_until(lambda: "url-shortener links" in shell.text(*audit), PATIENCE_S)


@pytest.mark.full
async def test_the_world_clock_is_a_server_for_node(village: Village) -> None:
    """Issue 9: npm's packages, pinned by a lock; what an argument may not be is one sentence."""
    village.shell.text("examples", "add", "world-clock")
    wait_until(lambda: state(village, "world-clock") == "ready", BUILD_S)
    asked = {"time": "2026-11-23T09:30", "zone": "America/St_Johns"}
    async with village.house.client() as caller:
        told = await caller.call("world-clock:convert_time", **asked, zones=["Asia/Kolkata"])
        there = {"time": "2026-11-23T18:30:00+05:30", "weekday": "Monday"}
        assert told == {"times": [{"zone": "Asia/Kolkata", **there}]}
        now = await caller.call("world-clock:current_time", zones=["UTC", "Europe/Berlin"])
        assert [each["zone"] for each in now["times"]] == ["UTC", "Europe/Berlin"]
        with pytest.raises(ToolError, match='There is no time zone "Mars/Base"; write one such as'):
            await caller.call("world-clock:current_time", zones=["Mars/Base"])
        with pytest.raises(ToolError, match="There is no such day or time"):
            await caller.call(
                "world-clock:convert_time", **asked | {"time": "2026-13-01T00:00"}, zones=["UTC"]
            )


@pytest.mark.full
async def test_images_are_stored_and_read_by_boto3(village: Village) -> None:
    """Issue 9, Shows: an object goes into a storage that speaks S3, and comes back."""
    shell, data = village.shell, {"name": "2026/dot.png", "data": b64encode(DOT).decode()}
    shell.text("examples", "add", "r2-images")
    metadata = village.house.place.folder / "dynamic" / "r2-images" / "metadata.json"
    said = json.loads(metadata.read_text("utf-8"))
    # boto3 has certificates of its own; its owner tells it of ours by hand.
    trusted = {"AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
    metadata.write_text(json.dumps(said | {"environment": trusted}), "utf-8")
    wait_until(lambda: len(shell.json("servers", "versions", "r2-images")["versions"]) == 2)
    keys = {
        "R2_ACCOUNT_ID": ACCOUNT,
        "R2_BUCKET": "images",
        "R2_ACCESS_KEY_ID": "an-id",
        "R2_SECRET_ACCESS_KEY": "a-secret-of-the-storage",
    }
    for key, value in keys.items():
        shell.text("credentials", "set", "r2-images", key, given=value)
    wait_until(lambda: state(village, "r2-images") == "ready", BUILD_S)
    async with village.house.client() as caller:
        with storage(STORAGE, village.storage_port, village.certificate) as kept:
            with pytest.raises(ToolError, match="There is no bucket 'images'"):
                await caller.call("r2-images:store_image", **data)
            assert kept.ask("PUT", "/images").status_code == 200
            stored = await caller.call("r2-images:store_image", **data)
            assert stored == {"name": "2026/dot.png", "bytes": len(DOT), "type": "image/png"}
            (listed,) = (await caller.call("r2-images:list_images", prefix="2026/"))["result"]
            assert (listed["name"], listed["bytes"]) == ("2026/dot.png", len(DOT))
            shown = {"tool": "r2-images:view_image", "payload": {"name": "2026/dot.png"}}
            (image,) = (await caller.client.call_tool("invoke_internal_mcp_tool", shown)).content
            assert isinstance(image, ImageContent)
            assert b64decode(image.data) == DOT
            link = (await caller.call("r2-images:link_to_image", name="2026/dot.png"))["result"]
            place = link.removeprefix(f"https://{STORAGE}")
            assert place.startswith("/images/2026/dot.png?") and "X-Amz-Expires=3600" in place
            there = kept.ask("GET", place)
            assert (there.content, there.headers["content-type"]) == (DOT, "image/png")
            with pytest.raises(ToolError, match="This is no PNG, JPEG, GIF or WebP image"):
                await caller.call("r2-images:store_image", name="x.png", data="aGVsbG8=")
            await caller.call("r2-images:delete_image", name="2026/dot.png")
            with pytest.raises(ToolError, match=r"There is no image '2026/dot\.png'"):
                await caller.call("r2-images:view_image", name="2026/dot.png")
            assert kept.ask("GET", place).status_code == 404
        with pytest.raises(ToolError, match="The storage cannot be reached"):
            await caller.call("r2-images:list_images")


def state(village: Village, server: str) -> str:
    """Return how a server is; one that cannot be what is waited for fails the test."""
    seen = village.shell.json("servers", "show", server)["server"]
    assert seen["state"] in ("starting", "ready"), seen["reason"]
    return str(seen["state"])
