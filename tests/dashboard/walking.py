"""Walks a dashboard as somebody without JavaScript would: from page to page by links."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from playwright.async_api import APIRequestContext
from quart import Quart
from werkzeug.exceptions import HTTPException

from gateway.dashboard.tool_actions import Action

MAX_PAGES_OF_A_RULE = 4
MAX_PAGES = 200


@dataclass
class Offered(HTMLParser):
    """What a page leads to: its links, and where its forms are sent."""

    page: str
    links: list[str] = field(default_factory=list[str])
    forms: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that leads somewhere; a form that is hidden leads nowhere."""
        given = dict(attrs)
        if tag == "a" and (target := given.get("href")):
            self.links.append(urljoin(self.page, target))
        if (
            tag == "form"
            and given.get("method") == "post"
            and "hidden" not in given
            and (target := given.get("action"))
        ):
            self.forms.append(urljoin(self.page, target))
        if tag == "button" and (target := given.get("formaction")):
            self.forms.append(urljoin(self.page, target))


@dataclass
class Walk:
    """What was found on the way."""

    actions: set[Action] = field(default_factory=set[Action])
    broken: dict[str, int] = field(default_factory=dict[str, int])
    """Pages that did not open, by address."""


async def walk(
    client: APIRequestContext, url: str, app: Quart, begin: Iterable[str], no_pages: set[str]
) -> Walk:
    """Follow links from `begin` on, a few pages of each rule; `no_pages` are not opened."""
    found, waiting, seen = Walk(), list(begin), set[str]()
    counts: dict[str, int] = {}
    while waiting and len(seen) < MAX_PAGES:
        path = waiting.pop(0)
        rule = _rule(app, path, "GET")
        if path in seen or counts.get(rule, 0) == MAX_PAGES_OF_A_RULE:
            continue
        counts[rule] = counts.get(rule, 0) + 1
        seen.add(path)
        answer = await client.get(f"{url}{path}")
        if answer.status != 200:
            found.broken[path] = answer.status
            continue
        offered = Offered(path)
        offered.feed(await answer.text())
        found.actions |= {Action("POST", _rule(app, each, "POST")) for each in offered.forms}
        for link in offered.links:
            if link.startswith("/") and (rule := _rule(app, link, "GET")):
                found.actions.add(Action("GET", rule))
                if rule not in no_pages:
                    waiting.append(link.partition("#")[0])
    return found


def _rule(app: Quart, path: str, method: str) -> str:
    """Return the rule of the router that an address is for; nothing for none."""
    adapter: Any = app.url_map.bind("localhost")
    try:
        rule, _ = adapter.match(path.partition("?")[0], method=method, return_rule=True)
    except HTTPException:
        return ""
    return str(rule.rule)
