"""The owner's pages of settings, over a file of the test's own; nothing restarts."""

import html
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from quart import typing as quart_typing

from gateway.audit.actions import ACTIONS
from gateway.restarting import Restart
from gateway.settings import load
from gateway.settings_pages.backups import BackupPages
from gateway.settings_pages.pages import SettingsPages
from gateway.settings_pages.rows import BY_COMMAND
from gateway.store import Store
from gateway.variables import VARIABLES
from tests.dashboard.parts import Shown, send, sign_in

SECRET = "sk-ant-of-the-file"
FILE = f"# mine\nANTHROPIC_API_KEY={SECRET}\nRUNS_DAYS=7\n"


@dataclass
class Pages:
    """The pages, the owner's client, and the file."""

    shown: Shown
    owner: quart_typing.TestClientProtocol
    file: Path
    restart: Restart

    async def text(self, path: str) -> str:
        """Return a page."""
        return html.unescape(await (await self.owner.get(path)).get_data(as_text=True))

    async def act(self, path: str, **form: str) -> tuple[int, str]:
        """Send a form; return the status and the page that it leads to."""
        answer: Any = await send(self.owner, path, form, page="/settings")
        if answer.status_code == 303:
            return 303, await self.text(answer.headers["Location"])
        return answer.status_code, html.unescape(await answer.get_data(as_text=True))

    async def row(self, name: str) -> str:
        """Return what the list says of a setting."""
        rows = (await self.text("/settings")).split("<tr>")
        (row,) = [each for each in rows if f"/settings/{name}" in each]
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)).strip()


async def open_pages(file: Path, *, otherwise: str = "") -> Pages:
    """Return the pages of a gateway that was started with this file."""
    environ = {"CLAUDE_RUNNER_HOME": str(file.parent / "home"), "RUN_CONCURRENCY": "2"}
    settings, restart = load(environ, file), Restart()
    backups = BackupPages(settings, lambda: 1_795_330_000_000)
    shown = Shown(
        further=lambda browser: (
            SettingsPages(
                browser,
                settings.read_from,
                restart,
                backups,
                otherwise=otherwise,
                has_client=False,
            ).blueprint(),
        )
    )
    return Pages(shown, await sign_in(shown), file, restart)


@pytest.fixture
async def pages(tmp_path: Path) -> Pages:
    """A gateway that read a file with a secret and a number."""
    file = tmp_path / "my.env"
    file.write_text(FILE, "utf-8")
    return await open_pages(file)


async def test_every_setting_is_shown_with_its_origin_and_no_secret(pages: Pages) -> None:
    """Issue 8, 1: value, origin, default, what it does."""
    text = await pages.text("/settings")
    assert re.findall(r'href="/settings/(\w+)"', text) == [each.name for each in VARIABLES]
    assert await pages.row("RUNS_DAYS") == "RUNS_DAYS 7 .env 90 Days for which a run is kept."
    assert (await pages.row("RUN_CONCURRENCY")).startswith("RUN_CONCURRENCY 2 environment 3 Most")
    assert (await pages.row("HOST")).startswith("HOST 127.0.0.1 default 127.0.0.1 Where")
    assert (await pages.row("ANTHROPIC_API_KEY")).startswith("ANTHROPIC_API_KEY (hidden) .env -")
    for path in ("/settings", "/settings/ANTHROPIC_API_KEY"):
        assert SECRET not in await pages.text(path)
        assert (await pages.shown.app.test_client().get(path)).status_code == 401


async def test_a_change_is_checked_written_and_waits_for_a_restart(pages: Pages) -> None:
    """Issue 8, 1: by the functions of `settings set`; other lines of the file stay."""
    status, page = await pages.act("/settings/RUNS_DAYS", do="set", value="8")
    assert (status, "RUNS_DAYS will come from: .env. It takes effect after" in page) == (303, True)
    assert "Takes effect after a restart: RUNS_DAYS." in page
    assert (await pages.row("RUNS_DAYS")).startswith("RUNS_DAYS 7 after a restart 8 .env 90")
    assert pages.file.read_text("utf-8").split("\n")[0] == "# mine"
    assert load({}, pages.file).runs_days == 8
    status, page = await pages.act("/settings/RUN_CONCURRENCY", do="set", value="4")
    assert (status, "the environment sets RUN_CONCURRENCY too, and wins" in page) == (303, True)
    await pages.act("/settings/RUNS_DAYS", do="unset")
    assert (await pages.row("RUNS_DAYS")).startswith("RUNS_DAYS 7 after a restart 90 .env 90")
    deeds = {"settings.change", "settings.begin_anew", "settings.download"}
    assert deeds <= ACTIONS.keys()


