"""What tools answer about a job, and the desk that they use."""

from gateway.domain.clock import utc_ms
from gateway.jobs.calendar import next_firings, problem_of
from gateway.jobs.desk import JobDesk, ToldJob
from gateway.jobs.times import local_times, zone_note
from gateway.tool_names import live_tools
from gateway.tools.job_views import JobAnswer, view_job
from gateway.tools.services import Services

SHOWN_TIMES = 5


def job_desk(services: Services) -> JobDesk:
    """Return what makes, changes and deletes jobs."""
    return JobDesk(
        services.settings,
        services.store,
        services.runner,
        services.scheduler,
        lambda: live_tools(services.supervisor.snapshots()),
    )


def answer_about(told: ToldJob) -> JobAnswer:
    """Return what a tool answers about a job."""
    job, now = told.job, utc_ms()
    times = () if problem_of(job) else next_firings(job, now, SHOWN_TIMES)
    return JobAnswer(
        view_job(job),
        local_times(times, job.timezone),
        zone_note(job.timezone, now),
        list(told.doubts),
    )
