"""What a Python interpreter needs to be found and read, learnt without running it."""

from pathlib import Path

SANDBOXES = Path(__file__).resolve().parent
MAX_LINKS = 40
"""The kernel gives up at the same depth."""


def python_command(python: Path, script: Path) -> tuple[str, ...]:
    """Return the command that runs a server's `server.py` with an interpreter."""
    return (str(python), "-I", str(SANDBOXES / "python_server.py"), str(script))


def hops(program: Path) -> tuple[Path, ...]:
    """Return the program's path, every path its symbolic links lead through, and the last one."""
    found = [program]
    while len(found) < MAX_LINKS and found[-1].is_symlink():
        found.append(found[-1].parent / found[-1].readlink())
    return tuple(dict.fromkeys((*found, program.resolve())))


def folders(python: Path) -> tuple[Path, ...]:
    """Return the folders an interpreter reads: its virtual environment and its installation.

    Every hop of its links counts (uv's `cpython-3.11` leads to `cpython-3.11.9`), unless it lies
    in no installation: `~/bin/python` must not grant the home folder.
    """
    found = (hop.parent.parent for hop in hops(python))
    return tuple(dict.fromkeys(folder for folder in found if _is_installation(folder)))


def _is_installation(folder: Path) -> bool:
    if (folder / "pyvenv.cfg").is_file():
        return True
    return folder != Path("/") and any(folder.glob("lib*/python3*/os.py"))


def installation(program: Path) -> tuple[Path, ...]:
    """Return the folders that the Python of a virtual environment needs; none for all else.

    Whoever grants a virtual environment grants the installation it was made from.
    """
    in_environment = (
        program.name.startswith("python") and (program.parent.parent / "pyvenv.cfg").is_file()
    )
    return folders(program) if in_environment else ()


def packages_mark(python: Path) -> tuple[tuple[str, int], ...]:
    """Return what changes when the packages of a virtual environment do.

    Installing, upgrading and removing a package each change an entry of its folder.
    """
    environment = python.parent.parent
    listed = [environment / "pyvenv.cfg", python.resolve()]
    listed += environment.glob("lib*/python3*/site-packages")
    return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in listed if path.exists()))