async def test_what_would_not_start_changes_nothing(pages: Pages) -> None:
    """Ours: the refusals of `settings set`, said on the page."""
    for name, form, status, sentence in (
        ("RUNS_DAYS", {"value": "many"}, 422, "RUNS_DAYS is 'many'; it accepts a whole number"),
        ("RUNS_DAYS", {"value": ""}, 422, "Please fill this in"),
        ("MCP_TRANSPORT", {"value": "stdio"}, 422, "the gateway would not come back"),
        ("PORT", {"do": "unset"}, 409, "PORT is not in that file"),
        ("RUN_DAYS", {"value": "8"}, 404, "is no setting"),
    ):
        got, page = await pages.act(f"/settings/{name}", **form)
        assert (name, got, sentence in page) == (name, status, True)
    assert pages.file.read_text("utf-8") == FILE
    assert sorted(path.name for path in pages.file.parent.iterdir()) == ["my.env"]


async def test_a_change_under_way_elsewhere_keeps_its_copy(pages: Pages) -> None:
    """Ours: who could not make a copy of the file removes none."""
    other = pages.file.with_name(f".my.env.{os.getpid()}")
    other.write_text("another's", "utf-8")
    status, page = await pages.act("/settings/RUNS_DAYS", do="set", value="8")
    assert (status, "cannot be written (File exists)" in page) == (409, True)
    assert (other.read_text("utf-8"), pages.file.read_text("utf-8")) == ("another's", FILE)


async def test_a_session_does_not_decide_on_the_fence(pages: Pages) -> None:
    """Ours: a stolen one must not be a way out of the sandbox, to the keys or to the API key."""
    names = {variable.name for variable in BY_COMMAND}
    assert {"SANDBOX", "CODE_CHANGES", "AUDIT_ENTRIES", "AUDIT_DAYS", "HOST", "PUBLIC_URL"} <= names
    assert {"TRUSTED_PROXIES", "ANTHROPIC_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"} <= names
    assert {variable.name for variable in VARIABLES if variable.secret} <= names
    for name in names:
        page = await pages.text(f"/settings/{name}")
        assert f"./claude-runner settings set {name}" in page
        assert (await pages.act(f"/settings/{name}", do="set", value="off"))[0] == 403
    assert pages.file.read_text("utf-8") == FILE


async def test_a_gateway_that_could_not_start_again_is_not_ended(pages: Pages) -> None:
    """Ours: settings are read before anything ends; elsewhere the page says how."""
    client = await open_pages(pages.file.with_name("none.env"), otherwise="By the shell.")
    status, page = await client.act("/restart")
    assert (status, "By the shell." in page, client.restart.asked) == (409, True, False)
    assert "Restart the gateway" not in await client.text("/settings")
    answer = await pages.owner.get("/settings")
    token = re.findall(r'form_token" value="(\w+)"', await answer.get_data(as_text=True))[0]
    for written in ("RUNS_DAYS=many\n", "MCP_TRANSPORT=stdio\n"):
        pages.file.write_text(written, "utf-8")
        refused: Any = await pages.owner.post("/restart", form={"form_token": token})
        assert (refused.status_code, pages.restart.asked) == (409, False)
    pages.file.write_text(FILE, "utf-8")
    status, page = await pages.act("/restart")
    assert (status, pages.restart.asked) == (202, True)
    assert "If it has not ended within 19 s, its process ends at once" in page


async def test_a_backup_is_downloaded_and_leaves_no_file(pages: Pages) -> None:
    """Issue 8, 3: the archive of `backup`, which has no secret of the settings."""
    home = pages.file.parent / "home"
    home.mkdir()
    answer: Any = await send(pages.owner, "/backup", {}, page="/settings")
    assert (answer.status_code, list(home.iterdir())) == (409, [])
    async with Store.open(None, path=home / "jobs.db"):
        answer = await send(pages.owner, "/backup", {}, page="/settings")
        content = await answer.get_data()
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].endswith('claude-runner-20261122-064640.tar.gz"')
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert {"manifest.json", "jobs.db"} <= {Path(name).name for name in archive.getnames()}
        written = archive.extractfile("settings.env")
        assert written is not None
        told = written.read().decode()
    assert ("RUNS_DAYS='7'" in told, SECRET in told) == (True, False)
    assert {path.name for path in home.iterdir()} <= {"jobs.db", "jobs.db-wal", "jobs.db-shm"}
