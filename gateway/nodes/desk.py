"""What people see of the nodes, and what they may have them do."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.domain.node import Node, NodeState
from gateway.domain.units import shown
from gateway.nodes.membership import Membership
from gateway.store import Store

LOST = "lost"


class NoSuchNode(Exception):
    """There is no node of that name; the message is one sentence."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no node {shown(name)}; list_nodes shows their names.")
        self.name = name


@dataclass(frozen=True, slots=True)
class NodeView:
    """A gateway of those that share the database."""

    name: str
    state: str
    """active, draining (it takes no runs) or lost (not heard of; others take over its runs)."""
    this: bool
    """It is the one that answers."""
    live_runs: int
    slots: int
    """Most runs at a time."""
    version: str
    schema: str
    started_at: str
    heard_s: float
    """How long ago it was heard of."""
    address: str
    """Where its own machine reaches it."""


class NodeDesk:
    """Lists nodes and drains them."""

    def __init__(self, store: Store, membership: Membership) -> None:
        self._store = store
        self._membership = membership

    async def views(self) -> list[NodeView]:
        """Return every node, by name."""
        nodes = self._store.nodes
        now, found = await nodes.now_ms(), await nodes.all()
        counts = await self._store.node_runs.counts()
        return [self._view(node, now, counts.get(node.name, 0)) for node in found]

    async def drain(self, name: str) -> str:
        """Have a node take no more runs; return what to tell. Raises NoSuchNode."""
        await self._set(name, NodeState.DRAINING)
        return f"Node {name!r} takes no more runs; those that it has go on."

    async def undrain(self, name: str) -> str:
        """Have a node take runs again; return what to tell. Raises NoSuchNode."""
        await self._set(name, NodeState.ACTIVE)
        return f"Node {name!r} takes runs."

    async def _set(self, name: str, state: NodeState) -> None:
        if not await self._store.nodes.set_state(name, state):
            raise NoSuchNode(name)
        if name == self._membership.name:
            self._membership.take_state(state)

    def _view(self, node: Node, now: int, live_runs: int) -> NodeView:
        this = node.name == self._membership.name
        # On SQLite nobody renews the only row.
        silent_ms = 0 if this else max(0, now - node.beat_at)
        state = LOST if silent_ms > node.lease_ms else node.state.value
        return NodeView(
            name=node.name,
            state=state,
            this=this,
            live_runs=live_runs,
            slots=node.slots,
            version=node.version,
            schema=node.schema,
            started_at=_iso(node.started_at),
            heard_s=silent_ms / 1000,
            address=node.address,
        )


def _iso(at: int) -> str:
    return (
        datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
