"""What the documents promise is what the code does."""

import re
import subprocess
import tomllib
from argparse import (
    ArgumentParser,
    _SubParsersAction,  # pyright: ignore[reportPrivateUsage] - the only way to walk a parser
)
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from gateway.cli.parser import build_parser
from gateway.cli.tool_commands import COMMANDS
from gateway.dashboard.tool_actions import PAGE_ACTIONS
from gateway.setting_meanings import MEANINGS
from gateway.store.schema import metadata
from gateway.tools import Services
from gateway.tools.server import build_mcp
from gateway.variables import VARIABLES
from gateway.version import read_version
from supervisor.folders.metadata import Metadata

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "docs/servers", "deploy", "fixed-servers", "dynamic_servers")
    for path in (CHECKOUT / folder).glob("*.md")
)
UNWANTED = re.compile(
    r"/(?:root|home/\w+|work)/(?!\.)\w"  # somebody's machine
    r"|(?:https?|file)://\S*(?:/simple\b|/packages/[0-9a-f]{2}/)"
    r"|\b(?:pypi|registry|pythonhosted)\.\w+\.?\w*/"
)
MEANT = {
    "tests/sandboxes",  # paths that a sandbox must hide
}


def table(document: Path, *, first: str) -> list[list[str]]:
    """Return the cells of the table whose first heading is `first`."""
    rows: list[list[str]] = []
    for line in document.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith(f"| {first} |"):
            rows = [cells]
        elif rows and line.startswith("|"):
            rows.append(cells)
        elif rows:
            break
    return rows[2:]


def test_the_readme_lists_every_setting_as_the_code_has_it() -> None:
    """Issue 2, point 3."""
    expected = [
        [
            f"`{variable.name}`",
            variable.accepts + (" (secret)" if variable.secret else ""),
            f"`{variable.default}`" if variable.default else "",
        ]
        for variable in VARIABLES
    ]
    assert [row[:3] for row in table(CHECKOUT / "README.md", first="variable")] == expected


def test_the_readme_says_of_every_setting_what_its_page_says() -> None:
    """Issue 8: the page has no links."""
    rows = table(CHECKOUT / "README.md", first="variable")
    assert {row[0].strip("`"): _without_links(row[3]) for row in rows} == MEANINGS


def _without_links(text: str) -> str:
    bare = re.sub(r" \(\[[^\]]*\]\([^)]*\)\)", "", text)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", bare).replace("`", "")


def test_the_example_names_every_setting_with_its_default() -> None:
    """Ours: `.env.example` is copied, not read."""
    text = (CHECKOUT / ".env.example").read_text("utf-8")
    expected = [(variable.name, variable.default or "") for variable in VARIABLES]
    assert re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE) == expected


async def test_the_readme_lists_every_tool_with_its_arguments() -> None:
    """Issue 2, point 6: exact names and arguments."""
    # The tools are only listed, so nothing behind them is ever touched.
    tools = await build_mcp(MagicMock(spec=Services)).list_tools()
    expected = [f"`{call(tool.name, tool.parameters)}`" for tool in tools]
    assert [row[0] for row in table(CHECKOUT / "README.md", first="tool")] == expected


def test_the_readme_lists_every_command() -> None:
    """Ours: in the order in which `--help` has them."""
    commands = re.findall(r"^    ([a-z-]+)\s+\S", build_parser().format_help(), re.MULTILINE)
    assert [row[0] for row in table(CHECKOUT / "README.md", first="command")] == [
        f"`{command}`" for command in commands
    ]


async def test_every_management_tool_has_its_command_and_its_page_action() -> None:
    """Issue 8: what Claude can do from the chat, the owner can do from the shell.

    That pages lead to the actions is held by tests/dashboard/test_every_page.py.
    """
    # The tools are only listed, so nothing behind them is ever touched.
    tools = {tool.name for tool in await build_mcp(MagicMock(spec=Services)).list_tools()}
    assert COMMANDS.keys() == PAGE_ACTIONS.keys() == tools
    parser = build_parser()
    missing = [command for command in COMMANDS.values() if not exists(parser, command)]
    assert missing == []


def exists(parser: ArgumentParser, command: tuple[str, ...]) -> bool:
    """Tell whether the words of a command lead through the parser."""
    for word in command:
        if word.startswith("--"):
            if word not in parser._option_string_actions:
                return False
            continue
        found = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
        if not found or word not in found[0].choices:
            return False
        parser = found[0].choices[word]
    return "module" in parser._defaults or command[-1].startswith("--")


def call(name: str, schema: dict[str, Any]) -> str:
    """Return a tool as one would write its call: `list_runs(job_id?, limit?)`."""
    required = schema.get("required", ())
    arguments = (key if key in required else f"{key}?" for key in schema["properties"])
    return f"{name}({', '.join(arguments)})"


def test_every_member_of_metadata_is_documented() -> None:
    """Ours: the table in fixed-servers is where an author looks."""
    rows = table(CHECKOUT / "fixed-servers" / "README.md", first="member")
    assert [row[0] for row in rows] == [f"`{name}`" for name in Metadata.model_fields]


def test_every_table_has_a_bound() -> None:
    """Issue 7, 9: nothing grows without bound; a new table needs a rule and a line that says it."""
    rows = table(CHECKOUT / "docs" / "retention.md", first="table")
    assert sorted(row[0] for row in rows) == sorted(f"`{name}`" for name in metadata.tables)
    assert all(row[1] for row in rows)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Ours."""
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_architecture_names_only_files_that_exist() -> None:
    """Ours: a picture of the house, not of a plan."""
    text = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"\b(?:gateway|supervisor|sandboxes)(?:/\w+)*/(?:\w+\.py)?", text))
    assert [name for name in sorted(named) if not (CHECKOUT / name).exists()] == []


def test_the_version_is_stated_once() -> None:
    """Ours: `--version` and MCP's serverInfo say what pyproject.toml says."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    assert read_version() == project["version"]


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    """Ours: a clone works anywhere, with whatever registry its machine is set to."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("an archive does not know which files are tracked")
    listed = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, check=True).stdout
    found = [
        f"{name}: {match.group()}"
        for name in names.decode().split("\0")
        if name and not name.startswith(tuple(MEANT)) and (CHECKOUT / name).is_file()
        for match in UNWANTED.finditer((CHECKOUT / name).read_text("utf-8", errors="replace"))
    ]
    assert found == []
