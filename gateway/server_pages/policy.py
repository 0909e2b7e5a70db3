"""``/server/<name>/policy``: limits, hosts and life of a dynamic server, by a form."""

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus

from quart import Blueprint
from werkzeug.wrappers import Response

from gateway.dashboard.fields import WrongFields, read_values
from gateway.server_pages.desk import OWNER, REFUSALS, Desk, outcome_of
from gateway.server_pages.kept import Outcome
from gateway.server_pages.policy_form import LIFE_FIELDS, LIMIT_FIELDS, read_policy, values_of
from gateway.servers import Draft
from supervisor.spec import ServerKind

CHANGED = "Its metadata was changed meanwhile; nothing was saved. Load the page again to see it."


class PolicyPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/server/<name>/policy")(self.show_policy)
        pages.post("/server/<name>/policy")(self.save_policy)

    async def show_policy(self, name: str) -> str:
        """What it may do, as its metadata says."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        declared = await self._desk.servers.declared(name)
        return await self._page(name, values_of(declared), _digest(declared))

    async def save_policy(self, name: str) -> Response | tuple[str, HTTPStatus]:
        """Write what was asked for and load the server with it; say what became of it."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        values = await read_values()
        was = values.get("was", "")
        try:
            asked = read_policy(values)
            if was != _digest(await self._desk.servers.declared(name)):
                return await self._again(name, values, Outcome(ok=False, sentence=CHANGED))
            draft = Draft(declared=asked)
            report = await self._desk.servers.update(name, draft, author=OWNER)
        except WrongFields as wrong:
            outcome = Outcome(ok=False, sentence="Nothing was saved; see the fields.")
            return await self._again(name, values, outcome, wrong.problems)
        except REFUSALS as error:
            return await self._again(name, values, Outcome(ok=False, sentence=str(error)))
        if report.version is None and report.failure is None:
            outcome = Outcome(ok=True, sentence="The server runs exactly this already.")
        else:
            seen = report.snapshot
            done = (
                f"Saved as version {report.version}: generation {seen.generation} is {seen.state}."
            )
            outcome = outcome_of(report, done)
        return self._desk.back("servers.show_policy", outcome, name=name)

    async def _again(
        self,
        name: str,
        values: Mapping[str, str],
        outcome: Outcome,
        problems: Mapping[str, str] | None = None,
    ) -> tuple[str, HTTPStatus]:
        """Return the form with what was typed and was not taken over."""
        page = await self._page(
            name, values, values.get("was", ""), outcome=outcome, problems=problems or {}
        )
        return page, HTTPStatus.CONFLICT if problems is None else HTTPStatus.UNPROCESSABLE_ENTITY

    async def _page(self, name: str, values: Mapping[str, str], was: str, **shown: object) -> str:
        report = await self._desk.report(name)
        told: dict[str, object] = {"problems": {}, **shown}
        return await self._desk.page(
            "server_policy.html",
            report,
            values=values,
            was=was,
            limits=LIMIT_FIELDS,
            life=LIFE_FIELDS,
            **told,
        )


def _digest(declared: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
