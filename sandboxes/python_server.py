"""Runs a Python server: `python -I python_server.py /path/server.py`.

The server runs as `__main__`, finds DATA_DIR as a global Path, and can import modules that lie
beside it. Isolated mode keeps this folder, the current folder and PYTHON* variables out of
`sys.path`; the server's folder comes last, so that no file in it can stand in for a package.

A server need not start itself. Code that uses `mcp` and binds it nowhere is given a FastMCP of
that name; when the code has come to its end and nobody has read the input to its end, the
FastMCP that it left is run.
"""

import importlib
import os
import select
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PROVIDED = "mcp"
PREFERRED_NAMES = (PROVIDED, "server", "app")
"""Which one is meant where several are left; the names that FastMCP's own command looks for."""
SERVER_CLASSES = frozenset({"FastMCP", "MCPServer"})
"""FastMCP's, that of mcp 1.x, and what mcp 2.x calls it."""
SERVER_PACKAGES = frozenset({"fastmcp", "mcp"})
NO_SERVER = "server.py runs no server and leaves none: write functions decorated with @mcp.tool."
STDIN = 0


def run(script: Path) -> None:
    """Run the script as the real `__main__`, so that pickling and typing find its names."""
    sys.argv[:] = sys.argv[1:]
    sys.path.append(str(script.parent))
    main = ModuleType("__main__", None)
    main.__dict__.update(__file__=str(script), DATA_DIR=Path(os.environ["DATA_DIR"]))
    sys.modules["__main__"] = main
    try:
        _run_in(main, script)
    except Exception as error:  # noqa: BLE001 - it ends the process, as it would without us
        # As an uncaught error ends a script, without the frames that are not the author's.
        error.__traceback__ = _own_frames(error, script)
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(1) from None


def needs_mcp(source: str | bytes) -> bool:
    """Return whether code uses a global `mcp` that nothing in it binds.

    Raises:
        SyntaxError, ValueError: it is not Python.
    """
    tables = list(_tables(symtable.symtable(source, "server.py", "exec")))  # pyright: ignore[reportArgumentType] - bytes are read as compile() reads them
    found = [table.lookup(PROVIDED) for table in tables if PROVIDED in table.get_identifiers()]
    used = any(symbol.is_global() and symbol.is_referenced() for symbol in found)
    bound = any(symbol.is_global() and _binds(symbol) for symbol in found)
    return used and not bound


def _run_in(main: ModuleType, script: Path) -> None:
    source = script.read_bytes()
    code = compile(source, str(script), "exec", dont_inherit=True)
    if needs_mcp(source):
        # The library of the server's own environment; importing it may take seconds.
        main.__dict__[PROVIDED] = importlib.import_module("fastmcp").FastMCP(script.parent.name)
    exec(code, main.__dict__)  # noqa: S102 - running the server is the point
    if _input_has_ended():
        return
    left = _servers_in(main)
    if left:
        _choose(left).run()
    else:
        print(NO_SERVER, file=sys.stderr)


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for inner in table.get_children():
        yield from _tables(inner)


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _servers_in(main: ModuleType) -> dict[str, Any]:
    """Return the FastMCP objects that code left in its globals, each under its first name."""
    found: dict[int, tuple[str, Any]] = {}
    for name in sorted(main.__dict__, key=_rank):
        value = main.__dict__[name]
        if any(map(_is_server_class, type(value).__mro__)):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def _rank(name: str) -> int:
    return PREFERRED_NAMES.index(name) if name in PREFERRED_NAMES else len(PREFERRED_NAMES)


def _is_server_class(kind: type) -> bool:
    return kind.__name__ in SERVER_CLASSES and kind.__module__.split(".")[0] in SERVER_PACKAGES


def _choose(servers: dict[str, Any]) -> Any:
    """Return the one that is meant; ends with a sentence where that cannot be told."""
    first = next(iter(servers))
    if len(servers) > 1 and first not in PREFERRED_NAMES:
        raise SystemExit(
            f"server.py makes {len(servers)} servers ({', '.join(servers)}) and runs none; "
            f"call the one that is meant mcp."
        )
    return servers[first]


def _input_has_ended() -> bool:
    """Return whether all input was read and no more can come: somebody has served it."""
    poll = select.poll()
    poll.register(STDIN, select.POLLIN)
    return any(seen & select.POLLHUP and not seen & select.POLLIN for _, seen in poll.poll(0))


def _own_frames(error: Exception, script: Path) -> Any:
    """Return the traceback from the author's first line on; None where no line of it ran."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename != str(script):
        traceback = traceback.tb_next
    return traceback


if __name__ == "__main__":
    run(Path(sys.argv[1]))
