"""Work folders that nobody needs are removed, and nothing else is."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from gateway.domain.run import RunStatus, Trigger
from gateway.jobs.appetite import over_size, until_too_much
from gateway.jobs.confinement import LIMITS
from gateway.jobs.work_folders import DAY_MS, Retention, WorkFolders, expired
from gateway.store import Store
from sandboxes import ownership
from sandboxes.policy import MIB
from tests.databases import open_store
from tests.jobs.parts import a_run
from tests.jobs.test_runner import a_runner
from tests.store import examples
from tests.waiting import PATIENCE_S, until

NOW = 100 * DAY_MS


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store in a home."""
    async with open_store(tmp_path / "jobs.db") as store:
        yield store


async def a_folder(store: Store, home: Path, status: RunStatus, finished_at: int | None) -> Path:
    """Return the work folder of a stored run of no job."""
    run = a_run(status=status, trigger=Trigger.QUICK, finished_at=finished_at)
    await store.runs.add(run)
    return made(home, run.id)


def made(home: Path, name: str) -> Path:
    """Return a new work folder with a file."""
    folder = home / "claude_playground" / name
    folder.mkdir(parents=True)
    (folder / "note.txt").write_text("kept", "utf-8")
    return folder


def aged(folder: Path) -> Path:
    """Return a folder that nothing was added to for longer than folders are kept."""
    moment = (NOW - 9 * DAY_MS) / 1000
    os.utime(folder, (moment, moment))
    return folder


def test_the_newest_folders_are_kept_up_to_an_age() -> None:
    """Issue 3, 7: a retention by number and by age."""
    ended = {"a": NOW, "b": NOW - 1, "c": NOW - 2, "old": NOW - 2 * DAY_MS}
    assert expired(ended, Retention(folders=10, days=1), NOW) == ["old"]
    assert expired(ended, Retention(folders=2, days=9), NOW) == ["c", "old"]
    assert expired(ended, Retention(folders=0, days=9), NOW) == ["a", "b", "c", "old"]


async def test_only_folders_that_nobody_needs_go(store: Store, tmp_path: Path) -> None:
    """Ours: not those of live runs, of jobs and webhooks that exist, and not what is not ours."""
    job = examples.job()
    await store.jobs.add(job)
    kept = [
        await a_folder(store, tmp_path, RunStatus.SUCCEEDED, NOW - 1),
        await a_folder(store, tmp_path, RunStatus.RUNNING, None),
        await a_folder(store, tmp_path, RunStatus.QUEUED, None),
        made(tmp_path, job.id),
        made(tmp_path, "webhook_in_use"),
        made(tmp_path, "notes of the owner"),
    ]
    gone = [
        await a_folder(store, tmp_path, RunStatus.FAILED, NOW - 9 * DAY_MS),
        aged(made(tmp_path, "run_of_another_store")),
        aged(made(tmp_path, "job_of_another_store")),
        made(tmp_path, "webhook_deleted"),
    ]
    kept.append(made(tmp_path, "job_perhaps_of_another_store"))
    folders = WorkFolders(tmp_path, store, lambda: NOW, Retention())
    folders.forget("webhook_deleted")
    await folders.sweep({"webhook_in_use"})
    assert [path.name for path in kept if not (path / "note.txt").exists()] == []
    assert [path.name for path in gone if path.exists()] == []


async def test_links_in_a_folder_lead_nowhere(store: Store, tmp_path: Path) -> None:
    """Issue 3, 8: host code never follows a link that was planted."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x", "utf-8")
    folder = made(tmp_path, "run_planted")
    (folder / "link").symlink_to(precious)
    (tmp_path / "claude_playground" / "run_link").symlink_to(precious)
    deep = folder
    for _ in range(30):
        deep = deep / ("d" * 100)
        deep.mkdir()
    aged(folder)
    await WorkFolders(tmp_path, store, lambda: NOW, Retention()).sweep(())
    assert not folder.exists()
    assert (precious / "file").read_text("utf-8") == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="users are changed by root alone")
async def test_a_user_is_free_again_once_its_folder_is_gone(store: Store, tmp_path: Path) -> None:
    """Ours: 10000 quick runs must not use up all users."""
    folder, private = made(tmp_path, "run_1"), tmp_path / "runs" / "run_1"
    private.mkdir(parents=True)
    for path in (folder, private):
        ownership.give(path, ownership.UID_BASE)
    playground = aged(folder).parent

    def next_uid() -> int:
        return ownership.assign_uid(playground, playground / "run_2", siblings="*")

    assert next_uid() == ownership.UID_BASE + 1
    await WorkFolders(tmp_path, store, lambda: NOW, Retention()).sweep(())
    assert next_uid() == ownership.UID_BASE
    assert not private.exists()


async def test_the_folder_of_a_run_goes_after_its_end_when_none_are_kept(
    store: Store, tmp_path: Path
) -> None:
    """Ours: the runner sees to it, without waiting for an hour to pass."""
    run = a_run(trigger=Trigger.QUICK)
    folder = made(tmp_path, run.id)
    with anyio.fail_after(PATIENCE_S):
        async with a_runner(store, tmp_path, retention=Retention(folders=0)) as runner:
            await runner.submit(run)
            await runner.wait(run.id)
            await until(lambda: not folder.exists())


async def test_a_run_that_fills_its_folders_is_told_which_limit_it_passed(tmp_path: Path) -> None:
    """Issue 3, 3: the size of work folders is held by the watch."""
    folder = made(tmp_path, "job_1")
    (folder / "large").write_bytes(b"x" * 3 * MIB)
    limits = replace(LIMITS, data_dir_bytes=2 * MIB)
    with anyio.fail_after(PATIENCE_S):
        reason = await until_too_much(os.getpid(), limits, (folder,))
    assert reason == "limit of 2 MiB for its work folder and HOME exceeded (3 MiB on disk)"
    few = replace(LIMITS, data_dir_files=1)
    assert over_size((folder,), few) == "limit of 1 files in its work folder and HOME exceeded"
    assert over_size((folder,), LIMITS) is None
