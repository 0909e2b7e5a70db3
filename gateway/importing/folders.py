"""Writes the folder of an imported server beside its place, and renames it. Blocking."""

import shutil
from pathlib import Path

from gateway.importing.plans import CannotImport, Plan


def write_folder(plan: Plan, root: Path) -> Path:
    """Write the folder of a server among the installed ones and return it.

    Raises:
        CannotImport: there is one of that name, or it cannot be written; nothing is left.
    """
    place, staged = root / plan.name, root / f".import-{plan.name}"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.mkdir(parents=True)
        for name, text in plan.files.items():
            file = staged / name
            file.write_text(text, "utf-8")
            # The server may be another user; no secret is in it.
            file.chmod(0o644)
        staged.chmod(0o755)
        if place.exists():
            raise CannotImport(f"There is a server named {plan.name!r} already.")
        staged.rename(place)
    except OSError as error:
        raise CannotImport(f"{place} cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return place
