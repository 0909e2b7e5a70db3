"""The table of tools: names, arguments and hints that callers rely on."""

import json
from unittest.mock import MagicMock

from gateway.tools.server import build_mcp
from gateway.tools.services import Services
from tests.tools.conftest import Gateway

JOB_OPTIONS = (
    "tools servers timezone enabled paused_until jitter_s catch_up catch_up_max grace_s overlap "
    "start_within_s retries concurrency on_interrupt on_success on_failure notify_after model "
    "system_prompt max_turns timeout_s budget_usd budget_per_day_usd network output_schema"
)
WEBHOOK_OPTIONS = (
    "enabled model max_turns timeout_s budget_usd budget_per_day_usd network output_schema "
    "tolerance_s missing rate_per_minute same_body_s may_wait"
)

TOOLS = {
    "list_jobs": "",
    "get_job": "job_id!",
    "create_job": f"name! prompt! cron at {JOB_OPTIONS}",
    "update_job": f"job_id! name prompt cron at {JOB_OPTIONS}",
    "delete_job": "job_id!",
    "trigger_job": "job_id!",
    "list_runs": "job_id webhook_id status since until after limit",
    "get_run": "run_id!",
    "kill_run": "run_id!",
    "list_run_files": "run_id! offset",
    "read_run_file": "run_id! path! offset",
    "get_costs": "by days job_id",
    "list_nodes": "",
    "drain_node": "name!",
    "undrain_node": "name!",
    "run_prompt": (
        "prompt! tools servers model system_prompt max_turns timeout_s budget_usd network "
        "output_schema wait_s"
    ),
    "create_webhook": f"name! prompt_template! tools scheme secret {WEBHOOK_OPTIONS}",
    "list_webhooks": "",
    "get_webhook": "webhook_id!",
    "update_webhook": f"webhook_id! name prompt_template tools {WEBHOOK_OPTIONS}",
    "set_webhook_scheme": "webhook_id! scheme! secret overlap_s",
    "delete_webhook": "webhook_id!",
    "test_webhook": "webhook_id! payload start_run",
    "list_webhook_deliveries": "webhook_id! limit",
    "replay_webhook_delivery": "delivery_id!",
    "create_job_fire_token": "job_id!",
    "delete_job_fire_token": "job_id!",
    "list_notification_channels": "",
    "add_notification_channel": "name! kind! address! occasions secret",
    "update_notification_channel": "channel! name address occasions secret",
    "remove_notification_channel": "channel!",
    "test_notification_channel": "channel!",
    "list_notifications": "limit",
    "create_mcp_server": "name! code! description credentials network dependencies enable",
    "list_dynamic_mcp_servers": "",
    "get_dynamic_mcp_server": "name!",
    "update_mcp_server": (
        "name! code old_text new_text description credentials network dependencies"
    ),
    "delete_mcp_server": "name!",
    "enable_mcp_server": "name!",
    "disable_mcp_server": "name!",
    "test_mcp_server": "name code calls network dependencies with_credentials",
    "list_server_versions": "name! limit",
    "diff_server_versions": "name! old new",
    "rollback_mcp_server": "name! version",
    "list_fixed_mcp_servers": "",
    "list_pending_approvals": "",
    "list_audit_entries": "since who server tool outcome before limit",
    "enable_fixed_server": "name!",
    "disable_fixed_server": "name!",
    "search_tools": "query! limit",
    "describe_tool": "tool!",
    "get_crash_report": "server! which",
    "restart_mcp_server": "name!",
    "get_server_health": "server",
    "get_server_logs": "server! lines since contains",
    "invoke_internal_mcp_tool": "tool! payload",
    "read_result": "handle! offset contains",
    "get_call": "handle! wait_s",
    "cancel_call": "handle!",
    "request_credential": "server! key!",
    "set_server_credential": "server! key! value!",
    "get_server_credentials": "server!",
    "list_required_credentials": "server!",
    "get_unconfigured_servers": "",
    "delete_server_credential": "server! key!",
}
"""Tools by their arguments; an exclamation mark means required."""

