"""`servers add`: from PyPI, npm, the registry and this machine; pinned, shown, and off."""

import json
import shutil

import pytest

from tests.catalog.conftest import NODE, PYTHON, Market
from tests.waiting import wait_until

TIME = {"now": "The time."}
DOCUMENT = {
    "name": "io.github.somebody/weather",
    "description": "Weather of today.",
    "version": "1.0.0",
    "packages": [
        {
            "registryType": "npm",
            "identifier": "node-toy",
            "version": "1.0.0",
            "transport": {"type": "stdio"},
            "environmentVariables": [{"name": "API_TOKEN", "isRequired": True, "isSecret": True}],
        }
    ],
}
PACKAGE = {"name": "node-toy", "version": "1.0.0", "bin": "main.mjs", "type": "module"}


def publish(market: Market) -> None:
    """Publish the first versions of both packages."""
    market.add_python("0.9", {})
    market.add_python("1.0", TIME)
    files = {"package.json": json.dumps(PACKAGE), "main.mjs": NODE}
    market.index.add_npm("node-toy", "1.0.0", files)


def test_a_package_is_pinned_and_shown_before_it_is_enabled(market: Market) -> None:
    """Issue 9, What 3: PyPI by version and digest, its policy first, off until it is enabled."""
    publish(market)
    added = market.add("--env", "KEY", "--name", "keyed", "pypi:toy", "--", "--zone", "UTC")
    folder = market.place.home / "added" / "keyed"
    assert added["source"] == "pypi:toy==1.0"
    assert (added["added"], added["enabled"], added["state"]) == (True, False, "disabled")
    assert (added["command"], added["packages"]) == (["toy-serve", "--zone", "UTC"], ["toy==1.0"])
    assert (added["network"], added["read_only"], added["read_write"]) == ("none", [], [])
    assert added["credentials"] == [{"key": "KEY", "required": True, "set": False}]
    assert (added["tools"], added["not_tried"]) == (None, "it needs KEY")
    locked = (folder / "requirements.txt").read_text("utf-8")
    assert locked.startswith("toy==1.0 \\\n    --hash=sha256:")
    assert market.index.url not in "".join(each.read_text("utf-8") for each in folder.iterdir())
    words = ("servers", "add", "--enable", "--yes", "pypi:toy", "--", "--zone", "UTC")
    shown = market.shell.text(*words)
    assert "  network   none\n" in shown and "  tool      now: The time.\n" in shown
    assert market.shell.text("tools", "call", "toy:now", "{}").strip() == "--zone UTC"
    again = market.add("pypi:toy==1.0", "--", "--zone", "UTC")
    assert (again["added"], again["enabled"], again["digest"]) == (False, True, added["digest"])
    other = market.shell("servers", "add", "--enable", "--yes", "pypi:toy")
    assert (other.status, "with other arguments than asked for" in other.err) == (1, True)


def test_a_server_of_the_registry_is_added_with_its_secrets_to_be_set(market: Market) -> None:
    """Issue 9, What 3: the registry's form, as its API wraps it up; npm's lock, and no script."""
    publish(market)
    wrapped = json.dumps({"server": DOCUMENT, "_meta": {}})
    text = market.shell.text("servers", "add", "-", given=wrapped)
    assert text.startswith("weather  npm:node-toy@1.0.0\n")
    assert (
        "  tools     unknown: it needs API_TOKEN\n./claude-runner credentials set weather" in text
    )
    folder = market.place.home / "added" / "weather"
    lock = json.loads((folder / "package-lock.json").read_text("utf-8"))
    (package,) = [each for name, each in lock["packages"].items() if name]
    assert package["integrity"].startswith("sha512-") and "resolved" not in package
    added = market.add("npm:node-toy")
    assert [each["name"] for each in added["tools"]] == ["check"]


def test_other_files_under_a_pinned_version_are_refused(market: Market) -> None:
    """Issue 9, What 3: by digest; a registry that was taken over brings nothing in."""
    publish(market)
    market.add("--name", "held", "npm:node-toy")
    files = {"package.json": json.dumps(PACKAGE), "main.mjs": "process.exit(0)"}
    market.index.add_npm("node-toy", "1.0.0", files)
    shutil.rmtree(market.place.home / "environments")
    said = market.shell("servers", "enable", "held")
    assert said.status == 1
    assert "a package is not what it was pinned to: the index has another file" in said.err
    market.shell.text("servers", "disable", "held")


def test_a_program_of_this_machine_is_pinned_to_its_files(market: Market) -> None:
    """Issue 9, What 3: a command; it may read the folder of its file and nothing else."""
    scripts = market.place.folder / "scripts"
    scripts.mkdir()
    script = scripts / "server.py"
    script.write_text(PYTHON.format(tools=TIME) + "main()\n", encoding="utf-8")
    added = market.add("--name", "local", "--network", "api.example.com", "python3", str(script))
    assert added["read_only"] == [str(scripts)]
    assert (added["network"], added["packages"]) == ("api.example.com", [])
    assert [each["name"] for each in added["tools"]] == ["now"]
    assert added["digest"].startswith("sha256:")
    market.shell.text("credentials", "set", "local", "KEY", given="hush-hush\n")
    market.shell.text("servers", "remove", "local", "--yes")
    assert not (market.place.home / "added" / "local").exists()
    assert market.shell.json("credentials", "list")["removed"] == []


def test_a_name_under_which_secrets_were_left_is_refused(market: Market) -> None:
    """Ours: what was meant for a former server goes to no other one silently."""
    words = ("--name", "former", "true")
    market.add(*words)
    market.shell.text("credentials", "set", "former", "KEY", given="hush-hush\n")
    shutil.rmtree(market.place.home / "added" / "former")
    wait_until(lambda: market.shell.json("credentials", "list")["removed"])
    refused = market.shell("servers", "add", *words)
    assert (refused.status, "credentials delete former KEY" in refused.err) == (1, True)
    market.shell.text("credentials", "delete", "former", "KEY", "--yes")
    market.add(*words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--name", "odd", "pypi:toy==9"), "toy==9"),
        (("pypi:absent",), "absent was not found"),
        (("npm:absent",), "404 Not Found"),
        (("--name", "all", "pypi:toy"), "'all' is reserved"),
        (("--name", "UPPER", "pypi:toy"), "'UPPER' is not allowed"),
        (("--network", "10.0.0.1,", "--name", "odd", "pypi:toy"), "10.0.0.1"),
        (("--program", "other", "--name", "odd", "pypi:bare"), "brings no program"),
        (("toy-serve",), "a package is written pypi:NAME or npm:NAME"),
        (("sh", "run.sh"), "starts a shell"),
        (("--env", "LD_PRELOAD", "--name", "odd", "pypi:toy"), "LD_PRELOAD"),
        (("nothing.json",), "nothing.json cannot be read"),
        (("pypi:",), "names no package"),
    ],
)
def test_what_cannot_be_added_leaves_nothing_behind(
    market: Market, words: tuple[str, ...], sentence: str
) -> None:
    """Issue 9, What 3: one sentence says why."""
    publish(market)
    market.index.add_wheel("bare", "1.0", {"bare.py": ""})
    folder = market.place.home / "added"
    before = sorted(each.name for each in folder.iterdir() if each.name != ".next")
    said = market.shell("servers", "add", *words)
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert sentence in said.err
    assert sorted(each.name for each in folder.iterdir() if each.name != ".next") == before
    assert not list((market.place.home / "environments").glob("lock-*"))
    next_ones = folder / ".next"
    assert not next_ones.exists() or not list(next_ones.iterdir())
