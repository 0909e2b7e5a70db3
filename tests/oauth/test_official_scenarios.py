"""The official conformance suite's scenarios for authorization servers: all that it has."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.demonstrations import Demonstrations
from tests.oauth.conftest import House
from tests.oauth.parts import Browser, Program
from tests.ports import free_port
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(120)

SCENARIOS = ["authorization-server-metadata-endpoint", "authorization-code-grant"]
MAX_LINE_BYTES = 64 * 1024


async def lines(process: Process) -> AsyncIterator[str]:
    """Yield what the suite prints, line by line, to its end."""
    assert process.stdout is not None
    printed = BufferedByteReceiveStream(process.stdout)
    while True:
        try:
            yield (await printed.receive_until(b"\n", MAX_LINE_BYTES)).decode()
        except anyio.IncompleteRead:
            return


def found(folder: Path) -> dict[str, str]:
    """Return the status of each check that the suite wrote down."""
    files = sorted(folder.glob("**/checks.json"))
    checks = [check for file in files for check in json.loads(file.read_text("utf-8"))]
    return {check["id"]: check["status"] for check in checks}


async def test_the_official_scenarios_for_authorization_servers_pass(
    house: House,
    browser: Browser,
    program: Program,
    toolchain: Toolchain,
    tmp_path: Path,
    demonstrations: Demonstrations,
) -> None:
    """Issue 6, Shows 1: metadata and the whole way to a token, the owner consenting."""
    program.redirect = "http://127.0.0.1/callback"
    await program.register()
    base = house.live.url
    command = [*toolchain.conformance, "authorization", "--url", base, "-o", str(tmp_path)]
    command += ["--client-id", program.id, "--resource", f"{base}/mcp", "--port", str(free_port())]
    said: list[str] = []
    async with await anyio.open_process(command, stderr=subprocess.STDOUT) as suite:
        async for line in lines(suite):
            said.append(line)
            if line.startswith(f"{base}/authorize?"):
                page = await browser.open(line)
                sent = await browser.submit(line, page.text)
                assert (await program.http.get(sent.headers["Location"])).status_code == 200
    checks = found(tmp_path)
    assert (suite.returncode, checks) == (
        0,
        {
            "authorization-server-metadata": "SUCCESS",
            "authorization-server-metadata-cimd": "SUCCESS",
            "authorization-code-grant": "SUCCESS",
        },
    ), said
    demonstrations.record(
        "Checks of the official conformance suite, authorization server",
        len(checks),
        "all pass",
    )


def test_these_are_all_scenarios_that_the_suite_has_for_authorization(toolchain: Toolchain) -> None:
    """Ours: a newer suite with more of them is not passed by without a look.

    It has none for a protected resource: challenges and audiences are tested in this folder alone.
    """
    command = [*toolchain.conformance, "list", "--authorization", "--server"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    servers, authorization = listed.split("Authorization server scenarios")
    assert re.findall(r"^  - (\S+)", authorization, re.MULTILINE) == SCENARIOS
    assert not re.findall("auth", servers)
