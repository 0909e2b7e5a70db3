"""Command and libraries of a server: the shipped ones, or those of the environment it declares."""

from dataclasses import dataclass
from pathlib import Path

from sandboxes import interpreter
from sandboxes.errors import SandboxError
from sandboxes.policy import Level, Shown
from sandboxes.recipe import NodeRecipe
from supervisor.dependencies import NODE_MODULES
from supervisor.spec import ServerSpec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server is started with, besides its own code."""

    command: tuple[str, ...]
    readable: tuple[Path, ...] = ()
    programs: Path | None = None
    """The folder that comes first on its PATH."""
    shown: tuple[Shown, ...] = ()


def surroundings(spec: ServerSpec, *, python: Path, own: Path | None, level: Level) -> Surroundings:
    """Return what a server runs in. `own` is its environment, `python` the shipped interpreter.

    Raises:
        SandboxError: the level cannot show the environment to the server's own code.
    """
    if own is None:
        if spec.command is not None:
            return Surroundings(spec.command)
        return _python(spec, python)
    if isinstance(spec.recipe, NodeRecipe):
        return _node(spec, own, level)
    return _python(spec, own / "bin" / "python", own / "bin")


def _python(spec: ServerSpec, python: Path, programs: Path | None = None) -> Surroundings:
    command = spec.command or interpreter.python_command(python, spec.code_dir / "server.py")
    return Surroundings(command, interpreter.folders(python), programs)


def _node(spec: ServerSpec, own: Path, level: Level) -> Surroundings:
    assert spec.command is not None
    modules = own / "node_modules"
    command = tuple(
        str(modules / word.removeprefix(NODE_MODULES)) if word.startswith(NODE_MODULES) else word
        for word in spec.command
    )
    # Node looks for packages beside a program and in every folder above it.
    shown = (Shown(modules, spec.code_dir.parent / "node_modules"),)
    if level is not Level.STRONG:
        if command == spec.command:
            raise SandboxError(
                f"The code of server {spec.name!r} finds its node_modules under SANDBOX=strong "
                f"alone; name a program of a package as {NODE_MODULES}... in its command."
            )
        shown = ()
    return Surroundings(command, (own,), modules / ".bin", shown)
