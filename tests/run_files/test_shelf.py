"""Kept files have their rows, rows have their files, and all of it stays within its bounds."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.run import Run
from gateway.domain.run_file import LeftFiles
from gateway.run_files.shelf import REMOVED, Beginning, FileGone, Shelf, mark_beginning
from gateway.store import Store
from tests.databases import open_store
from tests.store import examples


@pytest.fixture(scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the newest schema, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.db"
    async with open_store(path):
        return path


@pytest.fixture
async def store(tmp_path: Path, migrated: Path) -> AsyncIterator[Store]:
    """An empty store in a home."""
    shutil.copyfile(migrated, tmp_path / "jobs.db")
    async with open_store(tmp_path / "jobs.db") as store:
        yield store


class House:
    """A home with work folders."""

    def __init__(self, home: Path, store: Store, most: int = 10**9) -> None:
        self.home = home
        self.store = store
        self.shelf = Shelf(home, store, str, bytes=most)

    async def taken(self, data: bytes, run: Run | None = None) -> LeftFiles:
        """Return what a run of its own left, copied but not stored."""
        if run is None:
            run = examples.run()
            await self.store.runs.add(run)
        work = self.home / "claude_playground" / run.id
        work.mkdir(parents=True)
        beginning = mark_beginning(self.home / "began")
        (work / "report.txt").write_bytes(data)
        left = await self.shelf.take(run.id, 1, work, beginning)
        assert left is not None
        return left

    def read(self, left: LeftFiles) -> bytes:
        """Return the bytes of the only file."""
        with open(self.shelf.open(left.files[0]), "rb") as file:  # noqa: PTH123 - a descriptor
            return file.read()

    def folders(self) -> set[str]:
        """Return the runs that have a folder."""
        return {path.name for path in (self.home / "run_files").iterdir()}


async def test_the_copy_outlives_the_work_folder_and_goes_with_its_run(
    store: Store, tmp_path: Path
) -> None:
    """Issue 7, What 5 and 9: the next run overwrites its folder; retention takes both."""
    house = House(tmp_path, store)
    left = await house.taken(b"first")
    await house.shelf.put(left)
    await house.shelf.put(left)
    run_id = left.counts.run_id
    (tmp_path / "claude_playground" / run_id / "report.txt").write_bytes(b"second")
    assert house.read(left) == b"first"
    assert await store.run_files.of_run(run_id) == left.files
    assert await store.run_files.sets(run_id) == (left.counts,)
    await house.shelf.sweep(())
    assert house.folders() == {run_id}
    assert (
        await store.retention.remove_runs(older_than=10**15, keep=10, spare_since=0, batch=10) == 0
    )  # it waits in the queue
    await store.runs.cancel_queued(run_id, 1, "x")
    assert (
        await store.retention.remove_runs(older_than=10**15, keep=10, spare_since=0, batch=10) == 1
    )
    await house.shelf.sweep(())
    assert house.folders() == set()
    assert await store.run_files.of_run(run_id) == ()


async def test_a_gateway_that_dies_in_the_middle_leaves_nothing(
    store: Store, tmp_path: Path
) -> None:
    """Adversarial: bytes without rows go at the next start, but not those of a live run."""
    house = House(tmp_path, store)
    left = await house.taken(b"copied, then killed")
    live = await house.taken(b"of a run that goes on")
    stray = tmp_path / "run_files" / "run_x"
    stray.mkdir()
    await House(tmp_path, store).shelf.sweep({live.counts.run_id})
    assert house.folders() == {live.counts.run_id}
    with pytest.raises(FileGone):
        house.read(left)
    again = await house.shelf.take(
        live.counts.run_id,
        1,
        tmp_path / "claude_playground" / live.counts.run_id,
        Beginning(tmp_path / "began", None),
    )
    assert again is not None
    await house.shelf.put(again)
    assert house.read(again) == b"of a run that goes on"
    gone = Beginning(tmp_path / "never", None)
    assert await house.shelf.take("run_y", 1, tmp_path, gone) is None


async def test_the_oldest_go_when_there_is_too_much(store: Store, tmp_path: Path) -> None:
    """Issue 7, 9: a bound over all runs; the list stays and says why the bytes are gone."""
    house = House(tmp_path, store, most=10)
    first = await house.taken(b"12345")
    second = await house.taken(b"123456")
    await house.shelf.put(first)
    await house.shelf.put(second)
    assert house.read(first) == b"12345"  # no run's end waits for room
    await house.shelf.sweep(())
    (file,) = await store.run_files.of_run(first.counts.run_id)
    assert (file.reason, file.sha256) == (REMOVED, first.files[0].sha256)
    with pytest.raises(FileGone, match="make room"):
        house.shelf.open(file)
    assert house.read(second) == b"123456"
    assert house.folders() == {second.counts.run_id}
    assert await store.run_files.kept_bytes() == 6
    none = House(tmp_path, store, most=0)
    (refused,) = (await none.taken(b"1")).files
    assert refused.reason == "0 bytes are kept of an attempt."
    await none.shelf.sweep(())
    assert (await store.run_files.kept_bytes(), house.folders()) == (0, set())


async def test_files_of_a_run_that_was_deleted_meanwhile_are_not_stored(
    store: Store, tmp_path: Path
) -> None:
    """Ours: its job may be deleted while it runs."""
    house = House(tmp_path, store)
    left = await house.taken(b"x", examples.run())
    await house.shelf.put(left)
    assert await store.run_files.kept_sets() == ()
    await house.shelf.sweep(())
    assert house.folders() == set()


async def test_a_damaged_copy_is_not_passed_off_as_the_file(store: Store, tmp_path: Path) -> None:
    """Ours: a disk that was full, a restore that was not whole."""
    house = House(tmp_path, store)
    left = await house.taken(b"12345")
    (tmp_path / "run_files" / left.counts.run_id / "1" / "0").write_bytes(b"123")
    with pytest.raises(FileGone, match="damaged"):
        house.read(left)
