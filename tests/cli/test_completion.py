"""`completion` and the picture of `status --watch`, for which no gateway is needed."""

import io
import re
import shutil
import subprocess
from argparse import (
    ArgumentParser,
    _SubParsersAction,  # pyright: ignore[reportPrivateUsage] - the only way to walk a parser
)
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli.exits import Exit
from gateway.cli.parser import EPILOG, build_parser
from gateway.cli.status_watch import picture
from gateway.variables import CHECKOUT
from tests.cli.gateways import make_place
from tests.cli.shell import Shell

SERVER = {
    "name": "mailer",
    "kind": "dynamic",
    "state": "ready",
    "level": "strong",
    "network": "none",
    "hosts": [],
    "refused_hosts": [],
    "packages": [],
    "rejected": None,
    "restarting": False,
    "quarantined_tools": [],
    "start": "warm",
    "generation": 3,
    "pid": 7,
    "calls": 5,
    "errors": 0,
    "cpu_percent": 1.25,
    "private_bytes": None,
    "p95_ms": None,
    "reason": "",
}
STATUS = {
    "version": "1",
    "url": "http://127.0.0.1:1",
    "pid": 5,
    "http_server": "hypercorn",
    "public": None,
    "tunnel": None,
    "notice": "",
}


def test_bash_completes_commands_and_actions(tmp_path: Path) -> None:
    """Issue 8, What 2: the script alone does it, without a start of the program."""
    script = Shell(make_place(tmp_path)).text("completion", "bash")
    file = tmp_path / "script"
    file.write_text(script, "utf-8")
    tried = (
        f"source {file}; COMP_WORDS=(claude-runner jobs pau); COMP_CWORD=2;"
        ' _shtab_claude_runner; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["/bin/bash", "-c", tried], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["pause"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_that_they_can_read(tmp_path: Path, shell: str) -> None:
    """Ours: read without being run, where the shell is on this machine."""
    script = Shell(make_place(tmp_path)).text("completion", shell)
    assert "rollback" in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, encoding="utf-8", check=True)


def test_the_live_table_shows_what_is_not_well_and_a_lost_gateway() -> None:
    """Issue 8, What 2: others' words are text, not markup."""
    sick = {**SERVER, "name": "sad", "state": "failed", "reason": "[bold]died[/bold]"}
    answer = {**STATUS, "servers": [SERVER, sick]}
    console = Console(file=io.StringIO(), width=200)
    console.print(picture(answer, "it does not answer", console.width))
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[0] == "DISCONNECTED: it does not answer"
    assert re.match(r"mailer +dynamic +ready +strong +none +warm +3 +7 +5 +0 +1\.2", lines[4])
    assert lines[5].endswith("[bold]died[/bold]")


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_never_cuts_names_and_states(width: int) -> None:
    """Issue 8, What 2: what has no room in a narrow terminal is left out as a whole."""
    name, reason = "the-server-of-reports", "it died three times in a row and waits for its turn"
    sick = {**SERVER, "name": name, "state": "quarantined", "pid": 4194304, "reason": reason}
    console = Console(file=io.StringIO(), width=width)
    console.print(picture({**STATUS, "servers": [sick]}, None, width))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert re.search(rf"^{name} .*\bquarantined\b", text, re.MULTILINE)
    assert ("4194304" in text) is (width == 120)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert all(len(line) <= width for line in text.splitlines())


def without_json(parser: ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the commands that have no `--json`."""
    groups = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    if not groups and "--json" not in parser._option_string_actions:
        yield " ".join(words)
    for group in groups:
        for name, command in group.choices.items():
            yield from without_json(command, (*words, name))


def test_every_command_that_answers_can_answer_in_json() -> None:
    """Issue 8, What 2: the others have a form of their own, or no answer."""
    assert set(without_json(build_parser())) == {
        "serve",
        "stdio",
        "demo",
        "call",  # JSON anyway
        "config",  # a client's file, which is JSON
        "client rotate",  # lines for .env
        "dashboard password",
        "tunnel install",
        "runs download",
        "runs export",  # lines of JSON, or CSV
        "completion",
    }


def test_every_exit_status_is_documented() -> None:
    """Issue 8, What 2: in `--help` and in docs/command-line.md."""
    text = (CHECKOUT / "docs" / "command-line.md").read_text("utf-8")
    numbers = [str(status.value) for status in Exit]
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == numbers
    assert re.findall(r"^  (\d+) ", EPILOG, re.MULTILINE) == numbers
