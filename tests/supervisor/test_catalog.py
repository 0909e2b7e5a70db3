"""From folders to specs, and one sentence for each that cannot be used."""

import json
import os
from pathlib import Path

import pytest

from sandboxes.policy import MIB, Network, NetworkMode
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import check_name, digest, read_catalog, read_server
from supervisor.spec import DeclaredCredential, Era, Instances, ReloadStrategy, ServerKind


def make(root: Path, name: str, metadata: object = None, code: str | None = "x = 1\n") -> Path:
    """Write a server's folder."""
    folder = root / name
    folder.mkdir(parents=True)
    if code is not None:
        (folder / "server.py").write_text(code, encoding="utf-8")
    if metadata is not None:
        (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["a", "time", "a-b-1", "x" * 40])
def test_good_names_are_accepted(name: str) -> None:
    """Issue: ^[a-z][a-z0-9-]{0,39}$."""
    check_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "a__b", "A", "1a", "-a", "a\n", "a\0", "\u0430", "x" * 41, "x" * 300, "."],
)
def test_bad_names_get_one_short_sentence(name: str) -> None:
    """Issue: bad input."""
    with pytest.raises(InvalidServer) as caught:
        check_name(name)
    assert len(str(caught.value)) < 250
    assert str(caught.value).startswith("The server name ")


def test_a_folder_with_a_program_is_a_server_with_the_defaults(tmp_path: Path) -> None:
    """Ours."""
    spec = read_server(make(tmp_path, "plain"), ServerKind.DYNAMIC)
    assert (spec.name, spec.command, spec.network) == ("plain", None, Network())
    assert (spec.instances, spec.reload, spec.era) == (
        Instances.SHARED,
        ReloadStrategy.SIDE_BY_SIDE,
        None,
    )


def test_all_metadata_arrives_in_the_spec(tmp_path: Path) -> None:
    """Issue, point 4: the spec."""
    metadata = {
        "description": "d",
        "command": ["./run", "x"],
        "environment": {"MODE": "fast"},
        "credentials": ["KEY", {"key": "OPT", "required": False, "description": "o"}],
        "network": {"hosts": ["example.com"]},
        "limits": {"memory_mb": 100, "address_space_mb": 200},
        "start_timeout_s": 5,
        "call_timeout_s": 6,
        "instances": "per_session",
        "reload": "stop_first",
        "era": "modern",
        "read_only": ["/usr/share"],
        "enabled": False,
    }
    folder = make(tmp_path, "full", metadata)
    spec = read_server(folder, ServerKind.FIXED)
    assert spec.command == (f"{folder}/run", "x")
    assert spec.environment == (("MODE", "fast"),)
    assert spec.credentials == (
        DeclaredCredential("KEY"),
        DeclaredCredential("OPT", required=False, description="o"),
    )
    assert spec.network == Network(NetworkMode.HOSTS, ("example.com",))
    assert (spec.limits.memory_bytes, spec.limits.address_space_bytes) == (100 * MIB, 200 * MIB)
    assert (spec.start_timeout_s, spec.call_timeout_s) == (5, 6)
    assert (spec.instances, spec.reload, spec.era) == (
        Instances.PER_SESSION,
        ReloadStrategy.STOP_FIRST,
        Era.MODERN,
    )
    assert spec.read_only == (Path("/usr/share"),)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"colour": "red"}, "colour: extra inputs are not permitted"),
        ({"command": "python x"}, "command: input should be a valid array"),
        ({"command": []}, "command: tuple should have at least 1 item"),
        ({"start_timeout_s": -1}, "start_timeout_s: input should be greater than 0"),
        ({"era": "stone"}, "era: input should be 'handshake' or 'modern'"),
        ({"environment": {"LD_PRELOAD": "x"}}, "'LD_PRELOAD' is refused"),
        ({"credentials": ["PATH"]}, "'PATH' is refused"),
        ({"read_only": ["relative"]}, "relative is not an absolute path"),
        ({"network": {"hosts": ["127.0.0.1"]}}, "The host '127.0.0.1' is an address"),
        ({"network": {"hosts": ["*.com"]}}, "The host '*.com' has no domain"),
        ({"network": {"hosts": []}}, "Name 1 to 100 hosts; 0 were given"),
    ],
)
def test_wrong_metadata_is_named(tmp_path: Path, metadata: object, sentence: str) -> None:
    """Issue: one clear sentence."""
    with pytest.raises(InvalidServer) as caught:
        read_server(make(tmp_path, "bad", metadata), ServerKind.FIXED)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata",
    [
        {"network": "full"},
        {"network": {"hosts": ["db.example.com"], "private_addresses": True}},
        {"read_only": ["/etc"]},
        {"read_write": ["/srv"]},
    ],
)
def test_a_dynamic_server_cannot_grant_itself_what_is_the_owners(
    tmp_path: Path, metadata: object
) -> None:
    """Ours: a model may have written this metadata."""
    with pytest.raises(InvalidServer, match="only the owner grants those"):
        read_server(make(tmp_path, "greedy", metadata), ServerKind.DYNAMIC)


def test_broken_and_huge_metadata_are_refused(tmp_path: Path) -> None:
    """Ours."""
    for name, text in (("broken", "{"), ("huge", " " * 100_000), ("list", "[]")):
        folder = make(tmp_path, name)
        (folder / "metadata.json").write_text(text, encoding="utf-8")
        with pytest.raises(InvalidServer):
            read_server(folder, ServerKind.FIXED)


def test_a_catalog_holds_the_good_and_explains_the_others(tmp_path: Path) -> None:
    """Ours: one bad folder harms no other."""
    fixed, dynamic = tmp_path / "fixed", tmp_path / "dynamic"
    make(fixed, "time")
    make(dynamic, "time")
    make(dynamic, "mine")
    make(dynamic, "Bad Name")
    make(dynamic, "empty", code=None)
    make(dynamic, ".hidden")
    specs, refused = read_catalog(fixed, dynamic)
    assert [(s.name, s.kind) for s in specs] == [
        ("time", ServerKind.FIXED),
        ("mine", ServerKind.DYNAMIC),
    ]
    assert len(refused) == 3
    assert read_catalog(tmp_path / "no", tmp_path / "nowhere") == ((), ())


def test_a_file_of_any_name_is_part_of_the_digest(tmp_path: Path) -> None:
    """Linux: a file name is bytes."""
    folder = make(tmp_path, "s")
    before = digest(folder)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text("", encoding="utf-8")
    assert digest(folder) != before


def test_a_folder_that_cannot_be_read_harms_no_other(tmp_path: Path) -> None:
    """Ours; a link loop stands in for a forbidden file, which root may read."""
    make(tmp_path, "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "metadata.json").symlink_to("metadata.json")
    specs, refused = read_catalog(tmp_path, tmp_path / "none")
    assert [spec.name for spec in specs] == ["good"]
    assert "metadata.json cannot be read" in str(refused[0])


def test_the_digest_changes_with_contents_and_names_and_nothing_else(tmp_path: Path) -> None:
    """Ours: content, not time stamps."""
    folder = make(tmp_path, "s")
    before = digest(folder)
    os.utime(folder / "server.py", (1, 1))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "link").symlink_to("/etc/passwd")
    assert digest(folder) == before
    (folder / "server.py").write_text("x = 2\n", encoding="utf-8")
    changed = digest(folder)
    assert changed != before
    (folder / "server.py").rename(folder / "other.py")
    assert digest(folder) not in (before, changed)
