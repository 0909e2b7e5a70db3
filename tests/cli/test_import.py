"""`import` and `export`: other clients' files, and servers of the registry."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.importing.plans import CannotImport
from gateway.importing.registry import registry_program
from gateway.server_names import SHIPPED
from gateway.servers.removal import SHIPPED_DIR, check_owners
from supervisor.errors import InvalidServer
from supervisor.folders.catalog import read_server
from supervisor.spec import ServerKind
from tests.cli.gateways import make_place
from tests.cli.shell import Shell
from tests.toolchain import Toolchain

REGISTRY: dict[str, Any] = {
    "name": "io.github.somebody/weather-mcp",
    "description": "Weather of today.",
    "version": "1.2.0",
    "packages": [
        {"registryType": "oci", "identifier": "somebody/weather", "version": "1.2.0"},
        {
            "registryType": "npm",
            "identifier": "@somebody/weather",
            "version": "1.2.0",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "named", "name": "--units", "value": "metric"}],
            "environmentVariables": [
                {"name": "API_TOKEN", "description": "Of weather.example", "isRequired": True,
                 "isSecret": True},
                {"name": "LOG_LEVEL", "default": "info"},
            ],
        },
    ],
}  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A home that no gateway holds."""
    return Shell(make_place(tmp_path))


def planned(shell: Shell, document: object, *options: str) -> Any:
    """Return what an import of this document would make."""
    file = shell.write("given.json", json.dumps(document))
    return shell.json("import", file, "--dry-run", *options)


def refusal(shell: Shell, entry: object) -> str:
    """Return why an entry is not imported."""
    file = shell.write("given.json", json.dumps({"mcpServers": {"odd": entry}}))
    said = shell("import", file, "--yes")
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 2)
    assert not any((shell.place.folder / "fixed").iterdir())
    return said.err.splitlines()[0]


def test_forms_of_all_clients_are_understood(shell: Shell) -> None:
    """Issue 8, What 3: Claude Desktop, Claude Code with its projects, VS Code, Cursor."""
    npx = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory@2025.1.1"]}
    uvx = {"type": "stdio", "command": "uvx", "args": ["--from", "tools[http]==1.0", "serve", "-v"]}
    asked = {"command": "uvx", "args": ["mcp-server-git"], "env": {"GIT_TOKEN": "${input:token}"}}
    for document in (
        {"mcpServers": {"memory": npx, "tools": uvx, "git": asked}},
        {"servers": {"memory": npx, "tools": uvx, "git": asked}, "inputs": []},
        {"mcpServers": {"memory": npx}, "projects": {"/x": {"mcpServers": {"tools": uvx,
         "git": asked}}}},
    ):  # fmt: skip
        made = planned(shell, document)
        memory, tools, git = made["servers"]
        assert memory["command"] == ["node", "./start.mjs"]
        assert memory["packages"] == ["@modelcontextprotocol/server-memory@2025.1.1"]
        assert (tools["command"], tools["packages"]) == (["serve", "-v"], ["tools[http]==1.0"])
        assert (git["credentials"], git["set"]) == (["GIT_TOKEN"], [])
        assert {each["network"] for each in made["servers"]} == {"none"}
    assert list((shell.place.folder / "fixed").iterdir()) == []


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"url": "https://mcp.example.com/mcp", "headers": {}}, "is reached at an address"),
        ({"type": "sse", "command": "x"}, "is reached at an address"),
        ({"command": "docker", "args": ["run", "x"]}, "starts a container"),
        ({"command": "bash", "args": ["-c", "x"]}, "starts a shell"),
        ({"command": "/opt/claude-runner/claude-runner"}, "starts this program itself"),
        ({"command": "uvx", "args": ["a", "--api-key", "abc"]}, "a secret among its arguments"),
        ({"command": "npx", "args": ["--prefix", "/x", "y"]}, "options that are not understood"),
        ({"command": "npx", "args": ["-y", "../x"]}, "is no package of npm"),
        ({"command": "uvx", "args": ["git+https://x/y"]}, "is no package of PyPI"),
        ({"command": "x", "args": ["postgresql://me:pw@host/db"]}, "a password in an address"),
        ({"command": "x", "args": ["--db=postgresql://:pw@host"]}, "a password in an address"),
        ({"command": "x", "args": ["-dredis://:pw@[host"]}, "a password in an address"),
        ({"command": "x", "args": ["--dir", "${workspaceFolder}"]}, "only its client fills in"),
        ({"command": "no-such-program-here"}, "is not on this machine"),
        ({"args": []}, "names no command"),
    ],
)
def test_an_entry_that_cannot_be_a_server_is_one_sentence(
    shell: Shell, entry: object, sentence: str
) -> None:
    """Issue 8, What 3: forms that are not stdio are refused; nothing is written."""
    assert sentence in refusal(shell, entry)


