"""Playwright's server drives Debian's Chromium inside the strong sandbox, without a network."""

import base64
import struct
from pathlib import Path

import pytest

from tests.cli.gateways import make_place
from tests.e2e.conftest import add_fixed, client, wait_ready
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(240)

PAGE = "data:text/html,<title>Inside</title><h1>Hello from the sandbox</h1>"
PROFILE = {
    "memory_mb": 1536,
    "processes": 256,
    "open_files": 4096,
    "shared_memory_mb": 64,
}
PNG = b"\x89PNG\r\n\x1a\n"


async def test_a_browser_shows_a_page_and_its_picture(tmp_path: Path, toolchain: Toolchain) -> None:
    """Issue: playwright MCP driving Debian's Chromium under a profile made for it."""
    place = make_place(tmp_path)
    options = ("--headless", "--isolated", "--browser", "chromium", "--no-sandbox")
    program = ("--executable-path", str(toolchain.browser))
    add_fixed(
        place,
        "browser",
        {
            "command": [*toolchain.command("playwright"), *options, *program],
            "read_only": [str(path) for path in toolchain.read_only],
            "limits": PROFILE,
            "unix_sockets": True,
        },
    )
    with place.gateway() as live:
        wait_ready(live)
        async with client(live, "/servers/browser/mcp", "auto") as session:
            seen = await session.call_tool("browser_navigate", {"url": PAGE})
            assert "Page Title: Inside" in "".join(b.text for b in seen.content if b.type == "text")
            shot = await session.call_tool("browser_take_screenshot", {})
    (image,) = (block for block in shot.content if block.type == "image")
    picture = base64.b64decode(image.data)
    assert picture.startswith(PNG)
    width, height = struct.unpack(">II", picture[16:24])
    assert width >= 640 and height >= 480
