"""No attack gets anything: through a supervisor in every way, and without root."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sandboxes.launch import StartKind
from sandboxes.policy import Level
from tests.attacks.conftest import (
    ATTACKS,
    GUARD_S,
    SECRET,
    WAYS,
    Arena,
    Way,
    copy_code,
    hint,
    listeners,
    make_gateway_files,
    name_of,
    open_arena,
)
from tests.attacks.table import Table
from tests.sandboxes.conftest import open_to_all
from tests.sandboxes.test_plain_user import (
    CHECKOUT,
    PLAIN_UID,
    SYSTEM_PYTHON,
    can_be_used_by_all,
)

HARMLESS = tuple(
    name
    for name in ATTACKS
    if name.startswith(("read_gateway", "read_neigh", "list_", "connect_", "signal_g", "signal_n"))
)


async def attack(arena: Arena) -> dict[str, tuple[str, str]]:
    """Run every attack in one server; return verdict and detail of each."""
    await arena.start(arena.spec("attacker"))
    outcomes: dict[str, tuple[str, str]] = {}
    for name in ATTACKS:
        verdict, detail = await arena.call("attacker", name, arena.targets)
        outcomes[name] = (verdict, detail)
    return outcomes


def escaped(outcomes: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return what got through."""
    return {name: what for name, (verdict, what) in outcomes.items() if verdict == "escaped"}


async def test_no_attack_escapes(arena: Arena, table: Table) -> None:
    """Issue 3: zero escapes; the attacker is alive and has died of nothing in the end."""
    outcomes = await attack(arena)
    table.record(name_of(arena.way), outcomes)
    assert escaped(outcomes) == {}
    assert arena.supervisor.snapshot("attacker").restarts == 0
    assert await arena.call("neighbour", "healthy") == "well"
    await arena.supervisor.remove("attacker")


def test_there_are_enough_attacks() -> None:
    """Issue 3: at least 50."""
    assert len(ATTACKS) == len(set(ATTACKS)) >= 50


async def test_attacks_hit_where_there_is_no_sandbox(tmp_path: Path) -> None:
    """Ours: an attack that cannot succeed would prove nothing."""
    async with open_arena(tmp_path, (Level.OFF, StartKind.COLD)) as arena:
        await arena.start(arena.spec("attacker"))
        for name in HARMLESS:
            verdict, detail = await arena.call("attacker", name, arena.targets)
            assert (name, verdict) == (name, "escaped"), detail


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as a plain user already")
@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_no_attack_escapes_without_root(way: Way, tmp_path: Path, table: Table) -> None:
    """Issue 3: the same where the gateway is a plain user."""
    if not SYSTEM_PYTHON.exists() or not can_be_used_by_all(CHECKOUT):
        pytest.skip("another user cannot run the system's Python over this checkout")
    open_to_all(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    targets = make_gateway_files(home)
    copy_code(home)
    for path in (home, *home.rglob("*")):
        os.chown(path, PLAIN_UID, PLAIN_UID)
    with listeners(tmp_path) as open_ports:
        done = subprocess.run(
            [SYSTEM_PYTHON, "-B", str(Path(__file__).with_name("without_root.py")), *way],
            input=json.dumps({**targets, **open_ports, "hint": hint(SECRET), "names": ATTACKS}),
            user=PLAIN_UID,
            group=PLAIN_UID,
            extra_groups=[],
            env={"OAUTH_SECRET_KEY": SECRET},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=GUARD_S,
            check=False,
        )
    if "unavailable:" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, tuple[str, str]] = json.loads(done.stdout)
    assert set(outcomes) == set(ATTACKS)
    table.record_user(name_of(way), outcomes)
    assert escaped(outcomes) == {}
