"""Examples in documents are executed: by a shell, by the supervisor, by whatever reads such a file.

A block names its language, and each language has its check here; what cannot be executed stands in
a table of given.py with its reason.
"""

import ast
import json
import re
import shlex
from collections.abc import Callable, Generator, Iterator
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import nodes

from gateway.budgets.price_file import read_price_file
from gateway.cli.parser import build_parser
from gateway.dashboard.live import Live
from gateway.domain.notice import Occasion, new_notice
from gateway.importing.entries import read_programs
from gateway.notify.posting import signed_body
from gateway.settings import load
from supervisor.folders.dependencies import read_recipe
from supervisor.folders.metadata import read_metadata
from tests.bootstrap import newcomer
from tests.cli.gateways import make_place
from tests.dashboard.parts import Shown
from tests.documents.fences import CHECKOUT, Block, all_blocks
from tests.documents.given import (
    ANSWER_OF_THE_BLOCK_ABOVE,
    BEFORE,
    CHECKED_ELSEWHERE,
    FILES,
    INSTEAD,
    NOT_TYPED,
    NOTICE,
    PROGRAMS,
)
from tests.documents.typing_shell import Typist, typist

pytestmark = pytest.mark.timeout(120)

BLOCKS = all_blocks()
TYPED_BY_A_NEWCOMER = newcomer.blocks(CHECKOUT / "README.md")
"""By tests/bootstrap/test_fresh_machine.py, in the order of the README."""
HERE = [block for block in BLOCKS if newcomer.without_test(block.text) not in TYPED_BY_A_NEWCOMER]
END_OF_COMMAND = frozenset("|<>&;") | {"||", "&&", ">>"}
"""What the shell reads, and the command line does not."""
SCRIPT_BLOCK = "# /// script"
"""PEP 723."""


@pytest.fixture(scope="module")
def typing(tmp_path_factory: pytest.TempPathFactory) -> Generator[Typist]:
    """A shell beside one gateway for all examples."""
    place = make_place(tmp_path_factory.mktemp("documents"))
    for name, text in FILES.items():
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for shipped in (CHECKOUT / "fixed-servers").glob("*/"):
        (place.folder / "fixed" / shipped.name).symlink_to(shipped)
    with (
        place.gateway(SANDBOX="off", CODE_CHANGES="approve"),
        typist(place.folder, place.env()) as ready,
    ):
        yield ready


def commands_of(block: Block) -> Iterator[str]:
    """Yield the command lines of a block without what the shell leaves out."""
    for line in block.text.replace("\\\n", "").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            # Shells begin a comment after a space.
            yield re.split(r"\s+#\s", f"{line} ", maxsplit=1)[0].strip()


