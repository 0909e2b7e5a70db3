"""New code of servers with credentials: held until the owner approves, if the settings say so."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import NotFound

from gateway.approvals.approvals import Decision
from gateway.code_changes.routes import OwnersWord, decide_change
from gateway.servers import Draft
from gateway.servers.owners_policy import with_policy_of
from gateway.variables import CodeChanges
from tests.tools.conftest import Gateway, open_gateway, text_of
from tests.tools.servers import ANY, server_code

SECRET = "correct horse battery staple"


def code(word: str) -> str:
    """Return the code of a server that reads a credential and says `word`."""
    return server_code(
        {"show": ANY},
        f"""
        os.environ["SMTP_PASSWORD"]
        return {{"content": [{{"type": "text", "text": "{word}"}}]}}
        """,
    )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway under CODE_CHANGES=approve with one server that has its credential."""
    async with open_gateway(tmp_path, code_changes=CodeChanges.APPROVE) as opened:
        await opened.call("create_mcp_server", name="mailer", code=code("one"))
        await opened.call(
            "set_server_credential", server="mailer", key="SMTP_PASSWORD", value=SECRET
        )
        yield opened


async def said(gateway: Gateway) -> str:
    """Return what the server says now."""
    return text_of(await gateway.raw("invoke_internal_mcp_tool", tool="mailer:show", payload={}))


async def results(gateway: Gateway) -> list[tuple[int, str, str]]:
    """Return number, result and reason of every version, newest first."""
    listed = await gateway.call("list_server_versions", name="mailer")
    return [(v["number"], v["result"], v["reason"]) for v in listed["versions"]]


async def decide(gateway: Gateway, number: int, decision: Decision) -> str:
    """Say the owner's word."""
    return await decide_change(gateway.services.servers, OwnersWord("mailer", number, decision))


async def test_new_code_waits_and_the_old_code_serves(gateway: Gateway) -> None:
    """Security E 14: kept with its difference, told to the author, started by the owner alone."""
    answer: dict[str, Any] = await gateway.call(
        "update_mcp_server", name="mailer", code=code("two")
    )
    assert (answer["ok"], answer["version"]) == (False, 2)
    assert answer["message"].startswith("Version 2 of server 'mailer' is kept and not started")
    assert "./claude-runner changes show mailer 2" in answer["message"]
    assert await said(gateway) == "one"
    assert "one" in (await gateway.call("get_dynamic_mcp_server", name="mailer"))["code"]
    assert await results(gateway) == [(2, "waiting", ""), (1, "worked", "")]
    (waiting,) = await gateway.services.servers.held.all()
    assert (waiting.version.number, waiting.version.author) == (2, "owner")
    changed = [line for line in waiting.difference.splitlines() if '"text": "' in line]
    assert [line[0] for line in changed] == ["-", "+"]

    done = await decide(gateway, 2, Decision.APPROVE)
    assert done == "Version 2 of server 'mailer' is approved; it is ready."
    assert await said(gateway) == "two"
    assert await results(gateway) == [(2, "worked", ""), (1, "worked", "")]
    assert await gateway.services.servers.held.all() == ()


async def test_what_waits_is_still_held_after_a_restart(tmp_path: Path) -> None:
    """Ours: the folder holds the old code, so no start takes the new one."""
    async with open_gateway(tmp_path, code_changes=CodeChanges.APPROVE) as first:
        await first.call("create_mcp_server", name="mailer", code=code("one"))
        wanted = {"server": "mailer", "key": "SMTP_PASSWORD", "value": SECRET}
        await first.call("set_server_credential", **wanted)
        await first.call("update_mcp_server", name="mailer", code=code("two"))
    async with open_gateway(tmp_path, code_changes=CodeChanges.APPROVE) as second:
        assert await said(second) == "one"
        assert [number for number, *_ in await results(second)] == [2, 1]
        await decide(second, 2, Decision.APPROVE)
        assert await said(second) == "two"


async def test_a_rejected_version_stays_out_and_cannot_be_approved(gateway: Gateway) -> None:
    """Ours: one word, once."""
    await gateway.call("update_mcp_server", name="mailer", code=code("two"))
    done = await decide(gateway, 2, Decision.REJECT)
    assert done == "Version 2 of server 'mailer' stays out."
    assert (await results(gateway))[0] == (2, "rejected", "its owner said no")
    with pytest.raises(NotFound, match="does not wait"):
        await decide(gateway, 2, Decision.APPROVE)
    assert await said(gateway) == "one"


async def test_an_approved_version_makes_older_ones_void(gateway: Gateway) -> None:
    """Ours: approving an older one later would undo the newer one unseen."""
    for word in ("two", "three"):
        await gateway.call("update_mcp_server", name="mailer", code=code(word))
    await decide(gateway, 3, Decision.APPROVE)
    assert await said(gateway) == "three"
    assert (await results(gateway))[1] == (2, "rejected", "a later version was approved")


