"""Every shipped server inside its sandbox, driven through `/mcp` by a real client."""

import json
import os
import sys
from base64 import b64decode
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from fastmcp.exceptions import ToolError
from mcp_types import ContentBlock, ImageContent

from gateway.package_index import read_index
from gateway.servers.grants import Grants, granted
from sandboxes.policy import Level
from supervisor.config import SupervisorConfig
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind, ServerSpec
from supervisor.supervisor import Supervisor
from supervisor.tenant import caller_tenant
from tests.fixed_servers.browser_packages import put_packages, skip_without_browser
from tests.fixed_servers.conftest import SHIPPED, House
from tests.fixed_servers.mail_server import post_office
from tests.fixed_servers.web_host import Given, web_host
from tests.notify.receiver import receiving
from tests.origin import HOST, certify
from tests.outside import PUBLIC, FakeOutside
from tests.sandboxes.conftest import skip_unless_available
from tests.toolchain import Toolchain
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)

DOWNLOAD_PAGE = (
    "data:text/html,<h1>Hello</h1><a href='data:text/plain,saved' download='report.txt'>Report</a>"
)
DOT = b"\x89PNG\r\n\x1a\n" + bytes(8)
NAMES = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_server_is_off_and_confined_until_the_owner_says_otherwise(name: str) -> None:
    """Ours: it reaches named hosts at most, no folder of the machine, and has a page."""
    spec = read_server(SHIPPED / name, ServerKind.FIXED)
    assert '"enabled": false' in (SHIPPED / name / "metadata.json").read_text("utf-8")
    assert (spec.network.mode != "full", spec.read_only, spec.read_write) == (True, (), ())
    assert spec.description
    assert (SHIPPED.parent / "docs" / "servers" / f"{name}.md").is_file()


def test_a_fresh_gateway_starts_none_of_them(house: House) -> None:
    """Ours: no process, no warning; the list says that they are there."""
    listed = house.place.json("servers", "list", "--json")
    states = {
        each["name"]: (each["state"], each["enabled"], each["pid"]) for each in listed["servers"]
    }
    assert states == dict.fromkeys(NAMES, ("disabled", False, None))
    assert listed["problems"] == []


def test_grants_are_made_shown_and_taken_back_by_command(house: House) -> None:
    """Ours: the owner's alone; what is refused changes nothing."""
    answer = house.place.json(
        "servers", "grant", "email", "--host", "mail.example.com:587", "--set", "EMAIL_DAILY_CAP=5",
        "--json",
    )  # fmt: skip
    grants = {"hosts": ["mail.example.com:587"], "variables": {"EMAIL_DAILY_CAP": "5"}}
    assert (answer["grants"], answer["ok"]) == (grants, True)
    assert house.place.json("servers", "grant", "email", "--json")["grants"] == grants
    listed = house.place.json("servers", "list", "--json")["servers"]
    assert "mail.example.com:587" in next(e["network"] for e in listed if e["name"] == "email")
    for words, why in (
        (("--host", "10.0.0.1"), "The grants of server 'email'"),
        (("--read-only", str(house.place.home)), "home or master key"),
        (("--set", "PATH=/tmp"), "PATH"),
        (("--set", "nothing"), "no KEY=VALUE"),
    ):
        done = house.place.run("servers", "grant", "email", *words)
        assert (done.returncode != 0, why in done.stderr) == (True, True), done.stderr
    assert house.place.json("servers", "grant", "email", "--json")["grants"] == grants
    missing = house.place.run("servers", "grant", "nobody", "--host", "a.example.com")
    assert (missing.returncode, "nobody" in missing.stderr) == (1, True)
    assert house.place.json("servers", "revoke", "email", "--json")["grants"] == {}


