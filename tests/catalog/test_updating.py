"""`servers outdated`, `update` and `rollback`: one transaction each, as any reload."""

from typing import Any

from tests.catalog.conftest import PYTHON, Market


def row(market: Market, server: str) -> Any:
    """Return what `servers outdated` says of one server."""
    listed = market.shell.json("servers", "outdated")["servers"]
    (found,) = [each for each in listed if each["server"] == server]
    return found


def tools(market: Market, server: str) -> list[str]:
    """Return the tools that a server shows now."""
    return [each["tool"] for each in market.shell.json("servers", "tools", server)]


def test_an_update_that_works_is_swapped_in_and_one_that_does_not_stays_out(
    market: Market,
) -> None:
    """Issue 9, What 3: outdated and update, the old serves when the new does not; and back."""
    market.add_code("3.0", PYTHON.format(tools={"first": ""}))
    market.add("--enable", "--yes", "--name", "moving", "pypi:toy==3.0")
    market.add_code("3.1", PYTHON.format(tools={"second": ""}))
    found = row(market, "moving")
    assert (found["kind"], found["package"], found["pinned"], found["newest"]) == (
        "pypi",
        "toy",
        "3.0",
        "3.1",
    )
    dry = market.shell.json("servers", "update", "moving", "--dry-run")["servers"]
    assert dry[0]["changes"] == ["toy 3.0 -> 3.1"] and "ok" not in dry[0]
    assert tools(market, "moving") == ["mcp__moving__first"]
    (done,) = market.shell.json("servers", "update", "moving")["servers"]
    assert (done["ok"], done["state"]) == (True, "ready")
    assert tools(market, "moving") == ["mcp__moving__second"]
    assert row(market, "moving")["changes"] == []
    market.add_code("3.2", "raise SystemExit('broken')\n")
    said = market.shell("servers", "update", "moving")
    assert said.status == 1 and "moving: stays as it was." in said.out
    assert tools(market, "moving") == ["mcp__moving__second"]
    assert row(market, "moving")["pinned"] == "3.1"
    market.shell.text("servers", "rollback", "moving")
    assert tools(market, "moving") == ["mcp__moving__first"]
    refused = market.shell("servers", "update", "moving", "--to", "9")
    assert refused.status == 1 and "toy==9" in refused.err
    market.shell.text("servers", "disable", "moving")


def test_a_program_whose_files_changed_is_outdated_until_it_is_pinned_again(
    market: Market,
) -> None:
    """Ours: what this machine's own updates change is seen."""
    folder = market.place.folder / "programs"
    folder.mkdir()
    script = folder / "server.py"
    script.write_text(PYTHON.format(tools={"now": ""}) + "main()\n", encoding="utf-8")
    market.add("--name", "own", "python3", str(script))
    assert row(market, "own")["changes"] == []
    script.write_text(PYTHON.format(tools={"then": ""}) + "main()\n", encoding="utf-8")
    assert row(market, "own")["changes"] == ["its files changed"]
    (done,) = market.shell.json("servers", "update", "own")["servers"]
    assert (done["ok"], done["enabled"]) == (True, False)
    assert row(market, "own")["changes"] == []
    both = market.shell("servers", "update", "own", "--all")
    assert (both.status, both.out) == (2, "")
