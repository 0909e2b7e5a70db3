"""What a Python interpreter needs to be found and read, learnt without running it."""

from pathlib import Path

SANDBOXES = Path(__file__).resolve().parent
MAX_LINKS = 40
"""The kernel gives up at the same depth."""


def python_command(python: Path, script: Path) -> tuple[str, ...]:
    """Return the command that runs a server's `server.py` with an interpreter."""
    return (str(python), "-I", str(SANDBOXES / "python_server.py"), str(script))


def links_of(program: Path) -> tuple[Path, ...]:
    """Return the program's path and every path its symbolic links lead through."""
    hops = [program]
    while len(hops) < MAX_LINKS and hops[-1].is_symlink():
        target = hops[-1].parent / hops[-1].readlink()
        hops.append(target.parent.resolve() / target.name)
        if hops[-2].parent != (direct := target.parent):
            hops.insert(-1, direct / target.name)
    return (*hops, program.resolve())


def folders(python: Path) -> tuple[Path, ...]:
    """Return the folders an interpreter reads: its virtual environment and its installation.

    Every hop of its links counts (uv's `cpython-3.11` leads to `cpython-3.11.9`).
    """
    found = [hop.parent.parent for hop in links_of(python)]
    return tuple(dict.fromkeys(folder for folder in found if folder != Path("/")))


def installation(program: Path) -> tuple[Path, ...]:
    """Return the folders that the Python of a virtual environment needs; none for all else.

    Whoever grants a virtual environment grants the installation it was made from.
    """
    in_environment = (
        program.name.startswith("python") and (program.parent.parent / "pyvenv.cfg").is_file()
    )
    return folders(program) if in_environment else ()
