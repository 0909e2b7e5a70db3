"""A node: one gateway of those that share a database."""

from dataclasses import dataclass
from enum import StrEnum


class NodeState(StrEnum):
    """What a node does with runs that wait."""

    ACTIVE = "active"
    """It takes them."""
    DRAINING = "draining"
    """It takes none; what it has goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A row of `nodes`. Times are integer milliseconds by the clock of the database."""

    name: str
    identity: str
    """Of its home: whoever comes with the same one is the same node."""
    started_at: int
    beat_at: int
    """When it was last heard of."""
    lease_ms: int
    """So long after `beat_at` nobody else may take over what it has."""
    version: str
    schema: str
    slots: int
    """Most runs at a time."""
    state: NodeState
    address: str
    """Where its own machine reaches it."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a gateway says of itself when it joins."""

    name: str
    identity: str
    version: str
    slots: int
    address: str


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node learns when it renews its row."""

    at: int
    """By the clock of the database."""
    lease_ms: int
    state: NodeState
