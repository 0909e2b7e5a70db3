"""Command and libraries of a server: the shipped ones, or those of the environment it declares."""

from dataclasses import dataclass
from pathlib import Path

from sandboxes import interpreter
from sandboxes.packages.recipe import NodeRecipe
from sandboxes.policy import Level, Shown
from supervisor.folders.dependencies import NODE_MODULES
from supervisor.spec import ServerSpec
from supervisor.starts.staging import Staged

DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server is started with, besides its own code."""

    command: tuple[str, ...]
    readable: tuple[Path, ...] = ()
    programs: Path | None = None
    """The folder that comes first on its PATH."""
    shown: tuple[Shown, ...] = ()
    staged: Staged | None = None
    """A copy of its code to make first."""


def surroundings(
    spec: ServerSpec, *, python: Path, own: Path | None, level: Level, copies: Path
) -> Surroundings:
    """Return what a server runs in. `own` is its environment, `python` the shipped interpreter.

    `copies`: where copies of its code may be made.
    """
    if own is None:
        if spec.command is not None:
            return Surroundings(spec.command)
        return _python(spec, python)
    if isinstance(spec.recipe, NodeRecipe):
        return _node(spec, own, level, copies)
    return _python(spec, own / "bin" / "python", own / "bin")


def _python(spec: ServerSpec, python: Path, programs: Path | None = None) -> Surroundings:
    command = spec.command or interpreter.python_command(python, spec.code_dir / "server.py")
    return Surroundings(command, interpreter.folders(python), programs)


def _node(spec: ServerSpec, own: Path, level: Level, copies: Path) -> Surroundings:
    assert spec.command is not None
    modules = own / "node_modules"
    command = tuple(
        str(modules / word.removeprefix(NODE_MODULES)) if word.startswith(NODE_MODULES) else word
        for word in spec.command
    )
    if level is Level.STRONG:
        # Node looks for packages beside a program and in every folder above it.
        shown = (Shown(modules, spec.code_dir.parent / "node_modules"),)
        return Surroundings(command, (own,), modules / ".bin", shown)
    if command != spec.command:
        return Surroundings(command, (own,), modules / ".bin")
    staged = Staged(spec.code_dir, copies / spec.digest[:DIGEST_CHARACTERS], modules)
    command = tuple(_moved(word, staged) for word in command)
    return Surroundings(command, (own, staged.at), modules / ".bin", staged=staged)


def _moved(word: str, staged: Staged) -> str:
    path = Path(word)
    inside = path.is_absolute() and path.is_relative_to(staged.code)
    return str(staged.at / path.relative_to(staged.code)) if inside else word
