"""`settings`: where values come from, and changes that would not start a gateway are refused."""

import os
from contextlib import suppress
from pathlib import Path

import anyio
import httpx2
import pytest

from gateway.local import GatewayStarting, LiveGateway, find_live
from tests.cli.gateways import COMMAND, LOOK_EVERY_S, Place, make_place
from tests.cli.shell import Shell
from tests.oauth.parts import Browser, Inputs


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A home that no gateway holds."""
    return Shell(make_place(tmp_path))


def test_settings_are_listed_with_their_origin_and_without_secrets(shell: Shell) -> None:
    """Issue 8, What 2: environment before file before default; a secret is never shown."""
    file = shell.write("my.env", "ANTHROPIC_API_KEY=sk-ant-hidden\nPORT=99\nRUNS_DAYS=7\n")
    listed = shell.json("settings", "list", "--env-file", file)
    found = {each["name"]: (each["value"], each["from"]) for each in listed["settings"]}
    assert found["ANTHROPIC_API_KEY"] == (None, ".env")
    assert found["PORT"] == ("0", "environment")
    assert found["RUNS_DAYS"] == ("7", ".env")
    assert found["HOST"] == ("127.0.0.1", "default")
    assert found["PUBLIC_URL"] == (None, "not set")
    table = shell.text("settings", "list", "--changed", "--env-file", file)
    assert ("(hidden)" in table, "sk-ant" in table, "HOST " in table) == (True, False, False)


def test_a_setting_is_checked_and_written(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Ours: the file keeps its other lines, is closed to all but its group, needs a restart."""
    file = shell.write("my.env", "# mine\nRUNS_DAYS=7\n")
    said = shell.text("settings", "set", "RUNS_DAYS", 8, "--env-file", file)
    assert said == "RUNS_DAYS now comes from: .env. It holds from the gateway's next start.\n"
    key = shell.text("settings", "set", "OAUTH_SECRET_KEY", "--env-file", file, given="k" * 20)
    assert "k" * 20 not in key
    assert file.read_text("utf-8").startswith("# mine\nRUNS_DAYS=8\n")
    assert file.stat().st_mode & 0o037 == 0
    shell.text("settings", "unset", "OAUTH_SECRET_KEY", "--env-file", file)
    before = file.read_bytes()
    for wrong, sentence in (
        (("set", "RUNS_DAYS", "many"), "RUNS_DAYS is 'many'; it accepts a whole number"),
        (("set", "OAUTH_CLIENT_SECRET"), "OAUTH_CLIENT_ID must be set when"),
        (("set", "OAUTH_CLIENT_SECRET", "x" * 20), "does not belong on a command line"),
        (("set", "RUN_DAYS", "8"), "is no setting"),
        (("unset", "HOST"), "is not in that file"),
    ):
        refused = shell("settings", *wrong, "--env-file", file, given="y" * 20)
        assert (refused.status in (1, 2), refused.out, refused.err.count("\n")) == (True, "", 1)
        assert sentence in refused.err
    # A library's own words would come to the terminal first.
    assert caplog.records == []
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == ["dynamic", "fixed", "my.env"]
    wins = shell.text("settings", "set", "PORT", 5, "--env-file", file)
    assert "the environment sets PORT too, and wins" in wins


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize(("before", "after"), [(0o640, 0o640), (0o600, 0o600), (0o644, 0o640)])
def test_a_changed_file_stays_with_the_user_of_the_service(
    shell: Shell, before: int, after: int
) -> None:
    """Ours: a service that runs as another user than who sets still reads its settings."""
    file = shell.write("my.env", "RUNS_DAYS=7\n")
    os.chown(file, 1234, 4321)
    file.chmod(before)
    shell.text("settings", "set", "RUNS_DAYS", 8, "--env-file", file)
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 4321, after)


async def test_the_owner_restarts_the_gateway_from_its_page(tmp_path: Path) -> None:
    """Issue 8, 1: the process stays, what was set on the page then holds, leftovers are gone."""
    place = make_place(tmp_path)
    file = tmp_path / "my.env"
    file.write_text(f"OAUTH_SECRET_KEY={'k' * 20}\n", "utf-8")
    command = (*COMMAND, "serve", "--env-file", str(file))
    with place.cold_gateway(command, SANDBOX="off") as live:
        link = place.run("dashboard", "link").stdout.strip()
        async with httpx2.AsyncClient(headers={"Origin": live.url}) as client:
            await Browser(live.url, client).log_in(link.removeprefix(live.url))

            async def send(path: str, page: str, **form: str) -> int:
                shown = await client.get(f"{live.url}{page}")
                token = dict(Inputs(shown.text).hidden)["form_token"]
                fields = {"form_token": token, **form}
                return (await client.post(f"{live.url}{path}", data=fields)).status_code

            assert await send("/settings/RUNS_DAYS", "/settings/RUNS_DAYS", value="8") == 303
            leftover = place.home / ".backup-x1_z2abc"
            leftover.mkdir()
            assert await send("/restart", "/settings") == 202
        anew = await restarted(place, live)
        assert (anew.pid, leftover.exists()) == (live.pid, False)
        listed = place.json("settings", "list", "--changed", "--json", "--env-file", str(file))
        found = {each["name"]: each["value"] for each in listed["settings"]}
        assert (found["RUNS_DAYS"], listed["restart"]) == ("8", None)


async def restarted(place: Place, before: LiveGateway) -> LiveGateway:
    """Return the gateway of a home once it is another than before."""
    with anyio.fail_after(60):
        while True:
            with suppress(GatewayStarting):
                live = find_live(place.home)
                if live is not None and live.token != before.token:
                    return live
            # A look at the home, and no wait for a time: the clock decides nothing here.
            await anyio.sleep(LOOK_EVERY_S)
