"""Makes syntax trees one at a time, whichever thread asks.

CPython counts the depth of the tree that it makes in one place for all threads of an interpreter;
two at once fail with a SystemError. Source: github.com/python/cpython/issues/106905.
"""

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()


def tree_of(code: str | bytes, name: str) -> ast.Module:
    """Return the syntax tree of code.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: there is none.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(code, filename=name)


def check(tree: ast.Module, name: str) -> None:
    """Find what no grammar does, such as a `return` outside of a function.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the code could not be run.
    """
    with _ONE_AT_A_TIME:
        compile(tree, name, "exec", dont_inherit=True)
