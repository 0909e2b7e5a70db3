"""Every change of a dynamic server is a version, and one call goes back."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.server_version import VersionFile, VersionResult
from gateway.servers import Draft
from gateway.servers.content import MAX_BYTES, KeptFile, read_content
from gateway.servers.difference import difference
from gateway.servers.history import KEPT_BYTES, KEPT_VERSIONS, surplus
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind
from tests.store.examples import server_version
from tests.tools.conftest import Gateway, open_gateway, write_server
from tests.tools.servers import ANY, SEND, server_code
from tests.waiting import until_seen

OTHER = server_code({"other": ANY})
BROKEN = "raise RuntimeError('no such luck')\n"


async def versions(gateway: Gateway, name: str = "email") -> list[dict[str, Any]]:
    """Return a server's versions as a tool shows them, newest first."""
    return (await gateway.call("list_server_versions", name=name))["versions"]


async def version_of(gateway: Gateway, number: int) -> dict[str, Any]:
    """Return a version once it is written down."""

    async def is_there() -> bool:
        return any(version["number"] >= number for version in await versions(gateway))

    await until_seen(is_there)
    return next(each for each in await versions(gateway) if each["number"] == number)


async def test_every_change_is_a_version_also_one_that_did_not_start(gateway: Gateway) -> None:
    """Issue 4: kept with author, time, digest and result; one call rolls back."""
    made = await gateway.call("create_mcp_server", name="email", code=SEND)
    broken = await gateway.call("update_mcp_server", name="email", code=BROKEN)
    changed = await gateway.call("update_mcp_server", name="email", code=OTHER)
    assert [made["version"], broken["version"], changed["version"]] == [1, 2, 3]
    back = await gateway.call("rollback_mcp_server", name="email")
    assert back["ok"] is True
    assert back["message"] == "Server 'email' is back at version 1, kept as version 4, and ready."
    assert [tool["name"] for tool in back["tools"]] == ["mcp__email__send"]
    assert (gateway.dynamic / "email" / "server.py").read_text() == SEND
    found = await versions(gateway)
    seen = [(v["number"], v["origin"], v["result"], v["current"], v["restored"]) for v in found]
    assert seen == [
        (4, "rolled_back", "worked", True, 1),
        (3, "updated", "worked", False, None),
        (2, "updated", "rejected", False, None),
        (1, "created", "worked", False, None),
    ]
    assert {version["author"] for version in found} == {"owner"}
    assert found[2]["reason"].startswith("Server 'email' did not start")
    assert set(found[0]["files"]) == {"server.py", "metadata.json"}


async def test_a_tool_does_not_bring_an_older_policy_back(gateway: Gateway) -> None:
    """Ours: limits and life are the owner's; of a version's metadata comes what is of its code."""
    await gateway.call("create_mcp_server", name="email", code=SEND, description="Sends.")
    await gateway.call("update_mcp_server", name="email", code=OTHER, description="Does other.")
    policy = {"limits": {"memory_mb": 300}, "max_instances": 2}
    servers = gateway.services.servers
    await servers.update("email", Draft(declared=policy), author="owner")
    same = await gateway.call("rollback_mcp_server", name="email", version=2)
    assert (same["version"], "runs exactly this already" in same["message"]) == (None, True)
    back = await gateway.call("rollback_mcp_server", name="email", version=1)
    assert (back["ok"], back["version"]) == (True, 4)
    now = await servers.declared("email")
    assert {member: now.get(member) for member in policy} == policy
    assert now["description"] == "Sends."
    assert (gateway.dynamic / "email" / "server.py").read_text() == SEND
    await servers.roll_back("email", 1, author="owner", keep_policy=False)
    assert "limits" not in await servers.declared("email")


async def test_a_roll_back_that_does_not_start_changes_nothing(gateway: Gateway) -> None:
    """Issue 4: through the same transaction as an update."""
    await gateway.call("create_mcp_server", name="email", code=BROKEN)
    await gateway.call("update_mcp_server", name="email", code=SEND)
    back = await gateway.call("rollback_mcp_server", name="email", version=1)
    assert back["ok"] is False
    assert "no such luck" in "\n".join(back["stderr_tail"])
    assert back["server"]["state"] == "ready"
    assert (gateway.dynamic / "email" / "server.py").read_text() == SEND
    found = [(v["number"], v["result"], v["current"]) for v in await versions(gateway)]
    assert found == [(3, "rejected", False), (2, "worked", True), (1, "rejected", False)]


