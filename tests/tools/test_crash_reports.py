"""get_crash_report, as Claude reads it after a call that failed."""

from tests.tools.conftest import Gateway
from tests.tools.servers import ANY, server_code

FRAGILE = server_code(
    {"fall": {"type": "object", "properties": {"depth": {"type": "integer"}}}, "stand": ANY},
    """
    if name == "fall":
        print("stumbled", file=sys.stderr, flush=True)
        os._exit(4)
    return {"content": [{"type": "text", "text": "standing"}]}
    """,
)


async def test_a_call_that_failed_is_explained(gateway: Gateway) -> None:
    """Issue 4: the failing call is short, the report has the rest."""
    await gateway.call("create_mcp_server", name="fragile", code=FRAGILE)
    sentence = await gateway.refusal(
        "invoke_internal_mcp_tool", tool="mcp__fragile__fall", payload={"depth": 12345}
    )
    assert sentence.startswith("Server 'fragile' ended during the call: exit code 4, after ")
    report = await gateway.call("get_crash_report", server="fragile")
    (call,) = report["calls"]
    assert (call["tool"], call["arguments"]) == ("fall", "{depth: integer}")
    assert (report["cause"], report["which"], report["kept"]) == ("exit code 4", 1, 1)
    assert (report["calls_failed"], report["stderr_tail"]) == (1, ["stumbled"])
    assert "12345" not in str(report)


async def test_there_may_be_no_report_or_not_so_many(gateway: Gateway) -> None:
    """Ours: a sentence says which."""
    await gateway.call("create_mcp_server", name="fragile", code=FRAGILE)
    none = "Server 'fragile' has no crash report: none of its processes died."
    assert await gateway.refusal("get_crash_report", server="fragile") == none
    await gateway.refusal("invoke_internal_mcp_tool", tool="fragile:fall", payload={})
    few = "Server 'fragile' has 1 crash reports; 1 is the newest of them."
    assert await gateway.refusal("get_crash_report", server="fragile", which=2) == few
