"""Gateways that share a PostgreSQL database: who is there, and what becomes of who is not."""

from gateway.nodes.desk import NodeDesk, NodeView, NoSuchNode
from gateway.nodes.membership import Membership
from gateway.nodes.opening import open_node

__all__ = ["Membership", "NoSuchNode", "NodeDesk", "NodeView", "open_node"]
