"""The servers of this gateway: folders, switches and credentials, and what became of them."""

from gateway.servers.draft import Draft
from gateway.servers.folders import ServerFolders
from gateway.servers.follower import Follower
from gateway.servers.report import CredentialStatus, ServerReport
from gateway.servers.servers import Servers
from gateway.servers.trials import Trials

__all__ = [
    "CredentialStatus",
    "Draft",
    "Follower",
    "ServerFolders",
    "ServerReport",
    "Servers",
    "Trials",
]
