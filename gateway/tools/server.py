"""Builds the MCP server with every management tool. Every refusal is one sentence (`sentences`).

Imported by `management` alone, once it is needed.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from types import FunctionType, MethodType
from typing import Any, cast

from fastmcp import FastMCP
from fastmcp.decorators import get_fastmcp_meta
from fastmcp.tools.function_tool import FunctionTool, ToolMeta
from fastmcp.utilities.json_schema import dereference_refs

from gateway.sandbox_notice import sandbox_notice
from gateway.tools.approvals import ApprovalTools
from gateway.tools.audit import AuditTools
from gateway.tools.audited import Audited
from gateway.tools.costs import CostTools
from gateway.tools.crashes import CrashTools
from gateway.tools.credentials import CredentialTools
from gateway.tools.deliveries import DeliveryTools
from gateway.tools.discovery import DiscoveryTools
from gateway.tools.dynamic_servers import DynamicServerTools
from gateway.tools.fire_tokens import FireTokenTools
from gateway.tools.fixed_servers import FixedServerTools
from gateway.tools.invoke import InvokeTools
from gateway.tools.job_writing import JobWritingTools
from gateway.tools.jobs import JobTools
from gateway.tools.long_calls import LongCallTools
from gateway.tools.nodes import NodeTools
from gateway.tools.notifications import NotificationTools
from gateway.tools.operations import OperationTools
from gateway.tools.quick_runs import QuickRunTools
from gateway.tools.results import ResultTools
from gateway.tools.run_files import RunFileTools
from gateway.tools.runs import RunTools
from gateway.tools.scopes import ScopeGate
from gateway.tools.sentences import OneSentence, refusing
from gateway.tools.services import Services
from gateway.tools.trials import TrialTools
from gateway.tools.versions import VersionTools
from gateway.tools.webhooks import WebhookTools
from gateway.version import read_version

NAME = "claude-runner"
INSTRUCTIONS = """\
Claude Runner is a gateway on the user's own machine. It runs MCP servers that are installed there
(fixed) or that you write (dynamic), prompts on a schedule (jobs) and prompts that a POST starts
(webhooks). Servers' tools are not in your own tool list: find them with search_tools, see their
arguments with describe_tool, call them with invoke_internal_mcp_tool. A call that takes long
answers with a handle for get_call, a large result with one for read_result. To make a new tool,
write a server with create_mcp_server and call it the same way in the same conversation;
test_mcp_server tries code before, update_mcp_server mends it, rollback_mcp_server takes it back.
Jobs and webhooks run unattended without this conversation's context."""


def build_mcp(services: Services) -> FastMCP[Any]:
    """Return the MCP server with every management tool."""
    mcp: FastMCP[Any] = FastMCP(
        NAME,
        " ".join(filter(None, (INSTRUCTIONS, sandbox_notice(services.settings.sandbox)))),
        version=read_version(),
        middleware=[
            Audited(services.trail),
            OneSentence(services.supervisor.redactor.hide_text),
            ScopeGate(),
        ],
        mask_error_details=True,
        strict_input_validation=True,
        # It would be done anew at each list: 120 ms in which nothing else is served.
        dereference_schemas=False,
        on_duplicate="error",
    )
    tools = [_tool(function) for function in _functions(services)]
    for tool in tools:
        mcp.add_tool(tool)
    # For the schema of the tool that is called the SDK lists all of them, unless it is told.
    low_level = mcp._mcp_server  # pyright: ignore[reportPrivateUsage] - FastMCP has no word for it
    low_level.get_tool_input_schema = {tool.name: tool.parameters for tool in tools}.get
    return mcp


def _tool(function: Callable[..., Awaitable[object]]) -> FunctionTool:
    """Return a tool that calls `function`, a method of one of the tools' classes."""
    assert isinstance(function, MethodType)
    described = _described(cast("FunctionType", function.__func__))
    return described.model_copy(update={"fn": refusing(function)})


@cache
def _described(function: FunctionType) -> FunctionTool:
    """Return the tool that a method is, bound to nothing: its schemas are those of every object's.

    They have no references, which some clients do not follow. To make those of all tools takes half
    a second.
    """
    meta = get_fastmcp_meta(function)
    assert isinstance(meta, ToolMeta)
    tool = FunctionTool.from_function(refusing(MethodType(function, object())), metadata=meta)
    tool.parameters = dereference_refs(tool.parameters)
    tool.output_schema = tool.output_schema and dereference_refs(tool.output_schema)
    return tool


def _functions(services: Services) -> tuple[Callable[..., Awaitable[object]], ...]:
    jobs, runs, webhooks = JobTools(services), RunTools(services), WebhookTools(services)
    job_writing = JobWritingTools(services)
    dynamic, fixed = DynamicServerTools(services), FixedServerTools(services)
    credentials, versions = CredentialTools(services), VersionTools(services)
    operations = OperationTools(services)
    deliveries, fire_tokens = DeliveryTools(services), FireTokenTools(services)
    notifications, run_files = NotificationTools(services), RunFileTools(services)
    nodes = NodeTools(services)
    discovery, long_calls = DiscoveryTools(services), LongCallTools(services)
    return (
        jobs.list_jobs,
        jobs.get_job,
        job_writing.create_job,
        job_writing.update_job,
        jobs.delete_job,
        jobs.trigger_job,
        runs.list_runs,
        runs.get_run,
        runs.kill_run,
        run_files.list_run_files,
        run_files.read_run_file,
        CostTools(services).get_costs,
        nodes.list_nodes,
        nodes.drain_node,
        nodes.undrain_node,
        QuickRunTools(services).run_prompt,
        webhooks.create_webhook,
        webhooks.list_webhooks,
        webhooks.get_webhook,
        webhooks.update_webhook,
        webhooks.set_webhook_scheme,
        webhooks.delete_webhook,
        deliveries.test_webhook,
        deliveries.list_webhook_deliveries,
        deliveries.replay_webhook_delivery,
        fire_tokens.create_job_fire_token,
        fire_tokens.delete_job_fire_token,
        notifications.list_notification_channels,
        notifications.add_notification_channel,
        notifications.update_notification_channel,
        notifications.remove_notification_channel,
        notifications.test_notification_channel,
        notifications.list_notifications,
        dynamic.create_mcp_server,
        dynamic.list_dynamic_mcp_servers,
        dynamic.get_dynamic_mcp_server,
        dynamic.update_mcp_server,
        dynamic.delete_mcp_server,
        dynamic.enable_mcp_server,
        dynamic.disable_mcp_server,
        TrialTools(services).test_mcp_server,
        versions.list_server_versions,
        versions.diff_server_versions,
        versions.rollback_mcp_server,
        fixed.list_fixed_mcp_servers,
        fixed.enable_fixed_server,
        fixed.disable_fixed_server,
        operations.restart_mcp_server,
        operations.get_server_health,
        operations.get_server_logs,
        ApprovalTools(services).list_pending_approvals,
        AuditTools(services).list_audit_entries,
        discovery.search_tools,
        discovery.describe_tool,
        CrashTools(services).get_crash_report,
        InvokeTools(services).invoke_internal_mcp_tool,
        ResultTools(services).read_result,
        long_calls.get_call,
        long_calls.cancel_call,
        credentials.request_credential,
        credentials.set_server_credential,
        credentials.get_server_credentials,
        credentials.list_required_credentials,
        credentials.get_unconfigured_servers,
        credentials.delete_server_credential,
    )