DESTRUCTIVE = {
    "run_prompt", "update_job", "delete_job", "trigger_job", "kill_run", "update_webhook",
    "delete_webhook",
    "set_webhook_scheme", "create_job_fire_token", "delete_job_fire_token",
    "create_mcp_server", "update_mcp_server", "delete_mcp_server", "invoke_internal_mcp_tool",
    "set_server_credential", "delete_server_credential", "rollback_mcp_server",
    "restart_mcp_server", "cancel_call", "remove_notification_channel",
    "update_notification_channel",
}  # fmt: skip
OPEN_WORLD = {
    "run_prompt", "trigger_job", "create_mcp_server", "update_mcp_server", "rollback_mcp_server",
    "invoke_internal_mcp_tool", "test_mcp_server", "restart_mcp_server",
    "test_notification_channel",
}  # fmt: skip


READING = ("list_", "get_", "search_", "describe_", "diff_", "read_")
"""How the names of tools begin that change nothing."""


async def test_names_and_arguments_are_those_of_the_table(untouched: Gateway) -> None:
    """Ours: names and arguments are an interface that jobs and people depend on."""
    listed = {tool.name: tool.input_schema for tool in await untouched.client.list_tools()}
    arguments = {
        name: " ".join(
            f"{argument}!" if argument in schema.get("required", []) else argument
            for argument in schema["properties"]
        )
        for name, schema in listed.items()
    }
    assert {name: set(line.split()) for name, line in arguments.items()} == {
        name: set(line.split()) for name, line in TOOLS.items()
    }


async def test_no_tool_takes_arguments_that_it_does_not_know(untouched: Gateway) -> None:
    """Ours: a misspelt optional argument must not be ignored."""
    for tool in await untouched.client.list_tools():
        assert tool.input_schema["additionalProperties"] is False


async def test_every_tool_says_what_it_does_and_to_whom(untouched: Gateway) -> None:
    """MCP: clients decide by title, description and hints what to ask the user."""
    for tool in await untouched.client.list_tools():
        hints = tool.annotations
        assert hints is not None
        assert tool.title
        assert tool.description
        reads = tool.name.startswith(READING)
        assert hints.read_only_hint is reads
        assert bool(hints.destructive_hint) is (tool.name in DESTRUCTIVE)
        assert hints.open_world_hint is (tool.name in OPEN_WORLD)


async def test_every_argument_that_is_no_switch_is_described(untouched: Gateway) -> None:
    """Ours: a model sees nothing else."""
    bare = {
        f"{tool.name}.{argument}"
        for tool in await untouched.client.list_tools()
        for argument, schema in tool.input_schema["properties"].items()
        if not _described(schema) and argument not in ("enabled", "enable")
    }
    assert bare == set()


async def test_every_answer_but_that_of_other_servers_has_a_schema(untouched: Gateway) -> None:
    """MCP: structured content follows an output schema."""
    without = {tool.name for tool in await untouched.client.list_tools() if not tool.output_schema}
    assert without == {"invoke_internal_mcp_tool", "read_result", "read_run_file", "get_call"}


async def test_a_schema_has_no_references_and_is_found_without_a_list() -> None:
    """Ours: some clients follow none; and listing sixty tools is no part of a call of one."""
    mcp = build_mcp(MagicMock(spec=Services))
    schema_of = mcp._mcp_server.get_tool_input_schema  # pyright: ignore[reportPrivateUsage] - see server.py
    assert schema_of is not None
    for tool in await mcp.list_tools():
        assert schema_of(tool.name) is tool.parameters
        assert "$ref" not in json.dumps([tool.parameters, tool.output_schema])


def _described(schema: dict[str, object]) -> bool:
    choices = schema.get("anyOf")
    return "description" in schema or (
        isinstance(choices, list) and any("description" in choice for choice in choices)
    )
