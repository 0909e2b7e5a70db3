"""Options that stand for arguments of management tools, one for one."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 1_000_000
SWITCH = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Field:
    """An option of a command, and the argument of a tool that it becomes."""

    name: str
    """Of the argument; the option is written with hyphens."""
    help: str
    read: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] | None = None


def add_fields(parser: ArgumentParser, fields: Sequence[Field]) -> None:
    """Add one option for each field; what is not given is None."""
    for field in fields:
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=field.name,
            type=field.read,
            choices=field.choices,
            metavar=None if field.choices else field.metavar or "VALUE",
            help=field.help,
        )


def given(args: Namespace, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the arguments that were given as options."""
    found = {field.name: getattr(args, field.name) for field in fields}
    return {name: value for name, value in found.items() if value is not None}


def names(text: str) -> list[str]:
    """Read names with commas between them; '' is an empty list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def network(text: str) -> str | list[str]:
    """Read ``none``, ``public`` and the like, or hosts with commas between them."""
    return names(text) if "." in text or "," in text else text


def switch(text: str) -> bool:
    """Read ``yes`` or ``no``."""
    try:
        return SWITCH[text]
    except KeyError:
        raise ArgumentTypeError(f"{text!r} is neither yes nor no") from None


def text_or_input(text: str) -> str:
    """Return the text, or standard input for ``-``."""
    return sys.stdin.read() if text == "-" else text


def text_file(text: str) -> str:
    """Return what a file holds, or standard input for ``-``."""
    if text == "-":
        return sys.stdin.read()
    try:
        content = Path(text).read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise ArgumentTypeError(f"{text} is larger than {MAX_FILE_BYTES} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise ArgumentTypeError(f"{text} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ArgumentTypeError(f"{text} is no text") from None


def json_file(text: str) -> Any:
    """Return the JSON that a file holds, or standard input for ``-``."""
    return _decoded(text_file(text))


def json_text(text: str) -> Any:
    """Return the JSON that stands on the command line."""
    return _decoded(text)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"it is no JSON ({error})") from None
