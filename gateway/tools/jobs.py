"""Tools for jobs: prompts that run on a schedule. `job_writing` makes and changes them."""

from fastmcp.tools import tool

from gateway.jobs.desk import ToldJob
from gateway.tools.arguments import JobId
from gateway.tools.hints import CHANGE, OPEN, READ
from gateway.tools.job_answers import answer_about, job_desk
from gateway.tools.job_views import JobAnswer, JobList, view_job
from gateway.tools.services import Services
from gateway.tools.views import Deleted, Triggered


class JobTools:
    """list, get, delete, trigger."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._desk = job_desk(services)

    @tool(title="List jobs", annotations=READ)
    async def list_jobs(self) -> JobList:
        """List all scheduled jobs with their schedule, prompt, tools and next run.

        Use it to find a job's id, or to see what runs by itself on this machine.
        """
        return JobList([view_job(job) for job in await self._store.jobs.all()])

    @tool(title="Get a job", annotations=READ)
    async def get_job(self, job_id: JobId) -> JobAnswer:
        """Show one job in full, with its next five runs and warnings about its tools."""
        job = await self._desk.get(job_id)
        return answer_about(ToldJob(job, self._desk.doubts(job)))

    @tool(title="Delete a job", annotations=CHANGE)
    async def delete_job(self, job_id: JobId) -> Deleted:
        """Delete a job and all its runs with their output, for good; a run under way is killed."""
        job = await self._desk.delete(job_id)
        return Deleted(job_id, f"Job {job.name!r} and its runs are deleted.")

    @tool(title="Run a job now", annotations=OPEN)
    async def trigger_job(self, job_id: JobId) -> Triggered:
        """Run a job now, besides its schedule; answers at once with the run's id.

        Follow the run with get_run(run_id) until its status is final. A disabled job can be
        triggered too.
        """
        run = await self._desk.trigger(job_id)
        return Triggered(run.id, run.status, f"The run is {run.status}; ask get_run how it goes.")
