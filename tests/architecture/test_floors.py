"""Imports go down only; each outside library is known in its own room alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import supervisor

CHECKOUT = Path(__file__).resolve().parents[2]
FLOORS = ("sandboxes", "supervisor", "gateway")
NOT_BELOW_GATEWAY = {"fastmcp", "claude_agent_sdk", "quart", "hypercorn", "starlette", "sqlalchemy"}
FORBIDDEN = {
    "sandboxes": {"supervisor", "gateway", "mcp", "mcp_types", "pydantic", *NOT_BELOW_GATEWAY},
    "supervisor": {"gateway", *NOT_BELOW_GATEWAY},
}
OWNED = {
    "sqlalchemy": "gateway/store/",
    "alembic": "gateway/store/",
    "claude_agent_sdk": "gateway/jobs/",
    "croniter": "gateway/jobs/",
}
NOT_AT_THE_START = {"fastmcp", "mcp", "mcp_types", "claude_agent_sdk", "alembic"}
"""Each takes the processor half a second or more, and is needed later or never."""
ENVIRONMENT_READERS = {
    "gateway/settings.py",
    "gateway/cli/home.py",  # hands it to settings, with the file that --env-file named
    "gateway/jobs/cli_wrapper.py",  # a program of its own, told by its environment
}


@cache
def parsed(path: Path) -> ast.Module:
    """Return what a file says."""
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def files(folder: str) -> Iterator[Path]:
    """Yield the Python files of a floor or a room."""
    yield from sorted((CHECKOUT / folder).rglob("*.py"))


def imports_at_once(path: Path) -> Iterator[str]:
    """Yield every module that a file imports when it is imported itself."""
    for node in parsed(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    """Return the file of a module of ours; None for others, and for what is no module."""
    place = CHECKOUT.joinpath(*module.split("."))
    paths = (place / "__init__.py", place.with_suffix(".py"))
    return next((path for path in paths if root(module) in FLOORS and path.is_file()), None)


def root(module: str) -> str:
    """Return the top-level name of a module."""
    return module.split(".")[0]


def roots(path: Path) -> set[str]:
    """Return the top-level names that a file imports."""
    return {root(name) for name in imports(path)}


@pytest.mark.parametrize("floor", FORBIDDEN)
def test_no_floor_imports_from_above(floor: str) -> None:
    """DESIGN 1: `sandboxes` knows nothing of MCP, `supervisor` nothing of HTTP, SQL or Claude."""
    wrong = {str(path): roots(path) & FORBIDDEN[floor] for path in files(floor)}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize("library", OWNED)
def test_a_library_is_known_in_its_own_room_alone(library: str) -> None:
    """DESIGN 1: SQL lives in the store, Claude and cron in jobs."""
    users = {
        path.relative_to(CHECKOUT).as_posix()
        for floor in FLOORS
        for path in files(floor)
        if library in roots(path)
    }
    assert users and all(user.startswith(OWNED[library]) for user in users)


def test_the_domain_imports_nothing_of_ours() -> None:
    """DESIGN 1: store, jobs, tools and dashboard meet there."""
    for path in files("gateway/domain"):
        ours = {name for name in imports(path) if name.split(".")[0] in FLOORS}
        assert all(name.startswith("gateway.domain") for name in ours), path


def test_the_environment_is_read_where_programs_start() -> None:
    """STYLE 20: everything else is told by argument."""
    readers = {
        path.relative_to(CHECKOUT).as_posix()
        for floor in ("gateway", "supervisor")
        for path in files(floor)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    assert readers <= ENVIRONMENT_READERS


def test_an_import_in_a_function_gives_its_reason() -> None:
    """STYLE 12: a cycle is mended by moving the arrow; the command line loads late to be quick."""
    silent: list[str] = []
    for path in (path for floor in FLOORS for path in files(floor)):
        if path.is_relative_to(CHECKOUT / "gateway" / "cli"):
            continue
        text = path.read_text("utf-8")
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Import | ast.ImportFrom) or node.col_offset == 0:
                continue
            if "#" not in text.splitlines()[node.lineno - 2]:
                silent.append(f"{path.relative_to(CHECKOUT)}:{node.lineno}")
    assert silent == []


def test_a_gateway_starts_without_what_only_tools_and_runs_need() -> None:
    """Ours: it takes half the time so; whoever needs one of them imports it in a function."""
    seen, waiting, heavy = set[str](), ["gateway.serving"], list[str]()
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if path is None or module in seen:
            continue
        seen.add(module)
        found = tuple(imports_at_once(path))
        heavy += [f"{module} imports {name}" for name in found if root(name) in NOT_AT_THE_START]
        # The import of a module runs its packages too.
        waiting += [".".join(name.split(".")[:end]) for name in found for end in range(1, 9)]
    assert "gateway.main" in seen
    assert heavy == []


def test_every_module_says_what_it_is_responsible_for() -> None:
    """STYLE 36."""
    silent = [
        str(path)
        for floor in FLOORS
        for path in files(floor)
        if not ast.get_docstring(parsed(path))
    ]
    assert silent == []


def test_the_supervisor_that_is_imported_is_ours() -> None:
    """DESIGN 1: a project on the package index imports under the same name."""
    assert Path(supervisor.__file__ or "").parent == CHECKOUT / "supervisor"


def test_the_root_script_puts_the_checkout_first_wherever_it_is_called(tmp_path: Path) -> None:
    """Ours: neither the current folder nor PYTHONPATH can put another `supervisor` before ours."""
    for folder in (tmp_path / "here", tmp_path / "path"):
        (folder / "supervisor").mkdir(parents=True)
        (folder / "supervisor" / "__init__.py").write_text("raise SystemExit('theirs')\n", "utf-8")
    probe = (
        "import runpy; runpy.run_module = lambda *a, **k: print(__import__('supervisor').__file__)"
    )
    script = f"{probe}; import sys; sys.path.insert(0, {str(CHECKOUT)!r})"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"{script}; exec(open({str(CHECKOUT / '__main__.py')!r}).read())",
        ],
        cwd=tmp_path / "here",
        env={"PYTHONPATH": str(tmp_path / "path")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(CHECKOUT / "supervisor" / "__init__.py")