async def test_the_email_leaves_as_a_mime_message(house: House) -> None:
    """Issue 9: granted, given its credentials, switched on, and called, all by the commands."""
    async with post_office() as office:
        told = house.run(
            "servers", "grant", "email", "--full-network", "--set",
            "EMAIL_ALLOWED_RECIPIENTS=example.org",
        )  # fmt: skip
        assert told.splitlines() == [
            "Server 'email' is granted:",
            "  may reach everything",
            "  EMAIL_ALLOWED_RECIPIENTS=example.org",
            "It is disabled.",
            "Start it with: ./claude-runner servers enable email",
        ]
        for key, value in (
            ("SENDER_EMAIL", "Runner <runner@example.com>"),
            ("SMTP_HOST", "127.0.0.1"),
            ("SMTP_PORT", str(office.port)),
        ):
            house.run("credentials", "set", "email", key, given=value)
        house.run("servers", "enable", "email")
        async with house.client() as caller:
            await caller.call("email:save_attachment", name="report.txt", text="Zahlen")
            given = {"to": ["Änn <ann@example.org>"], "subject": "Grüße", "text": "Hällo"}
            said = await caller.call(
                "email:send_email", **given, bcc=["bob@example.org"], attachments=["report.txt"]
            )
            with pytest.raises(ToolError, match=r"Mail may not go to eve@example\.net"):
                await caller.call("email:send_email", **{**given, "to": ["eve@example.net"]})
    house.run("servers", "disable", "email")
    (envelope,) = office.mails
    assert envelope.rcpt_tos == ["ann@example.org", "bob@example.org"]
    mail = message_from_bytes(envelope.content, policy=default)
    assert (mail["Subject"], mail["To"], mail["Bcc"], mail["Message-ID"]) == (
        "Grüße",
        "Änn <ann@example.org>",
        None,
        said["message_id"],
    )
    body, report = mail.iter_parts()
    assert [part.get_content().strip() for part in (body, report)] == ["Hällo", "Zahlen"]
    assert (said["sent"], said["provider"], said["left_today"]) == (True, "smtp", 98)


@pytest.mark.full
async def test_a_granted_host_is_enough_for_a_mail_server(folder: Path) -> None:
    """Ours: STARTTLS through the proxy of the sandbox, with no other network."""
    skip_unless_available(Level.STRONG)
    ca = folder / "certificates"
    ca.mkdir()
    certificate = certify(ca)
    grants = Grants(
        hosts=(f"{HOST}:587",),
        read_only=(str(ca),),
        variables={
            "EMAIL_CA_FILE": str(certificate[0]),
            "EMAIL_ALLOWED_RECIPIENTS": "example.org",
        },
    )
    spec = granted(read_server(SHIPPED / "email", ServerKind.FIXED), grants)

    async def values(_: ServerSpec) -> dict[str, str]:
        return {"SENDER_EMAIL": "runner@example.com", "SMTP_HOST": HOST}

    async with post_office(certificate) as office:
        supervisor = Supervisor(
            config=SupervisorConfig(
                home=folder / "home", python=Path(sys.executable), level=Level.STRONG
            ),
            credentials=values,
            emit=lambda event: None,
            outside=FakeOutside({HOST: [[PUBLIC]]}, {(PUBLIC, 587): office.port}),
        )
        async with supervisor:
            await supervisor.apply(spec, enabled=True)
            assert (await supervisor.wait_settled("email", 60)).state == "ready"
            given = {"to": ["ann@example.org"], "subject": "x", "text": "y"}
            said = await supervisor.request(
                "email", "tools/call", {"name": "send_email", "arguments": given}
            )
    assert "isError" not in said or said["isError"] is False, said
    assert said["structuredContent"]["sent"] is True
    assert office.secured == [True]


async def test_pages_are_read_as_text_links_and_tables(house: House) -> None:
    """Issue 9: by parts, out of one visit; what cannot be read is told in a sentence."""
    body = "<title>Häfen</title><p>Viele <a href=/more>mehr</a><table><tr><td>dns<td>53</table>"
    with web_host() as web:
        url = web.put("/ports", body.encode("latin-1"), "text/html; charset=iso-8859-1")
        house.run("servers", "enable", "fetch")
        async with house.client() as caller:
            with pytest.raises(ToolError, match=r"servers grant fetch --host example\.com"):
                await caller.call("fetch:fetch_page", url=url)
            house.run("servers", "grant", "fetch", "--full-network")
            first = await caller.call("fetch:fetch_page", url=url, limit=10)
            rest = await caller.call("fetch:fetch_page", url=url, offset=first["next_offset"])
            links = await caller.call("fetch:fetch_links", url=url)
            tables = await caller.call("fetch:fetch_tables", url=url)
            with pytest.raises(ToolError, match="answered 404 Not Found"):
                await caller.call("fetch:fetch_page", url=f"{web.url}/nothing")
    house.run("servers", "disable", "fetch")
    assert (first["encoding"], rest["next_offset"]) == ("cp1252", None)
    text = first["text"] + rest["text"]
    assert text.startswith(f"# Häfen\n\nViele [mehr]({web.url}/more)")
    assert links["links"] == [{"url": f"{web.url}/more", "text": "mehr"}]
    assert tables["tables"][0]["first_rows"] == [["dns", "53"]]
    assert web.asked == ["/robots.txt", "/ports", "/nothing"]


