"""Tools for the gateways that share the database."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.nodes import NodeDesk, NodeView
from gateway.tools.hints import READ, SWITCH
from gateway.tools.services import Services

NodeName = Annotated[str, Field(min_length=1, max_length=64, description="As list_nodes has it.")]


@dataclass(frozen=True, slots=True)
class NodeList:
    """Every node, by name."""

    nodes: list[NodeView]


@dataclass(frozen=True, slots=True)
class NodeChanged:
    """What was done."""

    name: str
    message: str


class NodeTools:
    """list, drain, undrain."""

    def __init__(self, services: Services) -> None:
        self._desk = NodeDesk(services.store, services.node)

    @tool(title="List nodes", annotations=READ)
    async def list_nodes(self) -> NodeList:
        """List the gateways that share this one's database, with their state and live runs.

        Without DATABASE_URL there is one.
        """
        return NodeList(await self._desk.views())

    @tool(title="Drain a node", annotations=SWITCH)
    async def drain_node(self, name: NodeName) -> NodeChanged:
        """Have a node take no more runs, until undrain_node or its next start.

        Runs that it has go on, servers and schedules too. For before it is stopped.
        """
        return NodeChanged(name, await self._desk.drain(name))

    @tool(title="Let a drained node take runs", annotations=SWITCH)
    async def undrain_node(self, name: NodeName) -> NodeChanged:
        """Have a drained node take runs again."""
        return NodeChanged(name, await self._desk.undrain(name))