def test_nothing_is_given_the_home_or_the_master_key_to_read(shell: Shell) -> None:
    """Ours: neither as the folder of a program nor as an argument, from above and from within."""
    program = shell.write("run.sh", "#!/bin/sh\n")
    within = shell.write("home/inner/run.sh", "#!/bin/sh\n")
    for path in (program, within):
        path.chmod(0o755)
    for entry in (
        {"command": str(program)},
        {"command": str(within)},
        {"command": "uvx", "args": ["a", str(within)]},
        {"command": "uvx", "args": ["a", str(shell.place.folder)]},
    ):
        assert "this gateway's home or master key is" in refusal(shell, entry)


def test_entries_of_one_name_and_options_of_the_program_are_not_lost(shell: Shell) -> None:
    """Ours: the second of two that differ is refused; -y behind the package is the program's."""
    npx = {"command": "npx", "args": ["-y", "a@1.0.0", "-q", "-y"]}
    other = {"command": "npx", "args": ["b"]}
    projects = {"/x": {"mcpServers": {"one": npx}}, "/y": {"mcpServers": {"one": other}}}
    made = planned(shell, {"mcpServers": {"one": npx}, "projects": projects})
    assert [each["command"] for each in made["servers"]] == [["node", "./start.mjs", "-q", "-y"]]
    (sentence,) = made["refused"]
    assert "more than once" in sentence


def test_comments_and_last_commas_are_read_and_mistakes_are_placed(shell: Shell) -> None:
    """Issue 8: VS Code writes its mcp.json so; what looks so within a text is text."""
    text = r"""// Mine.
    {"servers": { /* one
      of them */ "one": {"command": "uvx", "args": ["a==1", "/* http://x,] */", "\\",],},}, }
    """
    shell.write("mcp.json", text)
    (made,) = shell.json("import", shell.place.folder / "mcp.json", "--dry-run")["servers"]
    assert made["command"] == ["a", "/* http://x,] */", "\\"]
    shell.write("mcp.json", text.replace('"one":', '"one"'))
    refused = shell("import", shell.place.folder / "mcp.json", "--dry-run")
    assert (refused.status, "line 3 column 24" in refused.err) == (1, True), refused.err


def test_entries_are_named_as_in_the_file_or_as_shown(shell: Shell) -> None:
    """Issue 8: `--name` takes what the preview says; a name of nobody brings those that are."""
    uvx = {"command": "uvx", "args": ["a"]}
    document = {"mcpServers": {"Weather App": uvx, "other": uvx}}
    for name in ("Weather App", "weather-app"):
        (made,) = planned(shell, document, "--name", name)["servers"]
        assert (made["name"], made["origin"]) == ("weather-app", "Weather App")
    refused = shell("import", shell.place.folder / "given.json", "--dry-run", "--name", "wether")
    assert refused.status == 1
    assert "named 'wether'; there are: Weather App, other, weather-app." in refused.err


def test_a_program_of_ones_own_is_exported_as_it_is(shell: Shell) -> None:
    """Ours: it may be called as ours are and need no package."""
    metadata = shell.write("fixed/own/metadata.json", '{"command": ["node", "./start.mjs", "-v"]}')
    exported = json.loads(shell.text("export"))["mcpServers"]["own"]
    assert exported == {"command": "node", "args": [str(metadata.with_name("start.mjs")), "-v"]}


def test_a_server_of_the_registry_is_imported(shell: Shell) -> None:
    """Issue 8, What 3: package, version, plain variables, secrets to be set."""
    file = shell.write("server.json", json.dumps(REGISTRY))
    said = shell.text("import", file, "--network", "api.weather.example", "--yes")
    assert "secret    API_TOKEN (to be set)" in said
    assert "variable  LOG_LEVEL=info" in said
    assert "./claude-runner credentials set weather-mcp API_TOKEN" in said
    folder = shell.place.folder / "fixed" / "weather-mcp"
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    assert metadata == {
        "description": "Weather of today.",
        "command": ["node", "./start.mjs", "--units", "metric"],
        "environment": {"LOG_LEVEL": "info"},
        "credentials": [
            {"key": "API_TOKEN", "required": True, "description": "Of weather.example"},
        ],
        "network": {"hosts": ["api.weather.example"]},
        "enabled": False,
    }  # fmt: skip
    package = json.loads((folder / "package.json").read_text("utf-8"))
    assert package["dependencies"] == {"@somebody/weather": "1.2.0"}
    exported = json.loads(shell.text("export"))["mcpServers"]["weather-mcp"]
    assert exported == {
        "command": "npx",
        "args": ["-y", "@somebody/weather@1.2.0", "--units", "metric"],
        "env": {"LOG_LEVEL": "info", "API_TOKEN": "${API_TOKEN}"},
    }