async def test_pages_are_read_of_granted_hosts_alone(folder: Path) -> None:
    """Issue 9: hosts by policy, redirects too; no name leads to this machine or its network."""
    skip_unless_available(Level.STRONG)
    ca = folder / "certificates"
    ca.mkdir()
    certificate = certify(ca, "inside.example.com")
    trust = {"FETCH_CA_FILE": str(certificate[0])}
    named = Grants(hosts=(HOST,), read_only=(str(ca),), variables=trust)
    every = Grants(hosts=("*",), read_only=(str(ca),), variables=trust)
    shipped = read_server(SHIPPED / "fetch", ServerKind.FIXED)

    async def values(_: ServerSpec) -> dict[str, str]:
        return {}

    async def said(url: str) -> str:
        asked = {"name": "fetch_page", "arguments": {"url": url}}
        answer = await supervisor.request("fetch", "tools/call", asked)
        return answer["content"][0]["text"]

    with web_host(certificate) as web:
        web.put("/", "<p>granted")
        web.pages["/away"] = Given(status=302, headers={"Location": "https://inside.example.com/"})
        names = {HOST: [[PUBLIC]], "inside.example.com": [["127.0.0.1"], ["10.0.0.1"]]}
        outside = FakeOutside(names, {(PUBLIC, 443): web.port})
        supervisor = Supervisor(
            config=SupervisorConfig(
                home=folder / "home", python=Path(sys.executable), level=Level.STRONG
            ),
            credentials=values,
            emit=lambda event: None,
            outside=outside,
        )
        async with supervisor:
            await supervisor.apply(granted(shipped, named), enabled=True)
            assert (await supervisor.wait_settled("fetch", 60)).state == "ready"
            assert "granted" in await said(f"http://{HOST}/")
            refused = await said(f"https://{HOST}/away")
            assert "servers grant fetch --host inside.example.com" in refused
            await supervisor.apply(granted(shipped, every), enabled=True)
            assert "granted" in await said(f"https://{HOST}/")
            for _ in range(2):
                assert "has no public address" in await said(f"https://{HOST}/away")
    assert {address for address, _ in outside.dialled} == {PUBLIC}


async def test_the_browser_takes_pictures_and_downloads(house: House, toolchain: Toolchain) -> None:
    """Issue 9: an image, a file in DATA_DIR, and no network that nobody granted."""
    skip_without_browser()
    put_packages(house.place.home, toolchain)
    for _ in range(2):
        shipped = {"FIXED_SERVERS_DIR": str(SHIPPED)}
        installed = house.place.run("servers", "install", "playwright", env=shipped)
        assert installed.returncode == 0, installed.stderr
    async with house.client() as caller:

        async def use(tool: str, **payload: object) -> list[ContentBlock]:
            asked = {"tool": f"playwright:{tool}", "payload": payload}
            return (await caller.client.call_tool("invoke_internal_mcp_tool", asked)).content

        await use("browser_navigate", url=DOWNLOAD_PAGE)
        shot = await use("browser_take_screenshot", type="png", scale="css")
        (image,) = (block for block in shot if isinstance(block, ImageContent))
        assert b64decode(image.data).startswith(DOT[:8])
        await use("browser_click", target="a", element="the link")
        sessions = house.place.home / "servers" / "playwright" / "data" / "sessions"
        await until(lambda: [p.read_text("utf-8") for p in sessions.rglob("report*")] == ["saved"])
        with pytest.raises(ToolError, match="ERR_"):
            await use("browser_navigate", url="https://example.com/")
    house.run("servers", "disable", "playwright")


