"""Runs a Python server: `python -I python_server.py /path/server.py`.

The server runs as `__main__`, finds DATA_DIR as a global Path, and can import modules that lie
beside it. Isolated mode keeps this folder, the current folder and PYTHON* variables out of
`sys.path`; the server's folder comes last, so that no file in it can stand in for a package.
"""

import os
import sys
from pathlib import Path


def run(script: Path) -> None:
    """Run the script in the real `__main__`, so that pickling and typing find its names."""
    sys.argv[:] = sys.argv[1:]
    sys.path.append(str(script.parent))
    code = compile(script.read_bytes(), str(script), "exec", dont_inherit=True)
    given = {"__file__": str(script), "__doc__": None, "DATA_DIR": Path(os.environ["DATA_DIR"])}
    namespace = sys.modules["__main__"].__dict__
    for name in [name for name in namespace if not name.startswith("__")]:
        del namespace[name]
    namespace.update(given)
    exec(code, namespace)  # noqa: S102 - running the server is the point


if __name__ == "__main__":
    run(Path(sys.argv[1]))
