"""The way of runs to the Messages API: holds the real key, counts what each run spends.

A run has a token of its own here, which is worth nothing elsewhere and nothing after the run.
"""

from gateway.forwarder.account import Account, Accounts
from gateway.forwarder.forwarder import DEFAULT_URL, Forwarder, Upstream, upstream_client

__all__ = ["DEFAULT_URL", "Account", "Accounts", "Forwarder", "Upstream", "upstream_client"]
