"""The store: the only place that speaks SQL. Gives and takes the types of `gateway.domain`."""

from gateway.store.credentials import CredentialTable
from gateway.store.data_keys import DataKeyTable
from gateway.store.definition_pins import DefinitionPinTable
from gateway.store.errors import (
    MigrationFailed,
    SchemaTooNew,
    SettingRefused,
    StoreError,
    StoreUnavailable,
    UnknownJob,
    UnsupportedDatabase,
)
from gateway.store.jobs import JobTable
from gateway.store.node_runs import LostRun, NodeRunTable
from gateway.store.nodes import NodeTable
from gateway.store.notices import NoticeTable
from gateway.store.run_records import RunRecordTable
from gateway.store.runs import RunTable
from gateway.store.server_versions import ServerVersionTable
from gateway.store.servers import ServerTable
from gateway.store.settings import DEFAULT_WEBHOOK_BASE_URL, SettingTable
from gateway.store.store import Store
from gateway.store.tokens import TokenTable
from gateway.store.webhooks import WebhookTable

__all__ = [
    "DEFAULT_WEBHOOK_BASE_URL",
    "CredentialTable",
    "DataKeyTable",
    "DefinitionPinTable",
    "JobTable",
    "LostRun",
    "MigrationFailed",
    "NodeRunTable",
    "NodeTable",
    "NoticeTable",
    "RunRecordTable",
    "RunTable",
    "SchemaTooNew",
    "ServerTable",
    "ServerVersionTable",
    "SettingRefused",
    "SettingTable",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "TokenTable",
    "UnknownJob",
    "UnsupportedDatabase",
    "WebhookTable",
]
