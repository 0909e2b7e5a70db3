"""What can be said about a server's code without running it. Pure functions over its text."""

import ast

from gateway.servers.environment_reads import environment_reads
from sandboxes.environment import GIVEN, check_name
from sandboxes.errors import RefusedName
from supervisor.errors import InvalidServer
from supervisor.folders.syntax import parse
from supervisor.spec import DeclaredCredential

MAX_CODE_CHARACTERS = 1_000_000


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
    return parse(code)


def read_credentials(tree: ast.Module) -> tuple[DeclaredCredential, ...]:
    """Return the credentials that the code reads from its environment, in order of appearance.

    Only names that a child may be given at all. ``os.environ["KEY"]`` makes one required, ``.get``
    and ``getenv`` do not. A name that is computed at run time is not seen.
    """
    found: dict[str, bool] = {}
    for key, required in environment_reads(tree):
        if _refusal(key) is None:
            found[key] = found.get(key, False) or required
    return tuple(DeclaredCredential(key, required=required) for key, required in found.items())


def read_refused(tree: ast.Module) -> tuple[str, ...]:
    """Return one sentence for each name that the code reads and that no child is ever given.

    Names that the sandbox sets itself, such as HOME, are there and are no fault.
    """
    keys = dict.fromkeys(key for key, _ in environment_reads(tree) if key not in GIVEN)
    refusals = [refusal for key in keys if (refusal := _refusal(key)) is not None]
    return tuple(map(str, refusals))


def _refusal(key: str) -> RefusedName | None:
    try:
        check_name(key)
    except RefusedName as error:
        return error
    return None
