"""Forms read by the same types as the arguments of tools; what is wrong is said at its field."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from quart import request
from werkzeug.datastructures import MultiDict

from gateway.domain.units import dollars

M = TypeVar("M", bound=BaseModel)


class WrongFields(Exception):
    """A form that cannot be taken: one sentence for each field that is wrong."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


async def read_values() -> dict[str, str]:
    """Return the fields of the request's form, with the line ends of a text file."""
    form = await _form()
    return {name: value.replace("\r\n", "\n") for name, value in form.items()}


async def read_chosen(name: str) -> list[str]:
    """Return what was ticked of the boxes of one name."""
    return (await _form()).getlist(name)


def check_fields(model: type[M], values: Mapping[str, object]) -> M:
    """Return the values as `model` has them. Raises WrongFields."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = {str(each["loc"][0]): _problem(each) for each in reversed(details)}
        raise WrongFields(problems) from None


def check_fields_and_tools(model: type[M], values: Mapping[str, object], tools: Sequence[str]) -> M:
    """Return the values as `model` has them, with the tools that were chosen.

    Raises WrongFields, which has what is wrong with a tool at the field of further tools.
    """
    try:
        return check_fields(model, {**values, "tools": list(tools)})
    except WrongFields as wrong:
        problems = dict(wrong.problems)
        if "tools" in problems:
            problems["others"] = problems.pop("tools")
        raise WrongFields(problems) from None


def split_words(text: object) -> object:
    """Return the words of a line; what is no text is left as it is."""
    return text.split() if isinstance(text, str) else text


def number(value: float) -> str:
    """Return a number as a field shows it, so that saving the field changes nothing."""
    return f"{value:.12g}"


def money(micro_usd: int | None) -> str:
    """Return an amount as a field shows it, in dollars; none is 0."""
    return number(dollars(micro_usd) or 0)


def network_text(words: str | Sequence[str]) -> str:
    """Return the network of a run as a field of `NetworkWords` shows it."""
    return words if isinstance(words, str) else " ".join(words)


def json_text(text: str | None) -> str:
    """Return stored JSON as a field of `JsonObject` shows it; none is empty."""
    return "" if text is None else json.dumps(json.loads(text), indent=2)


def _problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one field, without what was typed."""
    kind, message = detail["type"], detail["msg"]
    if kind in ("missing", "string_too_short"):
        return "Please fill this in."
    if kind in ("int_parsing", "float_parsing", "int_from_float"):
        return "Please give a number." if kind[0] == "f" else "Please give a whole number."
    _, _, expectation = message.partition(" should ")
    return f"This should {expectation}." if expectation else message


async def _form() -> MultiDict[str, str]:
    return cast("MultiDict[str, str]", await request.form)  # pyright: ignore[reportUnknownMemberType] - Quart leaves the dictionary's types open


def _read_object(text: object) -> Any:
    """Return the object that a field holds as JSON; an empty field is an empty object."""
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PydanticCustomError("json", "This is no JSON: {what}.", {"what": what}) from None
    if not isinstance(found, dict):
        raise PydanticCustomError("json", "This should be a JSON object.")
    return cast("object", found)


def _word_or_hosts(text: object) -> object:
    """Return a word as it is, hosts as a list, and nothing as not given."""
    words = text.split() if isinstance(text, str) else []
    if len(words) == 1 and "." not in words[0] and ":" not in words[0]:
        return words[0]
    return words or None


NetworkWords = Annotated[str | list[str] | None, BeforeValidator(_word_or_hosts)]
"""A line with the network of runs: a word, or hosts."""
JsonObject = Annotated[dict[str, Any], BeforeValidator(_read_object)]
"""A text area with an object as JSON."""
