"""A Node server finds its packages at every level."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sandboxes.packages.recipe import NodeRecipe
from sandboxes.policy import Level
from supervisor.spec import ServerKind, ServerSpec
from supervisor.starts.staging import stage
from supervisor.starts.surroundings import surroundings

CODE = 'import toy from "toy"; import { name } from "./lib/name.mjs"; console.log(toy, name);'


def spec(code: Path, digest: str = "1") -> ServerSpec:
    """Return the spec of a Node server with code of its own."""
    return ServerSpec(
        name="number",
        kind=ServerKind.FIXED,
        code_dir=code,
        digest=digest * 64,
        command=("node", str(code / "index.mjs"), "--verbose"),
        recipe=NodeRecipe(("toy@1",), "{}"),
    )


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A server's code, which imports a package and a file of its own."""
    code = tmp_path / "fixed-servers" / "number"
    (code / "lib").mkdir(parents=True)
    (code / "index.mjs").write_text(CODE, "utf-8")
    (code / "lib" / "name.mjs").write_text('export const name = "own";', "utf-8")
    toy = tmp_path / "environment" / "node_modules" / "toy"
    toy.mkdir(parents=True)
    (toy / "index.js").write_text('module.exports = "packaged";', "utf-8")
    return code


@pytest.mark.parametrize("level", [Level.REDUCED, Level.OFF])
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_code_of_its_own_finds_its_packages_without_a_mount_tree(
    code: Path, tmp_path: Path, level: Level
) -> None:
    """Issue 3, 5: a copy of the code lies beside the packages."""
    own, copies = tmp_path / "environment", tmp_path / "servers" / "number" / "code"
    found = surroundings(spec(code), python=Path("/"), own=own, level=level, copies=copies)
    assert found.staged is not None
    assert found.command == ("node", str(found.staged.at / "index.mjs"), "--verbose")
    assert found.readable == (own, found.staged.at)
    stage(found.staged)
    done = subprocess.run(found.command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("packaged own\n", "")


def test_a_new_version_is_copied_and_the_one_before_stays(code: Path, tmp_path: Path) -> None:
    """Ours: the old child may still load a file; older copies go."""
    own, copies = tmp_path / "environment", tmp_path / "copies"
    for digest in "123":
        (code / "index.mjs").write_text(digest, "utf-8")
        found = surroundings(
            spec(code, digest), python=Path("/"), own=own, level=Level.OFF, copies=copies
        )
        assert found.staged is not None
        stage(found.staged)
        stage(found.staged)
    kept = {path.name[0]: (path / "index.mjs").read_text("utf-8") for path in copies.iterdir()}
    assert kept == {"2": "2", "3": "3"}


def test_programs_of_packages_need_no_copy(code: Path, tmp_path: Path) -> None:
    """Ours: they lie among their packages."""
    program = spec(code)
    program = ServerSpec(
        name="program",
        kind=ServerKind.FIXED,
        code_dir=code,
        digest="1",
        command=("node", "./node_modules/toy/index.js"),
        recipe=program.recipe,
    )
    own = tmp_path / "environment"
    found = surroundings(
        program, python=Path("/"), own=own, level=Level.OFF, copies=tmp_path / "copies"
    )
    assert found.staged is None
    assert found.command == ("node", str(own / "node_modules" / "toy" / "index.js"))