@pytest.mark.full
async def test_sessions_share_no_cookies_and_reach_granted_hosts(folder: Path) -> None:
    """Issue 9: a browser for each, by the sandbox's proxy; npm brings the pinned packages."""
    skip_unless_available(Level.STRONG)
    skip_without_browser()
    (ca := folder / "certificates").mkdir()
    certificate = certify(ca)
    shipped = read_server(SHIPPED / "playwright", ServerKind.FIXED)
    lenient = {"PLAYWRIGHT_MCP_IGNORE_HTTPS_ERRORS": "true"}

    async def values(_: ServerSpec) -> dict[str, str]:
        return {}

    async def visit(who: str, url: str) -> str:
        said = ""
        for name, given in (("browser_navigate", {"url": url}), ("browser_snapshot", {})):
            asked = {"name": name, "arguments": given}
            tenant = caller_tenant("token", who)
            answer = await supervisor.request("playwright", "tools/call", asked, tenant=tenant)
            said += answer["content"][0]["text"]
        return said

    with web_host(certificate) as web:
        web.pages["/"] = Given("<h1>Granted", headers={"Set-Cookie": "who=first; Path=/"})
        supervisor = Supervisor(
            config=SupervisorConfig(
                home=folder / "home",
                python=Path(sys.executable),
                level=Level.STRONG,
                index=read_index(os.environ),
            ),
            credentials=values,
            emit=lambda event: None,
            outside=FakeOutside({HOST: [[PUBLIC]]}, {(PUBLIC, 443): web.port}),
        )
        async with supervisor:
            grants = Grants(hosts=(HOST,), variables=lenient)
            await supervisor.apply(granted(shipped, grants), enabled=True)
            assert (await supervisor.wait_settled("playwright", 120)).state == "ready"
            assert "Granted" in await visit("first", f"https://{HOST}/")
            assert "Granted" in await visit("first", f"https://{HOST}/")
            assert "Granted" in await visit("second", f"https://{HOST}/")
            assert "ERR_" in await visit("first", "https://elsewhere.example.com/")
            pages = [given for path, given in web.cookies if path == "/"]
            assert pages == [None, "who=first", None]
            assert len(supervisor.snapshot("playwright").instances) == 2


async def test_files_are_reached_in_the_granted_folders_alone(house: House, folder: Path) -> None:
    """Issue 9: read-only and read-write, as the policy shows and the mount tree holds."""
    docs, work = folder / "docs", folder / "work"
    for each in (docs, work):
        each.mkdir()
        each.chmod(0o777)
    (docs / "dot.png").write_bytes(DOT)
    (docs / "report.txt").write_text("Grüße aus dem Ordner", encoding="utf-8")
    house.run("servers", "grant", "files", "--read-only", str(docs), "--read-write", str(work))
    house.run("servers", "enable", "files")
    async with house.client() as caller:
        assert await caller.call("files:list_files") == {
            "folders": [{"path": "docs", "writable": False}, {"path": "work", "writable": True}]
        }
        found = await caller.call("files:search_text", text="grüsse")
        assert [each["path"] for each in found["found"]] == ["docs/report.txt"]
        await caller.call("files:write_file", path="work/new/a.txt", text="one")
        await caller.call("files:move_file", path="work/new/a.txt", to="work/b.txt")
        shown = {"tool": "files:view_image", "payload": {"path": "docs/dot.png"}}
        (image,) = (await caller.client.call_tool("invoke_internal_mcp_tool", shown)).content
        assert isinstance(image, ImageContent)
        assert b64decode(image.data) == DOT
        with pytest.raises(ToolError, match="granted read-only"):
            await caller.call("files:delete_file", path="docs/report.txt")
    assert (work / "b.txt").read_text("utf-8") == "one"
    taken = house.place.json("servers", "revoke", "files", "--json")
    assert (taken["grants"], taken["state"]) == ({}, "ready")
    async with house.client() as caller:
        with pytest.raises(ToolError, match="No folder is granted yet"):
            await caller.call("files:list_files", path="docs")
    house.run("servers", "disable", "files")


async def test_a_notification_goes_by_the_owners_channels(house: House) -> None:
    """Issue 9: the server knows no address; the gateway stores, hides secrets, and sends."""
    house.run("servers", "enable", "notify")
    message = {"title": "Disk", "text": "It is nearly full."}
    with receiving() as receiver:
        async with house.client() as caller:
            with pytest.raises(ToolError, match="No channel takes messages of servers"):
                await caller.call("notify:send_notification", **message)
            house.run("notify", "add", "phone", "--kind", "webhook", given=f"{receiver.url}/in")
            said = await caller.call("notify:send_notification", **message)
        body = json.loads(receiver.one().body)
    house.run("servers", "disable", "notify")
    assert said["channels"] == ["phone"]
    assert (body["type"], body["data"]) == (
        "message",
        {"subject": "notify", "title": "notify: Disk", "text": "It is nearly full."},
    )
