"""The page on which the owner has a prompt run now."""

import html
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quart import typing as quart_typing

from gateway.domain.run import Trigger
from gateway.jobs.quick_runs import QuickRuns
from gateway.quick_run.pages import QuickRunPages
from gateway.settings import load
from gateway.store import Store
from tests.dashboard.parts import Shown, send, sign_in
from tests.webhooks.parts import open_door

PATH = "/quick-run"
LIVE = {"notes": ["add", "list"]}
FIELDS = {
    "prompt": "Say hello.",
    "which": "all",
    "others": "",
    "servers": "",
    "model": "",
    "budget_usd": "0.5",
    "timeout_s": "60",
    "max_turns": "0",
    "network": "",
    "system_prompt": "",
    "output_schema": "",
}
HOSTILE = "</textarea><img src=x onerror=alert(1)>"


class Stage:
    """The owner's client, and the store of what it starts."""

    def __init__(self, owner: quart_typing.TestClientProtocol, store: Store) -> None:
        self.owner = owner
        self.store = store

    async def start(self, **changes: str) -> Any:
        """Send the form with these changes."""
        return await send(self.owner, PATH, {**FIELDS, **changes}, page=PATH)

    async def page(self, query: str = "") -> str:
        """Return the page."""
        return await (await self.owner.get(f"{PATH}{query}")).get_data(as_text=True)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One store for all tests here; its runner executes nothing."""
    home: Path = tmp_path_factory.mktemp("quick")
    settings = load({"CLAUDE_RUNNER_HOME": str(home)}, None)
    async with open_door(home) as door:
        quick = QuickRuns(settings, door.runner, lambda: LIVE)
        shown = Shown(
            further=lambda browser: (
                QuickRunPages(browser, settings, door.store, quick, lambda: LIVE).blueprint(),
            )
        )
        yield Stage(await sign_in(shown), door.store)


async def test_a_prompt_runs_with_all_tools_or_with_the_chosen_ones(stage: Stage) -> None:
    """Issue 7, 7: all by default; it leads to the run's page."""
    for changes, tools in (
        ({}, ()),
        (
            {"which": "some", "tool": "mcp__notes__add", "others": "Read"},
            ("mcp__notes__add", "Read"),
        ),
    ):
        answer = await stage.start(**changes)
        path = answer.headers["Location"]
        assert path.startswith("/runs/run_")
        run = await stage.store.runs.get(path.rpartition("/")[2])
        assert run is not None
        assert (run.trigger, run.tools, run.budget_micro_usd) == ("quick", tools, 500_000)
        assert (run.timeout_s, run.max_turns) == (60.0, None)


async def test_what_is_wrong_is_said_at_its_field_and_starts_nothing(stage: Stage) -> None:
    """Issue 8, 1: the refusals of run_prompt; what was typed stays."""
    count = len(await stage.store.runs.list(limit=1000))
    for wrong, field, sentence in (
        ({"prompt": " "}, "prompt", "Please fill this in."),
        ({"which": "some"}, "others", "Choose a tool, or all of them."),
        ({"tool": "mcp__notes__add"}, "others", "All tools are chosen above"),
        ({"others": "Read"}, "others", "All tools are chosen above"),
        ({"servers": "no/thing"}, "servers", ""),
        ({"which": "some", "others": "rm -rf"}, "others", "'rm -rf' is not a tool name"),
        ({"timeout_s": "0"}, "timeout_s", "This should be greater than or equal to 1."),
        ({"max_turns": "1.5"}, "max_turns", "Please give a whole number."),
        ({"model": "unheard-of"}, "model", "The price of model 'unheard-of' is not known"),
        ({"network": "10.0.0.1 x"}, "network", "The network is wrong"),
        ({"output_schema": "[1]"}, "output_schema", "This should be a JSON object."),
        ({"output_schema": '{"type": "string"}'}, "output_schema", "The argument output_schema"),
    ):
        answer = await stage.start(**wrong)
        page = html.unescape(await answer.get_data(as_text=True))
        assert answer.status_code == 422
        assert f'id="error-{field}">{sentence}' in page, (wrong, page)
    assert len(await stage.store.runs.list(limit=1000)) == count


async def test_an_earlier_prompt_is_asked_again(stage: Stage) -> None:
    """Issue 7, 7: with all that it was held to, each prompt once; hostile text stays text."""
    wish = {
        "prompt": HOSTILE,
        "which": "some",
        "tool": "Read",
        "servers": "notes mail",
        "network": "none",
        "budget_usd": "1234.567891",
    }
    await stage.start(**wish)
    answer = await stage.start(**wish)
    run_id = answer.headers["Location"].rpartition("/")[2]
    page = await stage.page()
    assert "<img" not in page
    assert html.unescape(page).count(HOSTILE) == 1
    assert f"?like={run_id}" in page
    again = await stage.page(f"?like={run_id}")
    assert "<img" not in again
    assert html.unescape(again).count(HOSTILE) == 2
    assert 'value="none"' in again
    assert again.count(" checked") == 2
    for kept in ("notes mail", "1234.567891"):
        assert f'value="{kept}"' in again
    assert (await stage.owner.get(f"{PATH}?like=run_none")).status_code == 404


async def test_only_a_quick_run_is_asked_again(stage: Stage) -> None:
    """Ours: a webhook's run without tools has none, where a quick run would have all."""
    run_id = (await stage.start()).headers["Location"].rpartition("/")[2]
    run = await stage.store.runs.get(run_id)
    assert run is not None
    other = replace(run, id="run_of_a_webhook", trigger=Trigger.WEBHOOK)
    await stage.store.runs.add(other)
    assert (await stage.owner.get(f"{PATH}?like={other.id}")).status_code == 404
