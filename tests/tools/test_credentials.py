"""Secrets of servers: declared, set, masked, given to one child, never shown."""

from pathlib import Path
from typing import Any

from tests.tools.conftest import Gateway, open_gateway, text_of, write_server
from tests.tools.servers import ANY, server_code

MAILER = server_code(
    {"show": ANY},
    """
    text = os.environ["SMTP_PASSWORD"] + "/" + os.environ.get("SMTP_HOST", "localhost")
    return {"content": [{"type": "text", "text": text}]}
    """,
)
SECRET = "correct horse battery staple"


def keys(answer: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    """Return key, required and set of every credential in an answer."""
    return [(c["key"], c["required"], c["is_set"]) for c in answer["credentials"]]


async def test_a_server_waits_for_the_credential_that_its_code_reads(gateway: Gateway) -> None:
    """Ours: found in the code, named in the answer, started by setting it."""
    answer = await gateway.call("create_mcp_server", name="mailer", code=MAILER)
    assert answer["ok"] is False
    assert answer["server"]["state"] == "failed"
    assert answer["server"]["missing_credentials"] == ["SMTP_PASSWORD"]
    assert "SMTP_PASSWORD is not set" in answer["message"]
    assert keys(answer) == [("SMTP_PASSWORD", True, False), ("SMTP_HOST", False, False)]
    waiting = await gateway.call("get_unconfigured_servers")
    assert [server["server"] for server in waiting["servers"]] == ["mailer"]
    assert [c["key"] for c in waiting["servers"][0]["missing"]] == ["SMTP_PASSWORD"]

    answer = await gateway.call(
        "set_server_credential", server="mailer", key="SMTP_PASSWORD", value=SECRET
    )
    assert answer["message"] == ("SMTP_PASSWORD of server 'mailer' is set. The server is ready.")
    result = await gateway.raw("invoke_internal_mcp_tool", tool="mailer:show", payload={})
    assert text_of(result) == f"{SECRET}/localhost"
    assert (await gateway.call("get_unconfigured_servers"))["servers"] == []


async def test_a_credential_is_shown_masked_and_nowhere_else(gateway: Gateway) -> None:
    """Ours: never in an answer, never in an event."""
    await gateway.call("create_mcp_server", name="mailer", code=MAILER)
    answers = [
        await gateway.call(
            "set_server_credential", server="mailer", key="SMTP_PASSWORD", value=SECRET
        ),
        await gateway.call("get_server_credentials", server="mailer"),
        await gateway.call("list_required_credentials", server="mailer"),
        await gateway.call("get_dynamic_mcp_server", name="mailer"),
    ]
    assert answers[1]["credentials"][0]["masked"] == "••••"
    assert keys(answers[2]) == [("SMTP_PASSWORD", True, True)]
    assert SECRET not in repr(answers)
    assert SECRET not in repr(gateway.events)


async def test_a_changed_credential_reaches_a_new_child_without_losing_a_call(
    gateway: Gateway,
) -> None:
    """Ours: the old child serves until the new one is ready."""
    await gateway.call("create_mcp_server", name="mailer", code=MAILER)
    for value in ("one", "two"):
        answer = await gateway.call(
            "set_server_credential", server="mailer", key="SMTP_PASSWORD", value=value
        )
    assert answer["server"]["restarts"] == 0
    result = await gateway.raw("invoke_internal_mcp_tool", tool="mailer:show", payload={})
    assert text_of(result) == "two/localhost"


async def test_a_deleted_credential_leaves_no_child_that_knows_it(gateway: Gateway) -> None:
    """Ours: taking a secret away stops whoever had it."""
    await gateway.call("create_mcp_server", name="mailer", code=MAILER)
    await gateway.call("set_server_credential", server="mailer", key="SMTP_PASSWORD", value="one")
    answer = await gateway.call("delete_server_credential", server="mailer", key="SMTP_PASSWORD")
    assert (answer["server"]["state"], answer["server"]["pid"]) == ("failed", None)
    assert "SMTP_PASSWORD is not set" in answer["message"]
    refusal = await gateway.refusal(
        "delete_server_credential", server="mailer", key="SMTP_PASSWORD"
    )
    assert refusal == "Server 'mailer' has no credential \"SMTP_PASSWORD\"."


async def test_what_is_not_declared_is_kept_and_not_given(gateway: Gateway) -> None:
    """Ours: only declared names reach a child; the answer says so."""
    await gateway.call("create_mcp_server", name="mailer", code=MAILER, enable=False)
    answer = await gateway.call("set_server_credential", server="mailer", key="OTHER", value="x")
    assert answer["message"] == (
        "OTHER of server 'mailer' is set. It is not used yet: 'mailer' does not declare OTHER."
        " The server is disabled."
    )


async def test_an_update_follows_what_the_code_reads_and_keeps_what_the_author_said(
    gateway: Gateway,
) -> None:
    """Ours: a name that the code no longer reads blocks nothing; a declared one stays."""
    await gateway.call(
        "create_mcp_server",
        name="mailer",
        code=MAILER,
        credentials=["EXTRA", {"key": "SMTP_PASSWORD", "required": False, "description": "It."}],
        enable=False,
    )
    answer = await gateway.call("get_server_credentials", server="mailer")
    assert keys(answer) == [
        ("EXTRA", True, False),
        ("SMTP_PASSWORD", False, False),
        ("SMTP_HOST", False, False),
    ]
    code = server_code({"show": ANY}, 'return {"content": [], "x": os.getenv("API_KEY")}')
    await gateway.call("update_mcp_server", name="mailer", code=code)
    answer = await gateway.call("get_server_credentials", server="mailer")
    assert [c["key"] for c in answer["credentials"]] == ["EXTRA", "SMTP_PASSWORD", "API_KEY"]


async def test_a_fixed_server_declares_in_its_metadata(tmp_path: Path) -> None:
    """Ours: code of the owner's servers is not read; their metadata is."""
    write_server(tmp_path / "fixed", "mailer", MAILER, credentials=["SMTP_PASSWORD"])
    async with open_gateway(tmp_path) as gateway:
        answer = await gateway.call(
            "set_server_credential", server="mailer", key="SMTP_PASSWORD", value="x"
        )
        assert answer["server"]["state"] == "ready"
        assert keys(answer) == [("SMTP_PASSWORD", True, True)]


async def test_bad_keys_values_and_servers_are_refused_without_the_value(
    gateway: Gateway,
) -> None:
    """Ours: dangerous names are refused, and no refusal repeats a secret."""
    await gateway.call("create_mcp_server", name="mailer", code=MAILER, enable=False)
    for key in ("LD_PRELOAD", "PATH", "lower", "", "HTTPS_PROXY", "PYTHONPATH", "A" * 300):
        refusal = await gateway.refusal(
            "set_server_credential", server="mailer", key=key, value=SECRET
        )
        assert SECRET not in refusal
    assert "is empty" in await gateway.refusal(
        "set_server_credential", server="mailer", key="TOKEN", value=""
    )
    assert (
        await gateway.refusal("set_server_credential", server="mailer", key="TOKEN", value=[SECRET])
        == 'set_server_credential: the argument "value" should be a valid string.'
    )
    refusal = await gateway.refusal(
        "set_server_credential", server="nobody", key="TOKEN", value=SECRET
    )
    assert refusal == "There is no server named 'nobody'; known servers: mailer."
    assert await gateway.services.credentials.keys("mailer") == frozenset()