WITH_VARIABLE = {
    "type": "positional",
    "value": "--where={place}/{other}",
    "variables": {"place": {"default": "Lisbon"}},
}


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("packageArguments", [WITH_VARIABLE], ""),
        ("runtimeArguments", [{"type": "positional", "value": "-y"}], ""),
        (
            "packageArguments",
            [{**WITH_VARIABLE, "variables": {"place": {"isSecret": True}}}],
            "needs 'place' in its arguments, which only you know",
        ),
        (
            "runtimeArguments",
            [{"type": "named", "name": "--inspect"}],
            "wants its runtime to be told '--inspect', which is not passed on here",
        ),
        ("fileSha256", "ab" * 32, "names the digest of a file"),
    ],
)
def test_what_a_package_asks_for_is_kept_or_refused(member: str, value: object, said: str) -> None:
    """Registry, server.json: variables are filled in; nothing that matters is left out silently."""
    *others, package = REGISTRY["packages"]
    document = {**REGISTRY, "packages": [*others, {**package, member: value}]}
    if said:
        with pytest.raises(CannotImport, match=re.escape(said)):
            registry_program(document)
        return
    arguments = registry_program(document).arguments
    assert ("--where=Lisbon/{other}" in arguments) is (value == [WITH_VARIABLE])


@pytest.mark.parametrize("level", [".", ".."], ids=["copied", "strong"])
def test_a_package_is_found_where_its_sandbox_level_shows_it(
    shell: Shell, toolchain: Toolchain, level: str
) -> None:
    """Ours: beside the program that starts it, or in the folder above."""
    entry = {"command": "npx", "args": ["-y", "@somebody/weather@1.0.0", "--units", "metric"]}
    file = shell.write("given.json", json.dumps({"mcpServers": {"weather": entry}}))
    shell.text("import", file, "--yes")
    folder = shell.place.folder / "fixed" / "weather"
    package = folder / level / "node_modules" / "@somebody" / "weather"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"bin": {"weather": "./go.js"}}', "utf-8")
    (package / "go.js").write_text("console.log(process.argv.slice(2).join())", "utf-8")
    command = [toolchain.node, folder / "start.mjs", "--units", "metric"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("--units,metric\n", "")


def test_secrets_are_sealed_without_a_gateway_and_names_that_steer_are_left_out(
    shell: Shell,
) -> None:
    """Ours: `env` goes into the store alone; PATH and its like do not go anywhere."""
    folder = shell.write("notes/a.txt", "x").parent
    entry = {
        "command": "uvx",
        "args": ["mcp-server-notes==1.0", str(folder)],
        "env": {"NOTES_KEY": "hush-hush", "PATH": "/evil", "LD_PRELOAD": "/evil"},
    }
    file = shell.write("given.json", json.dumps({"mcpServers": {"Notes!": entry}}))
    made = shell.json("import", file, "--yes")
    (server,) = made["servers"]
    assert (server["name"], server["set"]) == ("notes", ["NOTES_KEY"])
    assert server["read_only"] == [str(folder)]
    assert len(server["notes"]) == 2
    fixed = shell.place.folder / "fixed" / "notes"
    assert sorted(path.name for path in fixed.iterdir()) == ["metadata.json", "requirements.txt"]
    assert not any(b"hush" in path.read_bytes() for path in fixed.iterdir())
    assert shell.text("key", "show").splitlines()[-1] == "seals       1 value"
    exported = json.loads(shell.text("export", "--server", "notes"))["mcpServers"]["notes"]
    shutil.rmtree(fixed)
    other = {"command": "true", "env": {"NOTES_KEY": "${input:key}"}}
    file = shell.write("given.json", json.dumps({"servers": {"Notes": other}}))
    refused = shell("import", file, "--yes")
    assert (refused.status, fixed.exists()) == (1, False)
    assert "./claude-runner credentials delete notes NOTES_KEY" in refused.err
    kept = shell.text("import", file, "--yes", "--keep-credentials")
    assert "secret    NOTES_KEY (of the former server)" in kept
    assert "credentials set" not in kept
    assert exported["args"][:2] == ["--from", "mcp-server-notes==1.0"]
    assert exported["env"] == {"NOTES_KEY": "${NOTES_KEY}"}


def test_a_shipped_server_is_disabled_and_not_removed() -> None:
    """Ours: the next update would bring it back; the sentence says which they are."""
    folders = [folder for folder in SHIPPED_DIR.iterdir() if (folder / "metadata.json").is_file()]
    assert {folder.name for folder in folders} <= set(SHIPPED)
    for folder in folders:
        spec = read_server(folder, ServerKind.FIXED)
        with pytest.raises(InvalidServer, match=f"servers disable {spec.name}"):
            check_owners(spec)
        # Whoever has one of this name elsewhere has his own.
        check_owners(replace(spec, code_dir=Path("/srv/mine") / spec.name))


def test_the_name_of_an_added_server_is_taken(shell: Shell) -> None:
    """Ours: the secrets of an entry go to no server of `servers add` that has its name."""
    (shell.place.home / "added" / "weather-mcp").mkdir(parents=True)
    file = shell.write("given.json", json.dumps(REGISTRY))
    said = shell("import", file, "--yes")
    assert (said.status, "which is there already" in said.err) == (1, True)
