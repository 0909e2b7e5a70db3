"""Pages' templates, compiled once for all tests: each app would compile its own anew."""

from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from quart import Quart

FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "venv" / "templates"
"""Made anew with the environment, for what Jinja compiles is its own release's."""


def keep_compiled() -> None:
    """Have all apps of this process, and of its forks, keep and find what was compiled."""
    FOLDER.mkdir(exist_ok=True)
    kept = FileSystemBytecodeCache(str(FOLDER))
    Quart.jinja_options = {**Quart.jinja_options, "bytecode_cache": kept}
