"""Pages on which the owner lets code of a server have secrets: what he agrees to is what he saw."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from quart import Blueprint
from quart import typing as quart_typing

from gateway.code_changes import ChangePages
from gateway.credential_requests import CredentialPages
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.work import Waiting
from gateway.servers import ServerReport, Servers
from gateway.servers.content import KeptFile
from gateway.servers.difference import difference
from gateway.servers.held import MAX_DIFFERENCE
from gateway.variables import CodeChanges
from tests.dashboard.parts import Shown, send, sign_in
from tests.tools.conftest import Gateway, open_gateway
from tests.tools.servers import ANY, server_code

GUARD_S = 60.0
SECRET = "correct horse battery staple"
CODE = server_code({"show": ANY}, 'os.environ["SMTP_PASSWORD"]; return {"content": []}')


class Watched:
    """The servers, and when somebody begins to wait for the turn of one."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.spec = servers.spec
        self.waits = anyio.Event()

    async def renew(self, name: str, before: Callable[[], Awaitable[None]]) -> ServerReport:
        """Bring in a child with the present credentials."""
        self.waits.set()
        return await self._servers.renew(name, before)


def shown_digest(page: str) -> str:
    """Return what a page says that it has shown."""
    found = re.search(r'name="shown" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def waiting_code(port: int) -> str:
    """Return code of a server that starts once whoever listens at a port of loopback says so."""
    wait = f"""
import os, socket
with socket.create_connection(("127.0.0.1", {port})) as gate:
    gate.recv(1)
"""
    return wait + CODE.replace('environ["SMTP_PASSWORD"]', 'environ.get("SMTP_PASSWORD")')


async def test_a_value_that_is_sent_while_new_code_comes_in_is_not_stored(tmp_path: Path) -> None:
    """Issue 6, 7: the form waits for the code's turn, and then it is another server."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def gate(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started.set()
        await go_on.wait()
        writer.close()

    async with (
        await asyncio.start_server(gate, "127.0.0.1", 0) as listener,
        open_gateway(tmp_path) as gateway,
    ):
        await gateway.call("create_mcp_server", name="mailer", code=CODE)
        services = gateway.services
        link = services.credential_links.ask("mailer", "SMTP_PASSWORD", asked_by="a test").id
        watched, path = Watched(services.servers), f"/credential/{link}"

        def pages(browser: Browser) -> list[Blueprint]:
            return [
                CredentialPages(
                    browser,
                    services.credential_links,
                    cast("Servers", watched),
                    services.credentials,
                ).blueprint()
            ]

        client = await sign_in(Shown(further=pages))
        form = {"shown": shown_digest(await text_at(client, path)), "value": SECRET}
        answers: list[Any] = []

        async def fill_in() -> None:
            answers.append(await send(client, path, form, page=path))

        code = waiting_code(listener.sockets[0].getsockname()[1])
        update = partial(gateway.call, "update_mcp_server", name="mailer", code=code)
        with anyio.fail_after(GUARD_S):
            async with anyio.create_task_group() as group:
                group.start_soon(update)
                await started.wait()
                group.start_soon(fill_in)
                await watched.waits.wait()
                go_on.set()
        page = await answers[0].get_data(as_text=True)
        assert answers[0].status_code == 400
        assert "The server is another one than a moment ago" in page
        assert await services.credentials.keys("mailer") == frozenset()
        again = await send(client, path, {**form, "shown": shown_digest(page)}, page=path)
        assert again.status_code == 200
        assert await services.credentials.keys("mailer") == {"SMTP_PASSWORD"}


@asynccontextmanager
async def held(folder: Path, new: str) -> AsyncGenerator[tuple[Gateway, Any]]:
    """Open a gateway in which version 2 of a server waits, and a browser of its owner."""
    async with open_gateway(folder, code_changes=CodeChanges.APPROVE) as gateway:
        await gateway.call("create_mcp_server", name="mailer", code=CODE)
        wanted = {"server": "mailer", "key": "SMTP_PASSWORD", "value": SECRET}
        await gateway.call("set_server_credential", **wanted)
        await gateway.call("update_mcp_server", name="mailer", code=new)
        servers = gateway.services.servers
        assert await servers.held.count() == 1
        live = Live(time.monotonic)
        shown = Shown(
            followed=live, further=lambda browser: [ChangePages(browser, servers, live).blueprint()]
        )
        yield gateway, await sign_in(shown)


async def test_what_is_too_long_for_the_page_is_approved_where_all_of_it_is_shown(
    tmp_path: Path,
) -> None:
    """Issue 6, 7: nobody approves what he could not see; also a form made by hand does not."""
    word = {"server": "mailer", "version": "2", "decision": "approve"}
    new = CODE + "# filler\n" * (MAX_DIFFERENCE // 9) + "LAST = 1\n"
    async with held(tmp_path, new) as (gateway, client):
        page = await text_at(client, "/changes")
        assert "LAST = 1" not in page
        assert 'value="approve"' not in page
        assert '<a href="/changes/mailer/2">look at all of it</a>' in page
        for unseen in ({}, {"shown": ""}, {"shown": "0" * 64}):
            refused = await send(client, "/changes", {**word, **unseen}, page="/changes")
            assert "or not all of it" in await refused.get_data(as_text=True)
            assert await gateway.services.servers.held.count() == 1
        whole = await text_at(client, "/changes/mailer/2")
        assert "+LAST = 1" in whole
        form = {**word, "shown": shown_digest(whole)}
        done = await send(client, "/changes", form, page="/changes")
        assert "is approved; it is ready" in await done.get_data(as_text=True)
        assert (await client.get("/changes/mailer/2")).status_code == 404


def test_bytes_that_are_no_utf8_do_not_hide_a_change() -> None:
    """Issue 6, 7: Python reads such code, so its owner reads it too."""
    contents = ("x = 'é'\n".encode(), b"# coding: latin-1\nx = '\xc3\xa9'\ny = '\xe9'\n")
    old, new = ([KeptFile("server.py", each, executable=False)] for each in contents)
    text = difference(old, new, names="one|two")
    assert text.endswith("+# coding: latin-1\n x = 'Ã©'\n+y = 'é'\n")


def test_code_cannot_be_written_so_that_its_difference_takes_for_ever() -> None:
    """Ours: the gateway answers nobody while it compares; shown is all, whatever it costs."""
    kinds = [f"line {n}\n" for n in range(101)]
    old, new = "".join(kinds * 1000), "".join(reversed(kinds * 1000))
    files = [[KeptFile("a.py", text.encode(), executable=False)] for text in (old, new)]
    began = time.process_time()
    text = difference(*files, names="one|two")
    assert time.process_time() - began < GUARD_S
    lines = text.splitlines(keepends=True)
    assert "".join(line[1:] for line in lines[3:] if line[0] == "-") == old
    assert "".join(line[1:] for line in lines[3:] if line[0] == "+") == new


async def test_the_overview_says_that_code_waits() -> None:
    """Ours: who logs in for something else hears of it."""
    client = await sign_in(Shown(waits=Waiting(changes=2)))
    page = await text_at(client, "/")
    assert 'waits for you: 2. <a href="/changes">' in page
    assert "waits for you" not in await text_at(await sign_in(Shown()), "/")


async def text_at(client: quart_typing.TestClientProtocol, path: str) -> str:
    """Return a page that is there."""
    answer = await client.get(path)
    assert answer.status_code == 200
    return await answer.get_data(as_text=True)
