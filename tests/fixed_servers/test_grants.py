"""What the owner lets a fixed server do beside its metadata."""

import json
from pathlib import Path

import pytest

from gateway.servers.grants import GrantFiles, Grants, check, granted
from gateway.servers.shelf import Shelf
from sandboxes.policy import Network, NetworkMode
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import read_catalog, read_server
from supervisor.spec import ServerKind, ServerSpec
from tests.fixed_servers.conftest import SHIPPED

SPEC = ServerSpec("files", ServerKind.FIXED, Path("/code"), "digest")


def test_grants_are_added_to_what_the_metadata_says(tmp_path: Path) -> None:
    """Ours: the policy that every surface shows is what the child is held to."""
    files = GrantFiles(tmp_path / "grants")
    assert files.read("files") == Grants()
    first = Grants(hosts=("a.example.com",), read_only=("/srv/a",), variables={"A": "1", "B": "2"})
    more = Grants(hosts=("b.example.com:25",), read_write=("/srv/a",), variables={"B": ""})
    files.write("files", first.with_more(more))
    kept = files.read("files")
    assert kept == Grants(
        hosts=("a.example.com", "b.example.com:25"), read_write=("/srv/a",), variables={"A": "1"}
    )
    spec = granted(SPEC, kept)
    assert spec.network == Network(NetworkMode.HOSTS, kept.hosts)
    assert (spec.read_only, spec.read_write) == ((), (Path("/srv/a"),))
    assert dict(spec.environment) == {"A": "1", "GRANTED_READ_WRITE": "/srv/a"}
    assert spec.digest != SPEC.digest
    assert granted(SPEC, Grants(full_network=True)).network == Network(NetworkMode.FULL)
    every = Grants(hosts=("*", "b.example.com:25"))
    assert granted(SPEC, every).network == Network(NetworkMode.HOSTS, every.hosts)
    assert granted(SPEC, Grants()) == SPEC
    files.write("files", Grants())
    assert list((tmp_path / "grants").iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        Grants(hosts=("10.0.0.1",)),
        Grants(hosts=("a b",)),
        Grants(hosts=("*:8080",)),
        Grants(hosts=("*",), private_addresses=True),
        Grants(variables={"PATH": "/"}),
    ],
)
def test_what_no_metadata_may_say_cannot_be_granted(wrong: Grants) -> None:
    """Ours: the same rules for both."""
    with pytest.raises(InvalidServer, match="The grants of server 'files': "):
        granted(SPEC, wrong)


def test_the_home_and_what_is_no_folder_cannot_be_granted(tmp_path: Path) -> None:
    """Ours: not under another name either."""
    home = tmp_path / "home"
    (home / "servers").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(home / "servers")
    for folder in (home, home / "servers", tmp_path, Path("/"), tmp_path / "link"):
        with pytest.raises(InvalidServer, match="home or master key is there"):
            check("files", Grants(read_only=(str(folder),)), (home,))
    for folder in (tmp_path / "file", tmp_path / "nothing", Path("here")):
        with pytest.raises(InvalidServer, match="it is no folder"):
            check("files", Grants(read_write=(str(folder),)), (home,))


def test_a_file_of_grants_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Ours: nothing is guessed of what the owner allowed."""
    files = GrantFiles(tmp_path / "grants")
    files.write("files", Grants(full_network=True))
    (tmp_path / "grants" / "files.json").write_text('{"host": ["a.example.com"]}', "utf-8")
    shelf = Shelf(SHIPPED, tmp_path / "dynamic", files)
    assert "files" not in {spec.name for spec in shelf.read_all()}
    (problem,) = shelf.problems
    assert "Take them back with: ./claude-runner servers revoke files" in problem
    assert (files.has("files"), files.has("email")) == (True, False)
    files.write("files", Grants())
    shelf.read_problems()
    assert shelf.problems == ()


def test_a_shipped_server_gives_way_to_the_dynamic_one_of_its_name(tmp_path: Path) -> None:
    """Ours: who has a server `email` already keeps it, with its credentials, after an update."""
    for kind, enabled in (("fixed", False), ("dynamic", True)):
        folder = tmp_path / kind / "email"
        folder.mkdir(parents=True)
        (folder / "server.py").write_text("", encoding="utf-8")
        (folder / "metadata.json").write_text(json.dumps({"enabled": enabled}), encoding="utf-8")
    specs, refused = read_catalog(tmp_path / "fixed", tmp_path / "dynamic")
    assert ([(spec.name, spec.kind) for spec in specs], refused) == (
        [("email", ServerKind.DYNAMIC)],
        (),
    )
    (tmp_path / "fixed" / "email" / "metadata.json").unlink()
    specs, refused = read_catalog(tmp_path / "fixed", tmp_path / "dynamic")
    assert ([(spec.name, spec.kind) for spec in specs], len(refused)) == (
        [("email", ServerKind.FIXED)],
        1,
    )


def test_a_dynamic_server_cannot_have_itself_heard(tmp_path: Path) -> None:
    """Ours: a model writes its metadata, and only the owner lets a server write to the owner."""
    folder = tmp_path / "chatty"
    folder.mkdir()
    (folder / "server.py").write_text("", encoding="utf-8")
    (folder / "metadata.json").write_text('{"notify": true}', encoding="utf-8")
    with pytest.raises(InvalidServer, match="asks to send messages to the owner"):
        read_server(folder, ServerKind.DYNAMIC)
    assert read_server(folder, ServerKind.FIXED).notify is True
