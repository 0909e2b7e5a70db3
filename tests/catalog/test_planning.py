"""What planning grants a server of a document that somebody else wrote."""

import json
from pathlib import Path

from gateway.catalog.sources import document_program
from gateway.importing.planning import Ground, plan


def test_a_document_of_the_registry_grants_itself_no_folder(tmp_path: Path) -> None:
    """Ours: who publishes a server reads nothing of this machine by it; typed words grant."""
    mine, named = tmp_path / "mine", tmp_path / "named"
    mine.mkdir()
    named.mkdir()
    package = {
        "registryType": "npm",
        "identifier": "node-toy",
        "packageArguments": [{"type": "positional", "default": str(mine)}],
    }
    document = json.dumps({"name": "io.github.somebody/weather", "packages": [package]})
    ground = Ground(lambda _: None, ())
    alone = plan(document_program(document, ()), ground)
    assert (alone.read_only, alone.command[-1]) == ((), str(mine))
    typed = plan(document_program(document, (str(named),)), ground)
    assert typed.read_only == (str(named),)
