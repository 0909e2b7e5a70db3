"""The forms that make, change and delete a webhook, and give it another secret."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from gateway.budgets.defaults import run_defaults
from gateway.dashboard.browser import Browser
from gateway.dashboard.fields import WrongFields, read_chosen, read_values
from gateway.dashboard.tool_choice import chosen_names, tool_choice
from gateway.domain.webhook import MissingPath
from gateway.settings import Settings
from gateway.tool_names import Live
from gateway.webhook_pages.form import (
    REFUSALS,
    SCHEMES,
    read_secret,
    read_webhook,
    values_of,
    values_of_new,
    wrong_field,
)
from gateway.webhook_pages.once import ShownOnce
from gateway.webhooks import Webhooks
from gateway.webhooks.desk import Told

MISSING = (
    (MissingPath.EMPTY.value, "empty: the placeholder becomes empty text"),
    (MissingPath.ERROR.value, "error: the delivery is refused with 422"),
)
ShowSecretForm = Callable[[str, Mapping[str, str]], Awaitable[str]]
"""Returns the page of a webhook again, with what is wrong with its form for the secret."""


class WritingPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        settings: Settings,
        webhooks: Webhooks,
        live: Callable[[], Live],
        once: ShownOnce,
        show: ShowSecretForm,
    ) -> None:
        self._browser = browser
        self._settings = settings
        self._desk = webhooks.desk
        self._live = live
        self._once = once
        self._show = show

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/webhooks/new")(self.blank)
        pages.post("/webhooks/new")(self.create)
        pages.get("/webhooks/<webhook_id>/edit")(self.edit)
        pages.post("/webhooks/<webhook_id>/edit")(self.save)
        pages.post("/webhooks/<webhook_id>/secret")(self.sign)
        pages.post("/webhooks/<webhook_id>/delete")(self.delete)

    async def blank(self) -> str:
        """The form for a new webhook."""
        return await self._form(values_of_new(run_defaults(self._settings)), ())

    async def create(self) -> Response | tuple[str, HTTPStatus]:
        """Make a webhook, or say what is wrong with it."""
        values, tools = await read_values(), await _tools()
        try:
            given, signing = read_webhook(values, tools), read_secret(values)
            told = await self._desk.create(given, signing.scheme, signing.secret)
        except WrongFields as wrong:
            return await self._again(values, tools, wrong)
        except REFUSALS as error:
            return await self._again(values, tools, wrong_field(error))
        return self._to(told)

    async def edit(self, webhook_id: str) -> str:
        """The form with the webhook as it is."""
        webhook = await self._desk.get(webhook_id)
        return await self._form(values_of(webhook), webhook.tools, webhook_id)

    async def save(self, webhook_id: str) -> Response | tuple[str, HTTPStatus]:
        """Change a webhook, or say what is wrong with the change."""
        await self._desk.get(webhook_id)
        values, tools = await read_values(), await _tools()
        try:
            told = await self._desk.change(webhook_id, read_webhook(values, tools))
        except WrongFields as wrong:
            return await self._again(values, tools, wrong, webhook_id)
        except REFUSALS as error:
            return await self._again(values, tools, wrong_field(error), webhook_id)
        return self._to(told)

    async def sign(self, webhook_id: str) -> Response | tuple[str, HTTPStatus]:
        """Have senders sign by another scheme, or with another secret."""
        await self._desk.get(webhook_id)
        try:
            form = read_secret(await read_values())
            told = await self._desk.sign_with(
                webhook_id, form.scheme, form.secret, overlap_s=form.overlap_s
            )
        except WrongFields as wrong:
            page = await self._show(webhook_id, wrong.problems)
            return page, HTTPStatus.UNPROCESSABLE_ENTITY
        except REFUSALS as error:
            page = await self._show(webhook_id, wrong_field(error).problems)
            return page, HTTPStatus.UNPROCESSABLE_ENTITY
        return self._to(told)

    async def delete(self, webhook_id: str) -> Response:
        """Delete a webhook for good."""
        await self._desk.delete(webhook_id)
        return redirect(url_for("webhooks.index"), HTTPStatus.SEE_OTHER)

    async def _again(
        self,
        values: Mapping[str, Any],
        tools: list[str],
        wrong: WrongFields,
        webhook_id: str | None = None,
    ) -> tuple[str, HTTPStatus]:
        page = await self._form(values, tools, webhook_id, wrong.problems)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY

    async def _form(
        self,
        values: Mapping[str, Any],
        tools: list[str] | tuple[str, ...],
        webhook_id: str | None = None,
        problems: Mapping[str, str] | None = None,
    ) -> str:
        return await render_template(
            "webhook_form.html",
            webhook_id=webhook_id,
            # What was typed into a secret's field is never sent back.
            values={name: value for name, value in values.items() if name != "secret"},
            choice_of_tools=tool_choice(self._live(), tools),
            problems=problems or {},
            schemes=SCHEMES,
            missing=MISSING,
        )

    def _to(self, told: Told) -> Response:
        """Lead to the webhook's page, which shows a fresh secret once."""
        webhook_id = told.webhook.id
        if told.secret is not None:
            self._once.put(self._browser.session_id(), webhook_id, told.secret)
        where = url_for("webhooks.show", webhook_id=webhook_id)
        return redirect(where, HTTPStatus.SEE_OTHER)


async def _tools() -> list[str]:
    return chosen_names(await read_chosen("tool"), (await read_values()).get("others", ""))
