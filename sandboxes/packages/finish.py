"""Finishes a built environment, inside its sandbox: `python -I -S -B finish.py FOLDER`.

Compiles every module, because a confined server cannot write bytecode, and opens the files to the
users of servers. Standard library only; runs no code of the packages (`-S` keeps `.pth` out).
"""

import os
import py_compile
import stat
import sys
from pathlib import Path

WORKERS = 2


def compile_share(files: list[Path]) -> None:
    """Compile these modules; one that is no Python of this version stays as it is."""
    for path in files:
        try:
            # An environment never changes, so an import need not look at the source at all.
            py_compile.compile(
                str(path),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError, OSError, RecursionError):
            continue


def compile_all(folder: Path) -> None:
    """Compile every module below a folder, in two processes."""
    files = sorted(path for path in folder.rglob("*.py") if path.is_file())
    children: list[int] = []
    for number in range(WORKERS):
        child = os.fork()
        if child == 0:
            try:
                compile_share(files[number::WORKERS])
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def open_to_servers(folder: Path) -> None:
    """Let every user read what is below a folder, and run what its owner may run."""
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(where, name)
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644)


def main() -> None:
    """Finish the environment that the command line names."""
    folder = Path(sys.argv[1])
    libraries = folder / "lib"
    if libraries.is_dir():
        compile_all(libraries)
    open_to_servers(folder)
    folder.chmod(0o755)


if __name__ == "__main__":
    main()
