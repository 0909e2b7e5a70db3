"""Two processes that change settings at once, as the page and the command line do."""

import subprocess
import sys
from pathlib import Path

from dotenv import dotenv_values

from gateway.variables import CHECKOUT

FIRST, LAST = 100, 139
WRITER = f"""
import sys
from pathlib import Path
from gateway.setting_changes import change_setting, find_variable
file, variable = Path(sys.argv[1]), find_variable(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for value in range({FIRST}, {LAST} + 1):
    change_setting(file, variable, str(value), {{}})
    assert f"{{variable.name}}={{value}}" in file.read_text("utf-8").splitlines()
"""


def test_neither_of_two_writers_loses_a_change(tmp_path: Path) -> None:
    """Ours: each reads the file that the other has written, whole."""
    file, names = tmp_path / "my.env", ("RUNS_DAYS", "AUDIT_DAYS")
    file.write_text("# mine\n", "utf-8")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
        )
        for name in names
    ]
    try:
        for each in writers:
            assert each.stdout is not None
            assert each.stdout.readline() == b"ready\n"
        for each in writers:
            assert each.stdin is not None
            each.stdin.write(b"go\n")
            each.stdin.flush()
        assert [each.wait(60) for each in writers] == [0, 0]
    finally:
        for each in writers:
            each.kill()
            each.communicate()
    assert dotenv_values(file) == dict.fromkeys(names, str(LAST))
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
