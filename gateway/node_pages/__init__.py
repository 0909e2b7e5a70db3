"""``/nodes``: the gateways that share the database."""

from gateway.node_pages.opening import open_node_pages

__all__ = ["open_node_pages"]
