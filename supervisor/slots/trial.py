"""One child of a server that is registered nowhere: started, used by its caller, gone.

It is confined, limited and watched like any other. Above: `supervisor`. Below: `child`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from sandboxes.launch import Launch
from supervisor.children.asking import ChildRequest
from supervisor.children.call import Notice
from supervisor.children.child import Child, Reports
from supervisor.slots.context import SlotContext
from supervisor.slots.outlet import Outlet
from supervisor.spec import ServerSpec


@asynccontextmanager
async def on_trial(spec: ServerSpec, launch: Launch, context: SlotContext) -> AsyncGenerator[Child]:
    """Give a child that is ready; it has ended when the body has.

    Raises:
        StartFailed: it did not become ready.
    """
    outlet = Outlet(spec.name, context.outside, context.emit)
    group = await anyio.create_task_group().__aenter__()

    def spawned(child: Child) -> None:
        context.on_spawned(child)
        group.start_soon(outlet.serve, child.process)

    reports = Reports(spawned, context.on_gone, _unheard, _unsent)
    child = Child(
        spec,
        1,
        spawn=context.spawn,
        log=context.log,
        reports=reports,
        screen=context.screen(spec),
    )
    try:
        await child.start(launch)
        yield child
    finally:
        with anyio.CancelScope(shield=True):
            await child.stop("the trial is over")
        context.log.close()
        group.cancel_scope.cancel()
        # Not given the body's error, which it would wrap in a group.
        await group.__aexit__(None, None, None)


def _unheard(child: Child, notice: Notice) -> None:
    """Nobody listens to what a child on trial says beside its answers."""


def _unsent(child: Child, request: ChildRequest) -> None:
    request.refuse("A trial sends nothing.")
