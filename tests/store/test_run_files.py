"""What the tables of kept files promise, on both databases."""

from dataclasses import replace

from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.store import Store
from tests.store import examples


async def test_files_are_stored_together_once_and_go_with_their_run(store: Store) -> None:
    """Issue 7, What 5: of each attempt all or nothing; the last attempt's come first."""
    job = examples.job()
    await store.jobs.add(job)
    run, other = (examples.run(job_id=job.id) for _ in range(2))
    await store.runs.add(run)
    first = RunFileSet(run.id, 1, at=5, kept=1, bytes=9, unlisted=4, cut=True)
    second = replace(first, attempt=2, at=6, cut=False)
    file = RunFile(run.id, 1, 0, "out/a\n\x00.txt", 9, "text/plain", "d1")
    link = RunFile(run.id, 1, 1, "link", 4, "link", "", "It is a link, no file.")
    later = replace(file, attempt=2, sha256="d2")
    table = store.run_files
    assert await table.add(LeftFiles(first, (file, link)))
    assert not await table.add(LeftFiles(replace(first, kept=7), (replace(file, path="b"),)))
    assert await table.add(LeftFiles(second, (later,)))
    assert not await table.add(LeftFiles(replace(first, run_id=other.id)))
    shown = "out/a\n\N{REPLACEMENT CHARACTER}.txt"
    file, later = replace(file, path=shown), replace(later, path=shown)
    assert await table.sets(run.id) == (first, second)
    assert await table.of_run(run.id) == (later, file, link)
    assert await table.of_run(run.id, skip=1, limit=1) == (file,)
    assert await table.find(run.id, shown) == later
    assert await table.find(run.id, "none") is None
    assert await table.get(run.id, 1, 1) == link
    assert await table.paths([run.id, other.id]) == {run.id: [shown, shown]}
    assert (await table.kept_sets(), await table.kept_bytes()) == ((first, second), 18)
    await table.let_go(first, "Gone.")
    assert await table.of_run(run.id) == (later, replace(file, reason="Gone."), link)
    assert (await table.kept_sets(), await table.kept_bytes()) == ((second,), 9)
    await store.jobs.delete(job.id)
    assert await table.of_run(run.id) == ()
    assert await table.sets(run.id) == ()
