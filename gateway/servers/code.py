"""What can be said about a server's code without running it. Pure functions over its text."""

import ast
from collections.abc import Iterator

from sandboxes.environment import check_name
from sandboxes.errors import RefusedName
from supervisor.errors import InvalidServer
from supervisor.spec import DeclaredCredential

MAX_CODE_CHARACTERS = 1_000_000

_ENVIRON = frozenset({"os.environ", "environ"})
_GETTERS = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv"})


def parse_code(code: str) -> ast.Module:
    """Return the syntax tree of `server.py`.

    Raises:
        InvalidServer: the code is empty, too long or not Python; the message has line and text.
    """
    if not code.strip():
        raise InvalidServer("The code is empty; give the whole text of server.py.")
    if len(code) > MAX_CODE_CHARACTERS:
        raise InvalidServer(
            f"The code has {len(code)} characters; at most {MAX_CODE_CHARACTERS} are allowed."
        )
    try:
        return ast.parse(code, filename="server.py")
    except SyntaxError as error:
        text = (error.text or "").strip()
        place = f" at line {error.lineno}: `{text}`" if error.lineno else ""
        raise InvalidServer(f"server.py is not valid Python: {error.msg}{place}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidServer(f"server.py is not valid Python: {error}.") from error


def read_credentials(tree: ast.Module) -> tuple[DeclaredCredential, ...]:
    """Return the credentials that the code reads from its environment, in order of appearance.

    Only names that a child may be given at all. ``os.environ["KEY"]`` makes one required, ``.get``
    and ``getenv`` do not.
    """
    found: dict[str, bool] = {}
    for key, required in _reads(tree):
        if _may_be_given(key):
            found[key] = found.get(key, False) or required
    return tuple(DeclaredCredential(key, required=required) for key, required in found.items())


def _may_be_given(key: str) -> bool:
    try:
        check_name(key)
    except RefusedName:
        return False
    return True


def _reads(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    expressions = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    for node in sorted(expressions, key=lambda node: (node.lineno, node.col_offset)):
        match node:
            case ast.Subscript(value=source, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
                if _dotted(source) in _ENVIRON:
                    yield key, True
            case ast.Call(func=function, args=[ast.Constant(value=str(key)), *_]):
                if _dotted(function) in _GETTERS:
                    yield key, False
            case _:
                pass


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case _:
            return "?"
