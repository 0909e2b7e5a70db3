"""How many runs of a job or webhook failed one after the other, counted with the end of each."""

from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.notice import Notice
from gateway.domain.run import RunStatus
from gateway.store.notices import insert_notice
from gateway.store.schema import jobs, runs, webhooks

Tell = Callable[[int], Notice | None]
"""Returns the notice that the end of a run is worth after so many failures of its job, or of its
webhook, in a row."""


async def count_failures(
    connection: AsyncConnection, run_id: str, status: RunStatus, tell: Tell
) -> None:
    """Count the end of a run for its job or webhook, and store the notice of it."""
    if not (status.failure or status is RunStatus.SUCCEEDED):
        return
    for owners, column in ((jobs, runs.c.job_id), (webhooks, runs.c.webhook_id)):
        of_the_run = select(column).where(runs.c.id == run_id).scalar_subquery()
        wanted = select(owners.c.failures).where(owners.c.id == of_the_run).with_for_update()
        before = (await connection.execute(wanted)).scalar_one_or_none()
        if before is None:
            continue
        counted = before + 1 if status.failure else 0
        if counted != before:
            change = update(owners).where(owners.c.id == of_the_run).values(failures=counted)
            await connection.execute(change)
        if (notice := tell(before)) is not None:
            await connection.execute(insert_notice(notice))