async def test_a_roll_back_restores_every_file_and_removes_the_newer_ones(
    gateway: Gateway,
) -> None:
    """Ours: a version is the whole folder, so its digest comes back too."""
    made = await gateway.call(
        "create_mcp_server", name="email", code=SEND, dependencies=["toy>=1"], enable=False
    )
    await gateway.call("update_mcp_server", name="email", dependencies=[], description="other")
    back = await gateway.call("rollback_mcp_server", name="email", version=1)
    assert back["server"]["packages"] == made["server"]["packages"]
    found = await versions(gateway)
    assert found[0]["digest"] == found[2]["digest"]
    assert found[0]["files"] == found[2]["files"]
    assert [version["result"] for version in found] == ["untried"] * 3


async def test_the_difference_is_one_that_people_know(gateway: Gateway) -> None:
    """Issue 4: as `diff -u`; without numbers the newest against the one before."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    await gateway.call("update_mcp_server", name="email", description="Sends mail.")
    shown = await gateway.call("diff_server_versions", name="email")
    assert (shown["old"], shown["new"], shown["cut"]) == (1, 2, False)
    assert shown["diff"].splitlines()[:2] == [
        "--- version 1/metadata.json",
        "+++ version 2/metadata.json",
    ]
    assert '+  "description": "Sends mail."' in shown["diff"] or "Sends mail." in shown["diff"]
    backwards = await gateway.call("diff_server_versions", name="email", old=2, new=1)
    assert backwards["diff"] != shown["diff"]
    same = await gateway.call("diff_server_versions", name="email", old=2, new=2)
    assert same["diff"] == ""


async def test_an_update_to_what_runs_already_changes_nothing(gateway: Gateway) -> None:
    """Ours: no new child, no version; a caller that says so twice did not change anything."""
    made = await gateway.call("create_mcp_server", name="email", code=SEND)
    again = await gateway.call("update_mcp_server", name="email", code=SEND)
    assert (again["ok"], again["version"]) == (True, None)
    assert again["message"] == "Server 'email' runs exactly this already; nothing was changed."
    assert again["server"]["generation"] == made["server"]["generation"]
    assert [version["number"] for version in await versions(gateway)] == [1]


async def test_wrong_versions_are_refused(gateway: Gateway) -> None:
    """Ours: one sentence, and nothing changed."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    for tool, arguments, expected in (
        ("rollback_mcp_server", {}, "has no earlier version that worked"),
        ("rollback_mcp_server", {"version": 1}, "is what its folder holds already."),
        ("rollback_mcp_server", {"version": 9}, "has no version 9; it has 1 to 1."),
        ("rollback_mcp_server", {"version": 0}, 'the argument "version" should be greater'),
        ("diff_server_versions", {}, "has no version before 1"),
        ("diff_server_versions", {"old": 1, "new": 7}, "has no version 7"),
        ("list_server_versions", {"limit": 0}, 'the argument "limit" should be greater'),
    ):
        said = await gateway.refusal(tool, name="email", **arguments)
        assert expected in said
        assert "There is no server named 'other'" in await gateway.refusal(tool, name="other")
    assert len(await versions(gateway)) == 1


