"""The memory that forks share has no gaps into which they would put their own objects."""

import subprocess
import sys

from sandboxes.interpreter import SANDBOXES

COUNT = """
import sys
sys.path.append(sys.argv[1])
from sandboxes.warm import memory_gaps
kept = [object() for _ in range(100_000)]
del kept[::2]
count = lambda: sum(free for _, free in memory_gaps._gaps(sys._debugmallocstats))
before = count()
filling = memory_gaps.fill()
print(before, count())
"""


def test_gaps_between_objects_are_filled() -> None:
    """Ours: what is left is less than the pools that the filling itself began."""
    done = subprocess.run(
        (sys.executable, "-I", "-c", COUNT, str(SANDBOXES.parent)),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert before > 50_000
    assert after < before / 5
