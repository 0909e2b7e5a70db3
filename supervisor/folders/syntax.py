"""Reads Python code without running it: what does not parse is never started."""

import ast

from supervisor.errors import InvalidCode, InvalidServer
from supervisor.folders.dependencies import MAX_BYTES, SERVER_FILE
from supervisor.folders.trees import check, tree_of
from supervisor.spec import ServerSpec

MAX_LINE_SHOWN = 200


class NotPython(InvalidServer):
    """Text that is no Python; the message has the line and what stands there."""


def parse(code: str | bytes) -> ast.Module:
    """Return the syntax tree of `server.py`.

    Raises:
        NotPython: there is none.
    """
    try:
        tree = tree_of(code, SERVER_FILE)
        check(tree, SERVER_FILE)
        return tree
    except SyntaxError as error:
        text = _line(code, error.lineno)
        place = f" at line {error.lineno}: `{text}`" if error.lineno else ""
        raise NotPython(f"{SERVER_FILE} is not valid Python: {error.msg}{place}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPython(f"{SERVER_FILE} is not valid Python: {error}.") from error


def check_code(spec: ServerSpec) -> None:
    """Accept the code of a server. Blocking; a program of another kind is not looked at.

    Raises:
        InvalidCode: its `server.py` is no Python, or not there.
    """
    if spec.command is not None:
        return
    try:
        with (spec.code_dir / SERVER_FILE).open("rb") as file:
            code = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"its {SERVER_FILE} cannot be read ({error.strerror})"
        raise InvalidCode(spec.name, reason) from error
    # The parser needs a hundred times the memory of what it reads; a larger file shows at its start
    # what is wrong with it.
    if len(code) > MAX_BYTES:
        return
    try:
        parse(code)
    except NotPython as error:
        raise InvalidCode(spec.name, str(error).rstrip(".")) from error


def _line(code: str | bytes, number: int | None) -> str:
    """Return a line of the code, counted from one, short enough for a sentence."""
    text = code if isinstance(code, str) else code.decode("utf-8", "replace")
    lines = text.splitlines()
    return lines[number - 1].strip()[:MAX_LINE_SHOWN] if number and number <= len(lines) else ""
