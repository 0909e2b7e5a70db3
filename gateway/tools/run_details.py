"""All that is kept of one run but its transcript, for the tool, the command and the page."""

from gateway.domain.run import Run
from gateway.store import Store
from gateway.tools.run_file_views import SHOWN_FILES, RunFileList, view_run_files
from gateway.tools.run_record_views import SHOWN_CALLS
from gateway.tools.run_views import RunDetail, view_run_detail


async def run_detail(store: Store, run: Run, *, files: int = SHOWN_FILES) -> RunDetail:
    """Return a run with its record, its costs and the first `files` of its files."""
    return view_run_detail(
        run,
        await store.run_records.of_run(run.id),
        await store.run_records.calls(run.id, limit=SHOWN_CALLS),
        await store.costs.of_run(run.id),
        await list_files(store, run.id, offset=0, limit=files),
    )


async def list_files(store: Store, run_id: str, *, offset: int, limit: int) -> RunFileList:
    """Return a page of the files of a run."""
    found = await store.run_files.of_run(run_id, skip=offset, limit=limit + 1)
    return view_run_files(
        found[:limit],
        await store.run_files.sets(run_id),
        next_offset=offset + limit if len(found) > limit else None,
    )
