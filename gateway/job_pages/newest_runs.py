"""The newest runs of a job on its page; a live fragment."""

from jinja2 import Environment

from gateway.dashboard.live import Live, full_name
from gateway.dashboard.views import run_rows
from gateway.store import Store

SHOWN_RUNS = 30
FRAGMENT = "job-runs"


def register_runs(store: Store, live: Live, templates: Environment) -> None:
    """Have pages follow the runs of their job."""
    template = templates.get_template("job_runs.html")

    async def render(job_id: str) -> str:
        runs = run_rows(await store.runs.list(job_id, SHOWN_RUNS))
        return await template.render_async(job_id=job_id, runs=runs)

    live.register(FRAGMENT, render, ticks=True)


def fragment_of(job_id: str) -> str:
    """Return the name under which a page follows the runs of a job."""
    return full_name(FRAGMENT, job_id)
