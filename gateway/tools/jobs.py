"""Tools for jobs: prompts that run on a schedule. `job_writing` makes and changes them."""

from contextlib import suppress

from fastmcp.tools import tool

from gateway.domain.clock import utc_ms
from gateway.domain.run import Trigger, run_of_job
from gateway.jobs.errors import RunFinished
from gateway.tools.arguments import JobId
from gateway.tools.hints import CHANGE, OPEN, READ
from gateway.tools.job_answers import answer_about, find_job, no_job
from gateway.tools.job_views import JobAnswer, JobList, view_job
from gateway.tools.services import Services
from gateway.tools.views import Deleted, Triggered

KILLED_WITH_JOB = "Killed because its job was deleted."


class JobTools:
    """list, get, delete, trigger."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="List jobs", annotations=READ)
    async def list_jobs(self) -> JobList:
        """List all scheduled jobs with their schedule, prompt, tools and next run.

        Use it to find a job's id, or to see what runs by itself on this machine.
        """
        return JobList([view_job(job) for job in await self._services.store.jobs.all()])

    @tool(title="Get a job", annotations=READ)
    async def get_job(self, job_id: JobId) -> JobAnswer:
        """Show one job in full, with its next five runs and warnings about its tools."""
        return answer_about(self._services, await find_job(self._services, job_id))

    @tool(title="Delete a job", annotations=CHANGE)
    async def delete_job(self, job_id: JobId) -> Deleted:
        """Delete a job and all its runs with their output, for good; a run under way is killed."""
        job = await find_job(self._services, job_id)
        for run in await self._services.store.runs.unfinished(job_id):
            with suppress(RunFinished):
                await self._services.runner.kill(run.id, KILLED_WITH_JOB)
        if not await self._services.store.jobs.delete(job_id):
            raise no_job(job_id)
        self._services.runner.forget_folder(job_id)
        return Deleted(job_id, f"Job {job.name!r} and its runs are deleted.")

    @tool(title="Run a job now", annotations=OPEN)
    async def trigger_job(self, job_id: JobId) -> Triggered:
        """Run a job now, besides its schedule; answers at once with the run's id.

        Follow the run with get_run(run_id) until its status is final. A disabled job can be
        triggered too.
        """
        job = await find_job(self._services, job_id)
        run = await self._services.runner.submit(
            run_of_job(job, trigger=Trigger.MANUAL, now=utc_ms())
        )
        return Triggered(run.id, run.status, f"The run is {run.status}; ask get_run how it goes.")
