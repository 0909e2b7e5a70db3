"""Watching goes on where the kernel has no watches left."""

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.events import WatchingSlowly

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from itertools import count
from pathlib import Path
import anyio
from supervisor.folders.watcher import Watcher

async def main(root):
    async with anyio.create_task_group() as group:
        async def changed(name):
            print("changed", flush=True)
            group.cancel_scope.cancel()
        async def keep_changing():
            for number in count():
                (root / str(number)).mkdir()
                await anyio.sleep(0.1)
        def emit(event):
            print(type(event).__name__)
            group.start_soon(keep_changing)
        group.start_soon(Watcher([root], changed, emit).run)

anyio.run(main, Path(sys.argv[1]))
"""
WITHOUT_WATCHES = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'


def test_without_watches_of_the_kernel_changes_are_found_slowly(tmp_path: Path) -> None:
    """Issue 4: inotify limits end in a warning, not in missed changes."""
    own_namespace = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*own_namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a user namespace")
    inside = [*own_namespace, "sh", "-c", WITHOUT_WATCHES, "sh"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert done.stdout.split()[:2] == [WatchingSlowly.__name__, "changed"], done.stderr
