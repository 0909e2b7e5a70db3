"""Tools for runs: what was executed, and stopping it."""

from typing import Annotated

from fastmcp.tools import tool
from pydantic import Field

from gateway.domain.units import shown
from gateway.jobs.errors import RunNotFound
from gateway.tools.arguments import JobId, RunId
from gateway.tools.hints import CHANGE, READ
from gateway.tools.run_file_views import SHOWN_FILES
from gateway.tools.run_files import list_files
from gateway.tools.run_record_views import SHOWN_CALLS
from gateway.tools.run_views import RunDetail, view_run_detail
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.views import RunList, RunView, view_run


class RunTools:
    """list, get, kill."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List runs", annotations=READ)
    async def list_runs(
        self,
        job_id: JobId | None = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Most runs to list.")] = 50,
    ) -> RunList:
        """List runs, newest first, of one job or of all; without prompts and outputs."""
        if job_id is not None and await self._services.store.jobs.get(job_id) is None:
            raise Refused(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
        runs = await self._services.store.runs.list(job_id, limit)
        return RunList([view_run(run) for run in runs])

    @tool(title="Get a run", annotations=READ)
    async def get_run(self, run_id: RunId) -> RunDetail:
        """Show one run: status, prompt, output, error, cost, files, its tools and their calls.

        queued, starting and running are not final; ask again a little later.
        """
        store = self._services.store
        run = await store.runs.get(run_id)
        if run is None:
            raise RunNotFound(run_id)
        return view_run_detail(
            run,
            await store.run_records.of_run(run_id),
            await store.run_records.calls(run_id, limit=SHOWN_CALLS),
            await store.costs.of_run(run_id),
            await list_files(store, run_id, offset=0, limit=SHOWN_FILES),
        )

    @tool(title="Kill a run", annotations=CHANGE)
    async def kill_run(self, run_id: RunId) -> RunView:
        """Stop a run that waits or is under way; no process of it is left."""
        return view_run(await self._services.runner.kill(run_id))
