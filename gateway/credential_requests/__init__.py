"""One-time links where the owner types a credential, so that it never passes through a chat.

Above: the tool that asks, and the dashboard. Below: credentials and servers.
"""

from gateway.credential_requests.links import CredentialRequest, Links
from gateway.credential_requests.pages import CredentialPages

__all__ = ["CredentialPages", "CredentialRequest", "Links"]
