"""Servers that their owner added: what a crash, an edit or a broken neighbour does to them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.catalog.desk import Catalog
from gateway.catalog.updating import Updates
from gateway.cli.catalog_updates import told
from gateway.domain.server_version import Origin
from gateway.importing.planning import Ground
from gateway.servers.history import Change
from supervisor.errors import InvalidServer
from supervisor.events import ServerState
from tests.tools.conftest import Gateway, open_gateway, text_of, write_server
from tests.tools.servers import SEND
from tests.waiting import until

BROKEN = "raise SystemExit('broken')\n"
UPDATED = Change(Origin.UPDATED, "owner")
PINNED = {"kind": "command", "package": "true", "version": "", "digest": "sha256:0"}


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that finds the folders of a crash, of a sleeper, and of three added servers."""
    folder = tmp_path_factory.mktemp("added")
    home, added = folder / "home", folder / "home" / "added"
    write_server(folder / "dynamic", "sleeper", SEND, idle_stop_s=0.1)
    write_server(added, "edited", SEND, enabled=False)
    write_server(added, "unpinned", SEND, enabled=False)
    write_server(added, "broken", BROKEN)
    (added / "edited" / "pinned.json").write_text(json.dumps(PINNED), "utf-8")
    write_server(added, ".removed-gone", SEND)
    (home / "servers" / "gone" / "data").mkdir(parents=True)
    (home / "servers" / "gone" / "data" / "notes.txt").write_text("kept", "utf-8")
    (home / "grants").mkdir()
    (home / "grants" / "gone.json").write_text('{"full_network": true}', "utf-8")
    async with open_gateway(folder) as gateway:
        yield gateway


def added_of(gateway: Gateway) -> Path:
    """Return the folder of added servers."""
    return gateway.folder / "home" / "added"


async def test_a_removal_that_a_crash_interrupted_is_finished(opened: Gateway) -> None:
    """Ours: what a server was granted, and its data, do not outlive it."""
    home = opened.folder / "home"
    left = (added_of(opened) / ".removed-gone", home / "servers" / "gone", home / "grants")
    assert [each.exists() for each in left[:2]] == [False, False]
    assert not list(left[2].iterdir())
    assert await opened.services.servers.removal.left("gone") == ()


async def test_what_a_folder_removed_by_hand_left_is_found_and_removed(opened: Gateway) -> None:
    """Ours: the next server of that name is given none of it."""
    removal, home = opened.services.servers.removal, opened.folder / "home"
    (home / "grants" / "former.json").write_text('{"full_network": true}', "utf-8")
    data = home / "servers" / "former" / "data"
    data.mkdir(parents=True)
    (data / "notes.txt").write_text("kept", "utf-8")
    assert await removal.left("former") == ("its grants", "its data")
    await removal.remove("former")
    assert await removal.left("former") == ()
    assert not data.parent.exists()


async def test_a_server_that_sleeps_goes_back_to_code_that_works(opened: Gateway) -> None:
    """Issue 4: new code that does not start leaves what worked, also where nothing ran."""
    supervisor = opened.services.supervisor
    await until(lambda: supervisor.snapshot("sleeper").state is ServerState.STOPPED)
    answer = await opened.call("update_mcp_server", name="sleeper", code=BROKEN)
    assert answer["ok"] is False
    code = opened.folder / "dynamic" / "sleeper" / "server.py"
    assert code.read_text("utf-8") == SEND
    result = await opened.raw("invoke_internal_mcp_tool", tool="sleeper:send", payload={"to": "x"})
    assert text_of(result) == '{"to": "x"}'


async def test_a_server_that_could_not_run_keeps_its_update_and_says_so(opened: Gateway) -> None:
    """Ours: it is not said that all is as it was."""
    files = {"server.py": BROKEN + "# another\n"}
    report = await opened.services.servers.adding.replace("broken", files, UPDATED)
    assert report.failure is not None and report.kept
    assert (added_of(opened) / "broken" / "server.py").read_text("utf-8") == files["server.py"]
    done = {"server": "broken", "changes": ["toy 1 -> 2"], "ok": False, "problem": "It died."}
    assert "in place and does not run. It died." in told({**done, "kept": True})
    assert "stays as it was. It died." in told({**done, "kept": False})


async def test_an_update_leaves_what_the_owner_wrote_meanwhile(opened: Gateway) -> None:
    """Ours: limits that were tightened while packages were built stay."""
    adding, folder = opened.services.servers.adding, added_of(opened) / "edited"
    metadata = '{"enabled": false, "limits": {"memory_mb": 64}}'
    (folder / "metadata.json").write_text(metadata, "utf-8")
    await adding.replace("edited", {"pinned.json": json.dumps(PINNED) + "\n"}, UPDATED)
    assert (folder / "metadata.json").read_text("utf-8") == metadata
    assert (folder / "pinned.json").read_text("utf-8").endswith("\n")
    (folder / "metadata.json").write_text("{", "utf-8")
    with pytest.raises(InvalidServer, match=r"metadata\.json of the folder cannot be read"):
        await adding.roll_back("edited", 1, author="owner")


async def test_one_server_that_cannot_be_looked_at_is_one_line(opened: Gateway) -> None:
    """Ours: what is wrong with one says nothing of the others."""
    services = opened.services
    state = opened.folder / "home" / "servers"
    catalog = Catalog(services.servers, services.supervisor, Ground(lambda _: None, ()), state)
    (added_of(opened) / "unpinned" / "odd.txt").write_bytes(b"\xff")
    found = {each.server: each for each in await Updates(catalog, services.servers).all()}
    assert "is no text" in found["unpinned"].problem and found["unpinned"].pin is None
    assert "pinned.json" in found["broken"].problem
    assert "has no command any more" in found["edited"].problem
