"""Tokens with which programs outside fire a job: made and ended, by page and by tool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.auth.run_tokens import token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.fire_token import FireToken
from gateway.domain.job import Job
from gateway.jobs.errors import JobRefused
from gateway.store import Store
from gateway.webhooks.fire import new_fire_token


@dataclass(frozen=True, slots=True)
class Opened:
    """A job's fire address and the token that opens it."""

    url: str
    token: str = field(repr=False)
    """Shown once."""


class FireTokens:
    """One token for each job, at most."""

    def __init__(self, store: Store, base_url: Callable[[], Awaitable[str]]) -> None:
        """`base_url` returns where senders reach the gateway."""
        self._store = store
        self._base_url = base_url

    async def make(self, job: Job) -> Opened:
        """Make the job's token; another one ends. Raises JobRefused and StoreError."""
        if not job.tools:
            raise JobRefused(
                "tools",
                f"Job {job.name!r} names no tools, so whoever fires it would write to a model with "
                "all of them; name its tools by update_job first.",
            )
        token = new_fire_token()
        await self._store.fire_tokens.put(job.id, token_hash(token), utc_ms())
        return Opened(await self.url(job), token)

    async def end(self, job_id: str) -> bool:
        """End the job's token; False when there is none. Raises StoreError."""
        return await self._store.fire_tokens.remove(job_id)

    async def find(self, job: Job) -> FireToken | None:
        """Return what is known of the job's token, None without one. Raises StoreError."""
        return await self._store.fire_tokens.find(job.id)

    async def url(self, job: Job) -> str:
        """Return the address, which is no secret. Raises StoreError."""
        return f"{await self._base_url()}/jobs/{job.id}/fire"