def parse(command: str) -> None:
    """Hold a line to the parser of the command line, if it is one of ours."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    program, *words = takewhile(lambda word: word not in END_OF_COMMAND, lexer)
    if program == "./claude-runner":
        build_parser().parse_args(words)


def found_for(block: Block, table: dict[str, str]) -> str:
    """Return what a table has for a block."""
    return next((value for key, value in table.items() if block.key.startswith(key)), "")


def type_shell(block: Block, typing: Typist, _: Path) -> str:
    """Type what can be typed, hold the rest to the parser; return what was printed."""
    script = [found_for(block, BEFORE)]
    for command in commands_of(block):
        program = shlex.split(command)[0]
        if command in NOT_TYPED:
            parse(command)
        else:
            assert program in PROGRAMS, f"{command!r} needs a line in NOT_TYPED of given.py"
            for said, meant in INSTEAD.get(block.document, {}).items():
                command = command.replace(said, meant)
            script.append(command)
    return typing.type("\n".join(script))


def run_python(block: Block, typing: Typist, folder: Path) -> None:
    """Start what is a server, read what declares packages, call what is a call of a tool."""
    tree = ast.parse(block.text)
    if "FastMCP(" in block.text:
        made = typing.folder / "example"
        made.mkdir()
        (made / "server.py").write_text(block.text, "utf-8")
        typing.type("./claude-runner servers create ./example")
        assert typing.json("./claude-runner servers tools example --json")
    elif block.text.startswith(SCRIPT_BLOCK):
        (folder / "server.py").write_text(f"{block.text}import httpx\n", "utf-8")
        assert read_recipe(folder, command=False, source_builds=False) is not None
    elif tool := called_tool(tree):
        name, arguments = tool
        typing.type(f"./claude-runner call {name} {shlex.quote(json.dumps(arguments))}")
    else:
        room = SimpleNamespace(_render_job=None)
        names = {"live": Live(lambda: 0.0), "self": room, "job_id": "job_a"}
        exec(compile(tree, block.key, "exec"), names)  # noqa: S102 - an example of ours


def called_tool(tree: ast.Module) -> tuple[str, dict[str, object]] | None:
    """Return tool and arguments of a block that is one call; None for any other."""
    match tree.body:
        case [ast.Expr(ast.Call(ast.Name(name), [], keywords))]:
            return name, {str(each.arg): ast.literal_eval(each.value) for each in keywords}
        case _:
            return None


def read_json(block: Block, typing: Typist, folder: Path) -> None:
    """Have whatever reads such a file read it."""
    said = json.loads(block.text)
    if "mcpServers" in said:
        given = folder / "given.json"
        given.write_text(block.text, "utf-8")
        programs, refused = read_programs(given)
        assert programs and not refused
        for each in programs:
            parse(shlex.join(["./claude-runner", *each.arguments]))
    elif block.key.startswith(NOTICE):
        told = json.loads(signed_body(new_notice(Occasion.RUN_FAILED, "", "", "", 0)))
        assert (told.keys(), told["data"].keys()) == (said.keys(), said["data"].keys())
    elif block.key.startswith(ANSWER_OF_THE_BLOCK_ABOVE):
        above = BLOCKS[BLOCKS.index(block) - 1]
        printed = type_shell(above, typing, folder)
        assert json.loads(printed.splitlines()[-1]).keys() == said.keys()
    else:
        (folder / "metadata.json").write_text(block.text, "utf-8")
        assert read_metadata(folder).command


def read_toml(block: Block, typing: Typist, folder: Path) -> None:
    """Have it read as a file of prices, the only TOML that a reader writes."""
    path = folder / "prices.toml"
    path.write_text(block.text, "utf-8")
    read_price_file(path)


def compile_template(block: Block, typing: Typist, folder: Path) -> None:
    """Compile it as a page of the dashboard; what it imports must be there."""
    templates = Shown().app.jinja_env
    assert templates.loader is not None
    templates.from_string(block.text)
    for taken in templates.parse(block.text).find_all(nodes.FromImport):
        assert isinstance(taken.template, nodes.Const)
        source, *_ = templates.loader.get_source(templates, taken.template.value)
        there = {each.name for each in templates.parse(source).find_all(nodes.Macro)}
        assert set(taken.names) <= there


def read_settings(block: Block, typing: Typist, folder: Path) -> None:
    """Have the gateway's settings read it."""
    path = folder / "given.env"
    path.write_text(block.text, "utf-8")
    load({}, path)


CHECKS: dict[str, Callable[[Block, Typist, Path], object]] = {
    "sh": type_shell,
    "python": run_python,
    "json": read_json,
    "toml": read_toml,
    "jinja": compile_template,
    "dotenv": read_settings,
}


def test_no_reason_and_no_preparation_is_for_an_example_that_is_gone() -> None:
    """Ours: the tables name what is there, and the README's commands all have a typist."""
    for table in (BEFORE, CHECKED_ELSEWHERE, (NOTICE, ANSWER_OF_THE_BLOCK_ABOVE)):
        assert [key for key in table if not any(each.key.startswith(key) for each in HERE)] == []
    typed = {command for block in HERE if block.language == "sh" for command in commands_of(block)}
    assert NOT_TYPED.keys() <= typed
    assert INSTEAD.keys() <= {block.document for block in HERE}
    assert len(BLOCKS) - len(HERE) == len(TYPED_BY_A_NEWCOMER)


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.key)
def test_an_example_of_a_document_does_what_it_says(
    block: Block, typing: Typist, tmp_path: Path
) -> None:
    """Issue 8, What 4."""
    if found_for(block, CHECKED_ELSEWHERE):
        return
    named = ", ".join(CHECKS)
    assert block.language in CHECKS, f"name one of {named}, or put it into CHECKED_ELSEWHERE"
    CHECKS[block.language](block, typing, tmp_path)