async def test_versions_go_with_their_server(gateway: Gateway) -> None:
    """Ours: a new server of the same name begins at 1."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    await gateway.call("delete_mcp_server", name="email")
    made = await gateway.call("create_mcp_server", name="email", code=OTHER)
    assert made["version"] == 1
    assert len(await versions(gateway)) == 1


async def test_a_server_that_waited_for_its_credential_worked_in_the_end(
    gateway: Gateway,
) -> None:
    """Ours: untried is no verdict."""
    code = server_code({"send": ANY}, before="import os\nos.environ['KEY']")
    made = await gateway.call("create_mcp_server", name="email", code=code)
    assert made["ok"] is False
    assert (await versions(gateway))[0]["result"] == "untried"
    await gateway.call("set_server_credential", server="email", key="KEY", value="hidden-value")

    async def worked() -> bool:
        return (await versions(gateway))[0]["result"] == "worked"

    await until_seen(worked)
    kept = await gateway.services.store.server_versions.all("email")
    assert "hidden-value" not in repr(kept)


async def test_what_was_written_while_no_gateway_ran_is_a_version(tmp_path: Path) -> None:
    """Ours: an owner may write folders by hand."""
    write_server(tmp_path / "dynamic", "email", SEND)
    async with open_gateway(tmp_path) as gateway:
        first = await version_of(gateway, 1)
        assert (first["origin"], first["author"]) == ("edited", "folder")
    async with open_gateway(tmp_path) as gateway:
        assert len(await versions(gateway)) == 1
    (tmp_path / "dynamic" / "email" / "server.py").write_text(OTHER)
    async with open_gateway(tmp_path) as gateway:
        assert (await version_of(gateway, 2))["origin"] == "edited"
        back = await gateway.call("rollback_mcp_server", name="email", version=1)
        assert back["version"] == 3


async def test_an_edit_that_is_taken_over_while_the_gateway_runs_is_a_version(
    gateway: Gateway,
) -> None:
    """Issue 4: told by the supervisor's events, accepted or not."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    folder = gateway.dynamic / "email"
    (folder / "server.py").write_text(OTHER)
    spec = read_server(folder, ServerKind.DYNAMIC)
    await gateway.services.supervisor.apply(spec, enabled=True)
    second = await version_of(gateway, 2)
    assert (second["origin"], second["author"], second["result"]) == ("edited", "folder", "worked")
    (folder / "server.py").write_text(BROKEN)
    with pytest.raises(Exception, match="did not start"):
        await gateway.services.supervisor.apply(
            read_server(folder, ServerKind.DYNAMIC), enabled=True
        )
    third = await version_of(gateway, 3)
    assert (third["origin"], third["result"]) == ("edited", "rejected")


def test_the_number_and_the_size_of_versions_are_bounded() -> None:
    """Ours: the oldest go first; what runs stays, however old."""

    def file(name: str, size: int = 1) -> tuple[VersionFile, ...]:
        return (VersionFile("server.py", name, size, executable=False),)

    bad = VersionResult.REJECTED
    many = [server_version(n, files=file(f"f{n}"), result=bad) for n in range(150, 1, -1)]
    runs = server_version(1, files=file("f1"), result=VersionResult.WORKED)
    numbers, hashes = surplus([*many, runs])
    assert numbers == set(range(2, 151 - KEPT_VERSIONS))
    assert hashes == {f"f{n}" for n in numbers}
    large = [server_version(n, files=file(f"f{n}", KEPT_BYTES // 3)) for n in (5, 4, 3, 2, 1)]
    assert surplus(large) == ({1, 2}, {"f1", "f2"})
    same = [server_version(n, files=file("f", KEPT_BYTES)) for n in (3, 2, 1)]
    assert surplus(same) == (set(), set())
    assert surplus([server_version(1, files=None)]) == (set(), set())


def test_a_folder_that_is_too_large_is_noted_without_its_files(tmp_path: Path) -> None:
    """Ours: the database is no place for data."""
    (tmp_path / "server.py").write_text(SEND)
    assert read_content(tmp_path).files is not None
    (tmp_path / "large.bin").write_bytes(bytes(MAX_BYTES))
    assert read_content(tmp_path).files is None


def test_files_that_are_no_text_or_come_and_go_are_told(tmp_path: Path) -> None:
    """Ours."""
    old = [KeptFile("a", b"x\n", executable=False), KeptFile("b", b"\0\xff", executable=False)]
    new = [KeptFile("b", b"\0\xfe", executable=True), KeptFile("c", b"y", executable=False)]
    before, after = (hashlib.sha256(b"\0" + byte).hexdigest() for byte in (b"\xff", b"\xfe"))
    assert difference(old, new, names="1|2") == (
        "--- 1/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "mode of b: plain -> executable\n"
        f"Binary files 1/b and 2/b differ; SHA-256 {before} and {after}\n"
        "--- /dev/null\n+++ 2/c\n@@ -0,0 +1 @@\n+y\n\\ No newline at end of file\n"
    )
