"""Declarations of packages are read from a server's folder, and nothing else is done with them."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from sandboxes.packages.recipe import NodeRecipe, PythonRecipe, Recipe
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import read_server
from supervisor.folders.dependencies import read_recipe
from supervisor.spec import ServerKind

SHIPPED = f"fastmcp=={version('fastmcp')}"


def folder(path: Path, **files: str) -> Path:
    """Write a server's folder; `requirements_txt` is the file `requirements.txt`."""
    path = path / "server"
    path.mkdir()
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (path / f"{stem.replace('_', '-')}.{suffix}").write_text(text, encoding="utf-8")
    return path


def python(path: Path, code: str = "", requirements: str | None = None) -> Recipe | None:
    """Return what a Python server declares."""
    files = {"server_py": code}
    if requirements is not None:
        files["requirements_txt"] = requirements
    return read_recipe(folder(path, **files), command=False, source_builds=False)


def node(path: Path, package: object, **files: str) -> Recipe | None:
    """Return what a Node server declares."""
    made = folder(path, package_json=json.dumps(package), **files)
    return read_recipe(made, command=True, source_builds=False)


def block(text: str) -> str:
    """Return a PEP 723 block."""
    lines = "".join(f"# {line}\n" for line in text.splitlines())
    return f"# /// script\n{lines}# ///\n"


def test_a_server_without_a_declaration_has_the_shipped_environment(tmp_path: Path) -> None:
    """Issue."""
    assert python(tmp_path, "import fastmcp") is None


def test_decorated_functions_alone_bring_the_library_that_provides_mcp(tmp_path: Path) -> None:
    """Issue 4: `mcp` is provided to code that does not make it."""
    recipe = python(tmp_path, "@mcp.tool\ndef f(): ...\n", "httpx")
    assert recipe == PythonRecipe((SHIPPED, "httpx"), (SHIPPED,))


def test_a_script_block_and_requirements_count_together(tmp_path: Path) -> None:
    """PEP 723, and pip's format with its comments and hashes."""
    code = block('dependencies = [\n  "mcp<2",\n]')
    text = "# ours\nhttpx >= 0.28  # newer\nidna==3.10 \\\n    --hash=sha256:00aa\n\n"
    expected = ("httpx >= 0.28", "idna==3.10 --hash=sha256:00aa", "mcp<2")
    assert python(tmp_path, code, text) == PythonRecipe(expected)


@pytest.mark.parametrize(
    ("code", "declared", "added"),
    [
        ("from fastmcp import FastMCP", "idna", (SHIPPED,)),
        ("import fastmcp.server", "FastMCP>2", ()),
        ("import fastmcp", "mcp<2", ("fastmcp",)),
        ("from mcp.server import Server", "idna", (f"mcp=={version('mcp')}",)),
        ("import mcp", "fastmcp", ()),
        ("from . import fastmcp", "idna", ()),
        ("def broken(", "idna", ()),
    ],
)
def test_an_imported_mcp_library_is_added_unless_it_is_named(
    tmp_path: Path, code: str, declared: str, added: tuple[str, ...]
) -> None:
    """Ours: code that works without a declaration works with one."""
    expected = PythonRecipe(tuple(sorted((declared, *added))), added)
    assert python(tmp_path, code, declared) == expected


@pytest.mark.parametrize(
    ("code", "requirements", "message"),
    [
        ("", "-r other.txt", "only packages by name are allowed here"),
        ("", "--index-url https://example.com", "only packages by name"),
        ("", "git+https://example.com/a", "cannot be used"),
        ("", "a @ https://example.com/a.whl", "names an address"),
        ("", "./local", "cannot be used"),
        (block("dependencies = 3"), None, "not a list of strings"),
        (block("dependencies = ["), None, "is not TOML"),
        (block("requires-python = '>=4'\ndependencies = ['a']"), None, "asks for Python >=4"),
        (block("requires-python = 'new'\ndependencies = ['a']"), None, "`requires-python`"),
        (block("a = 1") + "x = 1\n" + block("a = 1"), None, "two script blocks"),
        ("", "\n".join(f"a{n}" for n in range(501)), "more than 500"),
    ],
)
def test_what_is_no_package_of_the_index_is_refused(
    tmp_path: Path, code: str, requirements: str | None, message: str
) -> None:
    """Issue: network to the configured package index only."""
    with pytest.raises(InvalidServer, match=message):
        python(tmp_path, code, requirements)


def test_a_node_server_gets_its_dependencies_and_its_lock(tmp_path: Path) -> None:
    """Issue: Node servers likewise from package.json."""
    package = {"dependencies": {"b": "^1", "@a/b": "npm:@c/d@2"}}
    recipe = node(tmp_path, package, package_lock_json='{"lockfileVersion": 3}')
    assert isinstance(recipe, NodeRecipe)
    assert recipe.packages == ("@a/b@npm:@c/d@2", "b@^1")
    assert recipe.lock == '{"lockfileVersion": 3}'


@pytest.mark.parametrize("source", ["git+ssh://x/y", "owner/project", "file:../x", "http://x/y"])
def test_a_node_package_from_elsewhere_is_refused(tmp_path: Path, source: str) -> None:
    """Issue: packages of the registry alone."""
    with pytest.raises(InvalidServer, match="registry alone"):
        node(tmp_path, {"dependencies": {"x": source}})


def test_a_lock_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """Issue: packages of the registry alone."""
    lock = json.dumps({"packages": {"x": {"resolved": "git+ssh://example.com/x"}}}, indent=2)
    with pytest.raises(InvalidServer, match="no registry"):
        node(tmp_path, {"dependencies": {"x": "1"}}, package_lock_json=lock)


def test_a_folder_with_its_own_modules_is_left_as_it_is(tmp_path: Path) -> None:
    """Ours: whoever installed by hand goes on."""
    made = folder(tmp_path, package_json='{"dependencies": {"x": "git+ssh://x/y"}}')
    (made / "node_modules").mkdir()
    assert read_recipe(made, command=True, source_builds=False) is None


def test_only_the_owner_allows_source_builds(tmp_path: Path) -> None:
    """Issue: a source build needs the owner."""
    metadata = json.dumps({"allow_source_builds": True})
    made = folder(tmp_path, server_py="", requirements_txt="a", metadata_json=metadata)
    assert read_server(made, ServerKind.FIXED).recipe == PythonRecipe(("a",), (), True)
    with pytest.raises(InvalidServer, match="only the owner allows that"):
        read_server(made, ServerKind.DYNAMIC)


def test_only_the_owner_grants_unix_sockets(tmp_path: Path) -> None:
    """Ours: a wider filter of system calls is a grant."""
    metadata = json.dumps({"unix_sockets": True})
    made = folder(tmp_path, server_py="", metadata_json=metadata)
    assert read_server(made, ServerKind.FIXED).unix_sockets
    with pytest.raises(InvalidServer, match="only the owner grants those"):
        read_server(made, ServerKind.DYNAMIC)


def test_arguments_that_name_own_files_become_their_paths(tmp_path: Path) -> None:
    """Ours: a server does not run in its own folder."""
    command = ["node", "./index.js", "./other.js", "./node_modules/x/cli.js"]
    made = folder(tmp_path, index_js="", metadata_json=json.dumps({"command": command}))
    spec = read_server(made, ServerKind.FIXED)
    assert spec.command == ("node", str(made / "index.js"), *command[2:])
