"""What a Python server finds when it runs as `__main__`."""

import json
from pathlib import Path

from tests.sandboxes.conftest import Room


def test_server_finds_its_data_folder_as_a_global_path(room: Room) -> None:
    """Issue 2: DATA_DIR needs no import."""
    assert room.output("print(type(DATA_DIR).__name__, DATA_DIR)") == f"PosixPath {room.data}\n"


def test_server_is_the_real_main_module(room: Room) -> None:
    """Ours: pickling, typing and argv work as for any script."""
    code = (
        "import json, pickle, sys\n"
        "class Made: pass\n"
        "pickle.dumps(Made())\n"
        "names = sorted(name for name in globals() if not name.startswith('__'))\n"
        "print(json.dumps([__name__, __file__, sys.argv, names]))"
    )
    script = str(room.code / "server.py")
    seen = json.loads(room.output(code, "x"))
    assert seen == [
        "__main__",
        script,
        [script, "x"],
        ["DATA_DIR", "Made", "json", "pickle", "sys"],
    ]


def test_modules_beside_the_server_come_last(room: Room) -> None:
    """Ours: a helper can be imported; a file named like a package replaces nothing."""
    (room.code / "helper.py").write_text("VALUE = 7", encoding="utf-8")
    (room.code / "json.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    assert room.output("import helper, json; print(helper.VALUE)") == "7\n"


def test_our_packages_are_not_importable(room: Room) -> None:
    """Ours: the checkout's root is on no child's path."""
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('sandboxes', 'gateway')])"
    assert room.output(code) == "[None, None]\n"


def test_error_is_shown_with_the_server_as_its_file(room: Room) -> None:
    """Ours: what the author needs to see."""
    done = room.run("import json\n1 / 0\n")
    assert done.returncode == 1
    assert f'File "{room.code / "server.py"}", line 2' in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_current_folder_is_the_data_folder(room: Room) -> None:
    """Ours: a relative path is data."""
    assert Path(room.output("import os; print(os.getcwd(), end='')")) == room.data
