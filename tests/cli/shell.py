"""The command line in this process, for what is not about processes: a tenth of the time."""

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.__main__ import main
from tests.cli.gateways import Place


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Commands in the place of a home, one after the other."""

    place: Place

    def __call__(
        self, *arguments: object, given: str = "", env: Mapping[str, str] | None = None
    ) -> Said:
        """Carry out one command to its end."""
        out, err = io.StringIO(), io.StringIO()
        before, typed = dict(os.environ), sys.stdin
        os.environ.clear()
        os.environ.update(self.place.env(), **(env or {}))
        sys.stdin = io.StringIO(given)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    status = main([str(argument) for argument in arguments])
                except SystemExit as left:
                    status = int(left.code or 0)
        finally:
            sys.stdin = typed
            os.environ.clear()
            os.environ.update(before)
        return Said(status, out.getvalue(), err.getvalue())

    def text(self, *arguments: object, given: str = "") -> str:
        """Return what a command prints that must succeed."""
        said = self(*arguments, given=given)
        assert said.status == 0, said.err
        return said.out

    def json(self, *arguments: object, given: str = "") -> Any:
        """Return the JSON that a command prints with `--json`."""
        return json.loads(self.text(*arguments, "--json", given=given))

    def write(self, name: str, text: str) -> Path:
        """Write a file beside the home and return its path."""
        path = self.place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path