async def test_approved_code_that_does_not_start_changes_nothing(gateway: Gateway) -> None:
    """Ours: as with any update."""
    await gateway.call("update_mcp_server", name="mailer", code="raise SystemExit('broken')")
    done = await decide(gateway, 2, Decision.APPROVE)
    assert done.startswith("It was approved and did not start: ")
    assert await said(gateway) == "one"
    assert (await results(gateway))[0][1] == "rejected"


async def test_no_way_around_leads_new_code_to_the_credentials(gateway: Gateway) -> None:
    """Security E 14: roll-backs wait too, trials get nothing, nor does a server of the name."""
    await gateway.call("update_mcp_server", name="mailer", code=code("two"))
    await decide(gateway, 2, Decision.APPROVE)
    back = await gateway.call("rollback_mcp_server", name="mailer", version=1)
    assert (back["ok"], back["version"]) == (False, 3)
    assert await said(gateway) == "two"
    refused = await gateway.refusal(
        "test_mcp_server", name="mailer", code=code("three"), with_credentials=True
    )
    assert "does not get the credentials" in refused
    await gateway.call(
        "create_mcp_server", name="plain", code=server_code({"show": ANY}, "return {}")
    )
    changed = await gateway.call("update_mcp_server", name="plain", description="No secrets")
    assert changed["ok"], changed
    await gateway.services.credentials.set("gone", "TOKEN", SECRET)
    refused = await gateway.refusal("create_mcp_server", name="gone", code=code("x"))
    assert "Credentials of an earlier server 'gone' are still stored" in refused


async def test_by_default_new_code_runs_and_its_version_is_kept(tmp_path: Path) -> None:
    """Security E 14: who, when, and what differs, also where nothing is held."""
    async with open_gateway(tmp_path) as gateway:
        await gateway.call("create_mcp_server", name="mailer", code=code("one"))
        wanted = {"server": "mailer", "key": "SMTP_PASSWORD", "value": SECRET}
        await gateway.call("set_server_credential", **wanted)
        await gateway.call("update_mcp_server", name="mailer", code=code("two"))
        assert await said(gateway) == "two"
        difference = await gateway.call("diff_server_versions", name="mailer")
        assert (difference["old"], difference["new"]) == (1, 2)
        assert SECRET not in difference["diff"]


async def test_approving_leaves_the_policy_that_the_owner_set_since(gateway: Gateway) -> None:
    """Ours: as by a roll-back; what a version itself changes of it is shown and taken over."""
    servers, path = gateway.services.servers, gateway.dynamic / "mailer" / "metadata.json"
    await gateway.call("update_mcp_server", name="mailer", code=code("two"))
    limits = {"memory_mb": 300, "processes": 20}
    written = json.loads(path.read_text("utf-8")) | {"limits": limits}
    path.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    await servers.disk.reread("mailer")
    assert "metadata.json" not in (await servers.held.whole("mailer", 2)).difference
    await decide(gateway, 2, Decision.APPROVE)
    assert await said(gateway) == "two"
    assert (await servers.declared("mailer"))["limits"] == limits
    # By the form it waits as well, for the server has credentials.
    asked = {"limits": {**limits, "processes": 30}, "max_instances": 2}
    waits = await servers.update("mailer", Draft(declared=asked), author="owner")
    assert waits.version is not None
    written = await servers.declared("mailer")
    path.write_text(json.dumps({**written, "limits": {"memory_mb": 400, "processes": 20}}), "utf-8")
    await servers.disk.reread("mailer")
    await decide(gateway, waits.version, Decision.APPROVE)
    now = await servers.declared("mailer")
    assert (now["limits"], now["max_instances"]) == ({"memory_mb": 400, "processes": 30}, 2)
    taken = await servers.versions.all("mailer")
    digest = servers.spec("mailer").digest
    assert [each.restored for each in taken if each.digest == digest] == [waits.version]


def test_of_a_version_whose_base_is_not_known_the_policy_stays_out() -> None:
    """Ours: it was kept before bases were, or its base is not kept any more."""
    present = {"network": "none", "limits": {"cpu": 1}, "era": "modern"}
    coming = {"network": {"hosts": ["a.example"]}, "limits": {"cpu": 2}, "max_instances": 3}
    merged = {"network": {"hosts": ["a.example"]}, "limits": {"cpu": 1}, "era": "modern"}
    assert with_policy_of(present, coming, None) == merged
    assert with_policy_of(present, coming, {"network": "none", "limits": {"cpu": 2}}) == {
        **merged, "max_instances": 3,
    }  # fmt: skip
    assert with_policy_of(present, {}, {"era": "modern"}) == {
        "network": "none", "limits": {"cpu": 1},
    }  # fmt: skip
