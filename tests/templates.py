"""Pages' templates, compiled once for all tests: each app would compile its own anew."""

from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache
from jinja2.bccache import Bucket
from quart import Quart

FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "venv" / "templates"
"""Made anew with the environment, for what Jinja compiles is its own release's."""


class Compiled(FileSystemBytecodeCache):
    """Keeps apart what the same template is for an environment that waits and one that does not."""

    def get_bucket(
        self, environment: Environment, name: str, filename: str | None, source: str
    ) -> Bucket:
        """Return the place of a template."""
        return super().get_bucket(environment, f"{environment.is_async} {name}", filename, source)


def keep_compiled() -> None:
    """Have all apps of this process, and of its forks, keep and find what was compiled."""
    FOLDER.mkdir(exist_ok=True)
    Quart.jinja_options = {**Quart.jinja_options, "bytecode_cache": Compiled(str(FOLDER))}
