"""The same floor for a gateway that is no root: run by root as a user without any rights."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.sandboxes.conftest import GUARD_S, open_to_all

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_PYTHON = Path("/usr/bin/python3")
PLAIN_UID = 65_000
SCRIPT = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sandboxes import environment, interpreter, launch, ownership, probe
from sandboxes.policy import Level, Policy
folder, level, python = Path(sys.argv[2]), Level(sys.argv[3]), Path(sys.executable)
reason = probe.problem(level)
if reason:
    raise SystemExit(f"unavailable: {reason}")
code, data, private = folder / "code", folder / "data", folder / "private"
code.mkdir()
server = code / "server.py"
server.write_text(sys.argv[4])
ownership.make_folders(data, private, None)
policy = Policy(level, data, read_only=(code, *interpreter.folders(python)), read_write=(private,))
env = environment.child_environment(data_dir=data, private=private, declared={})
ready = launch.prepare(interpreter.python_command(python, server), env=env, cwd=data, policy=policy)
done = subprocess.run(ready.argv, env=ready.env, cwd=ready.cwd, start_new_session=True)
raise SystemExit(done.returncode)
"""
WARM_SCRIPT = """
import os, select, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sandboxes import environment, interpreter, launch, ownership, probe
from sandboxes.warm import parent as warm
from sandboxes.policy import Level, Policy
folder, level, python = Path(sys.argv[2]), Level(sys.argv[3]), Path(sys.executable)
reason = probe.problem(level)
if reason:
    raise SystemExit(f"unavailable: {reason}")
code, data, private = folder / "code", folder / "servers" / "data", folder / "servers" / "private"
code.mkdir()
(folder / "servers").mkdir()
server, rehearsal = code / "server.py", folder / "rehearsal.py"
server.write_text(sys.argv[4])
rehearsal.write_text("")
ownership.make_folders(data, private, None)
policy = Policy(level, data, read_only=(code, *interpreter.folders(python)), read_write=(private,))
env = environment.child_environment(data_dir=data, private=private, declared={})
ready = launch.prepare(interpreter.python_command(python, server), env=env, cwd=data, policy=policy)
config = warm.WarmConfig(python, rehearsal, (code,), folder / "servers", {})
process = warm.WarmProcess(config, on_forgotten=lambda: None)
def hear():
    select.select([process], [], [])
    return process.hear()
assert isinstance(first := hear(), warm.WarmReady), first
process.ask(ready)
child = hear().child
select.select([child.exit_fd], [], [])
assert child.confined(), os.read(child.stderr, 4096)
select.select([child.exit_fd], [], [])
os.write(1, os.read(child.stdout, 4096))
os.write(2, os.read(child.stderr, 4096))
status = child.reap()
process.close()
raise SystemExit(status)
"""
CHILD = """
import os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
(DATA_DIR / "made").write_text("x")
def refused(action):
    try:
        action()
    except OSError:
        return True
print(int(status["CapEff"], 16), status["NoNewPrivs"].strip(), status["Seccomp"].strip(),
      refused(lambda: os.listdir("/")), refused(lambda: open("/etc/passwd")),
      refused(lambda: os.setuid(0)), refused(socket.socket))
raise SystemExit
"""


def can_be_used_by_all(path: Path) -> bool:
    """Whether any user can walk there and read it."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as a plain user already")
@pytest.mark.parametrize(
    ("level", "script"),
    [("strong", SCRIPT), ("strong", WARM_SCRIPT), ("reduced", SCRIPT)],
    ids=["strong", "strong, warm", "reduced"],
)
def test_plain_user_gets_the_same_confinement(level: str, script: str, tmp_path: Path) -> None:
    """Ours: no step of a confined start needs root."""
    if not SYSTEM_PYTHON.exists() or not can_be_used_by_all(CHECKOUT):
        pytest.skip("another user cannot run the system's Python over this checkout")
    open_to_all(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, PLAIN_UID, PLAIN_UID)
    done = subprocess.run(
        [SYSTEM_PYTHON, "-B", "-c", script, str(CHECKOUT), str(home), level, CHILD],
        user=PLAIN_UID,
        group=PLAIN_UID,
        extra_groups=[],
        env={},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    if "unavailable:" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert (done.stderr, done.stdout) == ("", "0 1 2 True True True True\n")
    (made,) = home.glob("**/made")
    assert made.stat().st_uid == PLAIN_UID
