"""Tools for runs: what was executed, and stopping it."""

from dataclasses import replace
from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.audit.views import BadWish
from gateway.domain.clock import utc_ms
from gateway.domain.run import RunStatus
from gateway.domain.units import shown
from gateway.jobs.errors import RunNotFound
from gateway.run_export.rows import cursor_of, read_run_wish
from gateway.tools.arguments import JobId, RunId, WebhookId
from gateway.tools.hints import CHANGE, READ
from gateway.tools.run_details import run_detail
from gateway.tools.run_views import RunDetail
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.views import RunList, RunView, view_run

AGE = "an age such as 2h or 7d ago, or an ISO time"


class RunTools:
    """list, get, kill."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List runs", annotations=READ)
    async def list_runs(
        self,
        job_id: JobId | None = None,
        webhook_id: WebhookId | None = None,
        status: Annotated[RunStatus | None, Field(description="Only runs of this status.")] = None,
        since: Annotated[str | None, Field(max_length=40, description=f"Made since {AGE}.")] = None,
        until: Annotated[
            str | None, Field(max_length=40, description=f"Made before {AGE}.")
        ] = None,
        after: Annotated[
            str | None, Field(max_length=100, description="`next` of the page before.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Most runs to list.")] = 50,
    ) -> RunList:
        """List runs, newest first, of one job or webhook or of all; without prompts and outputs."""
        store = self._services.store
        if job_id is not None and await store.jobs.get(job_id) is None:
            raise Refused(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
        asked = {
            "job": job_id, "webhook": webhook_id, "status": status,
            "since": since, "until": until, "after": after,
        }  # fmt: skip
        given = {name: str(value) for name, value in asked.items() if value is not None}
        try:
            wish = replace(read_run_wish(given, utc_ms()), limit=limit)
        except BadWish as error:
            raise Refused(str(error)) from error
        runs = await store.run_history.newest(wish)
        full = len(runs) == limit
        return RunList([view_run(run) for run in runs], cursor_of(runs[-1]) if full else None)

    @tool(title="Get a run", annotations=READ)
    async def get_run(self, run_id: RunId) -> RunDetail:
        """Show one run: status, prompt, output, error, cost, files, its tools and their calls.

        queued, starting and running are not final; ask again a little later.
        """
        store = self._services.store
        run = await store.runs.get(run_id)
        if run is None:
            raise RunNotFound(run_id)
        return await run_detail(store, run)

    @tool(title="Kill a run", annotations=CHANGE)
    async def kill_run(self, run_id: RunId) -> RunView:
        """Stop a run that waits or is under way; no process of it is left."""
        return view_run(await self._services.runner.kill(run_id))
