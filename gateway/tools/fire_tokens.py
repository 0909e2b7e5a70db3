"""Tools for the tokens by which callers outside start a job."""

from dataclasses import dataclass, field

from fastmcp.tools import tool

from gateway.domain.units import shown
from gateway.tools.arguments import JobId
from gateway.tools.hints import CHANGE
from gateway.tools.job_answers import job_desk
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.views import Deleted
from gateway.webhooks.fire_tokens import FireTokens


@dataclass(frozen=True, slots=True)
class FireToken:
    """A new token of a job; its value is in this answer and nowhere else."""

    job_id: str
    url: str
    """Where to POST {"text": ...} with the token as bearer."""
    token: str = field(repr=False)
    message: str


class FireTokenTools:
    """create, delete."""

    def __init__(self, services: Services) -> None:
        self._desk = job_desk(services)
        self._tokens = FireTokens(services.store, services.webhooks.hooks.base_url)

    @tool(title="Make a job's fire token", annotations=CHANGE)
    async def create_job_fire_token(self, job_id: JobId) -> FireToken:
        """Make a token with which a program outside starts this job, as Claude Code routines do.

        The text that it sends along is data for the job's prompt. Another token of the job ends.
        """
        job = await self._desk.get(job_id)
        opened = await self._tokens.make(job)
        message = "Shown this once. Its runs have the tools that the job names and no others."
        return FireToken(job.id, opened.url, opened.token, message)

    @tool(title="End a job's fire token", annotations=CHANGE)
    async def delete_job_fire_token(self, job_id: JobId) -> Deleted:
        """End the token with which programs outside start this job."""
        if not await self._tokens.end(job_id):
            raise Refused(f"Job {shown(job_id)} has no fire token; list_jobs shows the jobs.")
        return Deleted(job_id, "Nobody outside can start the job any more.")
