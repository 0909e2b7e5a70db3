"""What the tools for jobs share: a job by its id, its tools checked, the answer about it."""

from collections.abc import Sequence

from gateway.domain.clock import utc_ms
from gateway.domain.job import Job
from gateway.jobs.calendar import next_firings
from gateway.jobs.network_words import doubts
from gateway.tool_names import Normalised, check_tools, live_tools
from gateway.tools.job_views import JobAnswer, view_job
from gateway.tools.sentences import Refused, shown
from gateway.tools.services import Services
from gateway.tools.times import local_times, zone_note

SHOWN_TIMES = 5


async def find_job(services: Services, job_id: str) -> Job:
    """Return the job. Raises Refused when there is none."""
    job = await services.store.jobs.get(job_id)
    if job is None:
        raise no_job(job_id)
    return job


def check_job_tools(services: Services, tools: Sequence[str], servers: Sequence[str]) -> Normalised:
    """Return the names of tools as they are stored, with warnings. Raises Refused."""
    return check_tools(tools, servers, live_tools(services.supervisor.snapshots()))


def answer_about(services: Services, job: Job, checked: Normalised | None = None) -> JobAnswer:
    """Return what a tool answers about a job."""
    warnings = (checked or check_job_tools(services, job.tools, job.servers)).warnings
    now = utc_ms()
    return JobAnswer(
        view_job(job),
        local_times(next_firings(job, now, SHOWN_TIMES), job.timezone),
        zone_note(job.timezone, now),
        [*warnings, *doubts(job.network, job.tools)],
    )


def no_job(job_id: str) -> Refused:
    """Return the refusal of an id that no job has."""
    return Refused(f"There is no job {shown(job_id)}; list_jobs shows the ids.")
