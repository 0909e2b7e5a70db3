"""Which page does what a management tool does: the one place that says it.

A link or a form on a page leads to each; a test walks the pages and holds the table against them,
the router and the tools.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A route of the dashboard."""

    method: str
    rule: str
    """As the router writes it."""


def _look(rule: str) -> Action:
    return Action("GET", rule)


def _do(rule: str) -> Action:
    return Action("POST", rule)


_JOB, _RUN, _SERVER, _WEBHOOK = "/jobs/<job_id>", "/runs/<run_id>", "/server/<name>", "/webhooks/"
_HOOK = f"{_WEBHOOK}<webhook_id>"

PAGE_ACTIONS: dict[str, Action] = {
    "list_jobs": _look("/jobs"),
    "get_job": _look(_JOB),
    "create_job": _do("/jobs/new"),
    "update_job": _do(f"{_JOB}/edit"),
    "delete_job": _do(f"{_JOB}/delete"),
    "trigger_job": _do(f"{_JOB}/run"),
    "create_job_fire_token": _do(f"{_JOB}/open"),
    "delete_job_fire_token": _do(f"{_JOB}/close"),
    "list_runs": _look("/runs"),
    "get_run": _look(_RUN),
    "kill_run": _do(f"{_RUN}/kill"),
    "list_run_files": _look(_RUN),
    "read_run_file": _look(f"{_RUN}/files/<int:attempt>/<int:number>"),
    "run_prompt": _do("/quick-run"),
    "get_costs": _look("/costs"),
    "list_nodes": _look("/nodes"),
    "drain_node": _do("/nodes/<name>/drain"),
    "undrain_node": _do("/nodes/<name>/undrain"),
    "create_webhook": _do("/webhooks/new"),
    "list_webhooks": _look("/webhooks"),
    "get_webhook": _look(_HOOK),
    "update_webhook": _do(f"{_HOOK}/edit"),
    "set_webhook_scheme": _do(f"{_HOOK}/secret"),
    "delete_webhook": _do(f"{_HOOK}/delete"),
    "test_webhook": _do(f"{_HOOK}/test"),
    "list_webhook_deliveries": _look(_HOOK),
    "replay_webhook_delivery": _do(f"{_HOOK}/replay"),
    "list_notification_channels": _look("/notifications"),
    "add_notification_channel": _do("/notifications/new"),
    "update_notification_channel": _do("/notifications/<channel>"),
    "remove_notification_channel": _do("/notifications"),
    "test_notification_channel": _do("/notifications"),
    "list_notifications": _look("/notifications"),
    "create_mcp_server": _do("/servers/new"),
    "list_dynamic_mcp_servers": _look("/servers"),
    "get_dynamic_mcp_server": _look(_SERVER),
    "update_mcp_server": _do(f"{_SERVER}/code"),
    "delete_mcp_server": _do(f"{_SERVER}/remove"),
    "enable_mcp_server": _do(f"{_SERVER}/enable"),
    "disable_mcp_server": _do(f"{_SERVER}/disable"),
    "test_mcp_server": _do(f"{_SERVER}/code/try"),
    "list_server_versions": _look(f"{_SERVER}/versions"),
    "diff_server_versions": _look(f"{_SERVER}/versions/<int:number>"),
    "rollback_mcp_server": _do(f"{_SERVER}/versions/<int:number>/restore"),
    "list_fixed_mcp_servers": _look("/servers"),
    "enable_fixed_server": _do(f"{_SERVER}/enable"),
    "disable_fixed_server": _do(f"{_SERVER}/disable"),
    "restart_mcp_server": _do(f"{_SERVER}/restart"),
    "get_server_health": _look(_SERVER),
    "get_server_logs": _look(f"{_SERVER}/logs"),
    "list_pending_approvals": _look("/approvals"),
    "list_audit_entries": _look("/audit"),
    "search_tools": _look("/tools"),
    "describe_tool": _look(f"{_SERVER}/tool"),
    "get_crash_report": _look(_SERVER),
    "invoke_internal_mcp_tool": _do(f"{_SERVER}/tool"),
    "read_result": _look(f"{_SERVER}/tool/result"),
    "get_call": _look(f"{_SERVER}/tool"),
    "cancel_call": _do(f"{_SERVER}/tool/cancel"),
    # The owner needs no link from himself: the form that such a link leads to is on the page.
    "request_credential": _do(f"{_SERVER}/credentials"),
    "set_server_credential": _do(f"{_SERVER}/credentials"),
    "get_server_credentials": _look(f"{_SERVER}/credentials"),
    "list_required_credentials": _look(f"{_SERVER}/credentials"),
    "get_unconfigured_servers": _look("/servers"),
    "delete_server_credential": _do(f"{_SERVER}/credentials/delete"),
}
