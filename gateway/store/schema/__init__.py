"""The tables as they are at `HEAD`. A change here needs a new revision in migrations/versions."""

from gateway.store.schema.access import (
    oauth_access_tokens,
    oauth_clients,
    oauth_codes,
    oauth_grants,
    oauth_keys,
    oauth_refresh_tokens,
    tokens,
)
from gateway.store.schema.audit import audit
from gateway.store.schema.costs import day_budgets_reached, day_costs, run_costs
from gateway.store.schema.dashboard import dashboard_sessions
from gateway.store.schema.metadata import metadata
from gateway.store.schema.nodes import nodes
from gateway.store.schema.notices import channels, notices, sendings
from gateway.store.schema.run_files import run_file_sets, run_files
from gateway.store.schema.run_records import run_calls, run_records
from gateway.store.schema.secrets import credentials, data_keys
from gateway.store.schema.servers import definition_pins, server_files, server_versions, servers
from gateway.store.schema.settings import settings
from gateway.store.schema.webhooks import (
    job_fire_tokens,
    webhook_deliveries,
    webhook_keys,
    webhook_secrets,
    webhooks,
)
from gateway.store.schema.work import jobs, run_messages, runs

__all__ = [
    "HEAD",
    "audit",
    "channels",
    "credentials",
    "dashboard_sessions",
    "data_keys",
    "day_budgets_reached",
    "day_costs",
    "definition_pins",
    "job_fire_tokens",
    "jobs",
    "metadata",
    "nodes",
    "notices",
    "oauth_access_tokens",
    "oauth_clients",
    "oauth_codes",
    "oauth_grants",
    "oauth_keys",
    "oauth_refresh_tokens",
    "run_calls",
    "run_costs",
    "run_file_sets",
    "run_files",
    "run_messages",
    "run_records",
    "runs",
    "sendings",
    "server_files",
    "server_versions",
    "servers",
    "settings",
    "tokens",
    "webhook_deliveries",
    "webhook_keys",
    "webhook_secrets",
    "webhooks",
]

HEAD = "0025"
"""Newest revision; a database that has it opens without Alembic."""
