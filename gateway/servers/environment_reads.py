"""Which environment variables Python code reads by a name that stands in it. Runs nothing."""

import ast
from collections.abc import Iterator

OPTIONAL_METHODS = frozenset({"get", "setdefault"})
REQUIRED_METHODS = frozenset({"pop", "__getitem__"})


def environment_reads(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield each name that is read, in order, and whether the code fails without it."""
    names = _Names(tree)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        found = _read(node, names)
        if found is not None:
            yield found


class _Names:
    """What the code calls `os`, `os.environ` and `os.getenv`."""

    def __init__(self, tree: ast.Module) -> None:
        self.modules = {"os"}
        self.environs = {"environ"}
        self.getters = {"getenv"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.modules |= {a.asname for a in node.names if a.name == "os" and a.asname}
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                self._from_os(node)
        # A name for a name: `env = os.environ`, then `e = env`.
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._assigned(name, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._assigned(name, value)
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    self._assigned(name, value)
                case _:
                    pass

    def is_environ(self, node: ast.expr) -> bool:
        """Return whether an expression is the environment."""
        match node:
            case ast.Name(id=name):
                return name in self.environs
            case ast.Attribute(value=ast.Name(id=module), attr="environ"):
                return module in self.modules
            case ast.NamedExpr(value=value):
                return self.is_environ(value)
            case _:
                return False

    def is_getter(self, node: ast.expr) -> bool:
        """Return whether an expression is `os.getenv`."""
        match node:
            case ast.Name(id=name):
                return name in self.getters
            case ast.Attribute(value=ast.Name(id=module), attr="getenv"):
                return module in self.modules
            case _:
                return False

    def _from_os(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "environ":
                self.environs.add(alias.asname or alias.name)
            elif alias.name == "getenv":
                self.getters.add(alias.asname or alias.name)

    def _assigned(self, name: str, value: ast.expr) -> None:
        if self.is_environ(value):
            self.environs.add(name)
        elif self.is_getter(value):
            self.getters.add(name)


def _read(node: ast.expr, names: _Names) -> tuple[str, bool] | None:
    match node:
        case ast.Subscript(value=source, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
            return (key, True) if names.is_environ(source) else None
        case ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()]):
            return (key, False) if names.is_environ(node.comparators[0]) else None
        case ast.Call():
            return _called(node, names)
        case _:
            return None


def _called(node: ast.Call, names: _Names) -> tuple[str, bool] | None:
    key = _first_argument(node)
    if key is None:
        return None
    if names.is_getter(node.func):
        return key, False
    match node.func:
        case ast.Attribute(value=source, attr=method) if names.is_environ(source):
            if method in OPTIONAL_METHODS:
                return key, False
            # `pop` with a default fails on nothing.
            alone = len(node.args) + len(node.keywords) == 1
            return (key, alone) if method in REQUIRED_METHODS else None
        case _:
            return None


def _first_argument(node: ast.Call) -> str | None:
    given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "key")]
    match given:
        case [ast.Constant(value=str(key)), *_]:
            return key
        case _:
            return None
