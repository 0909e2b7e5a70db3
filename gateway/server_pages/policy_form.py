"""What the form of a server's policy holds, and the members of metadata that it makes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from gateway.dashboard.fields import WrongFields
from supervisor.folders.metadata import Metadata
from supervisor.spec import Era, Instances, ReloadStrategy, StartTime

OWN_DEFAULT = ("", "as usual")


@dataclass(frozen=True, slots=True)
class PolicyField:
    """A member of `metadata.json`, or one of its limits, as a field."""

    name: str
    label: str
    hint: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """Pairs of a value and a word; empty: something is typed."""


def _words(kind: type[Instances | ReloadStrategy | StartTime | Era]) -> tuple[tuple[str, str], ...]:
    return (OWN_DEFAULT, *((each.value, each.value.replace("_", " ")) for each in kind))


LIMIT_FIELDS = (
    PolicyField("memory_mb", "Memory in MiB", "Of all its processes; 512 as usual."),
    PolicyField("cpu", "Processors", "Such as 1.5; a share as usual."),
    PolicyField("processes", "Processes", "128 as usual."),
    PolicyField("open_files", "Open files", "256 as usual."),
    PolicyField("file_size_mb", "Largest file in MiB", "256 as usual."),
    PolicyField("data_dir_mb", "Data folder in MiB", "512 as usual."),
    PolicyField("data_dir_files", "Files in the data folder", "100000 as usual."),
    PolicyField("shared_memory_mb", "Shared memory in MiB", "16 as usual."),
    PolicyField("address_space_mb", "Address space in MiB", "For programs that reserve too much."),
)
LIFE_FIELDS = (
    PolicyField("start", "Start", options=_words(StartTime)),
    PolicyField("start_timeout_s", "Seconds until it must be ready", "30 as usual."),
    PolicyField("call_timeout_s", "Seconds for one call", "300 as usual."),
    PolicyField("idle_stop_s", "Idle seconds until it is stopped", "900 as usual; 0: never."),
    PolicyField("reload", "Reload", options=_words(ReloadStrategy)),
    PolicyField("instances", "Instances", options=_words(Instances)),
    PolicyField("max_instances", "Most instances", "Of single sessions; 8 as usual, 64 at most."),
    PolicyField("era", "Protocol", options=_words(Era)),
)


def values_of(declared: Mapping[str, object]) -> dict[str, str]:
    """Return what stands in the fields, by what the metadata says."""
    limits = _object(declared.get("limits"))
    network = _object(declared.get("network"))
    values = {each.name: _text(limits.get(each.name)) for each in LIMIT_FIELDS}
    values |= {each.name: _text(declared.get(each.name)) for each in LIFE_FIELDS}
    hosts = cast("list[object]", network.get("hosts", []))
    return {
        **values,
        "description": _text(declared.get("description")),
        "hosts": "\n".join(map(str, hosts)),
        "dynamic_tools": "on" if declared.get("dynamic_tools") is True else "",
    }


def read_policy(form: Mapping[str, str]) -> dict[str, object]:
    """Return the members that a form asks for; None takes one out. Raises WrongFields."""
    given: dict[str, Any] = {each.name: _typed(form, each.name) for each in LIFE_FIELDS}
    limits = {each.name: _typed(form, each.name) for each in LIMIT_FIELDS}
    given["limits"] = {name: text for name, text in limits.items() if text is not None} or None
    hosts = form.get("hosts", "").split()
    given["network"] = {"hosts": hosts} if hosts else None
    given["description"] = _typed(form, "description")
    given["dynamic_tools"] = True if form.get("dynamic_tools") else None
    asked = {name: value for name, value in given.items() if value is not None}
    try:
        read = Metadata.model_validate(asked)
    except ValidationError as error:
        raise WrongFields(_problems(error)) from None
    dumped = read.model_dump(mode="json", exclude_unset=True)
    return {name: dumped.get(name) for name in given}


def _typed(form: Mapping[str, str], name: str) -> str | None:
    return form.get(name, "").strip() or None


def _problems(error: ValidationError) -> dict[str, str]:
    """Return what is wrong by field, without what was typed."""
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        place = list(detail["loc"])
        outer, inner = str(place[0]), [str(part) for part in place[1:]]
        name = inner[0] if outer == "limits" and inner else outer
        _, _, expectation = detail["msg"].partition(" should ")
        said = f"This should {expectation}." if expectation else detail["msg"]
        found.setdefault("hosts" if name == "network" else name, said)
    return found


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return "" if value is None else str(value)
