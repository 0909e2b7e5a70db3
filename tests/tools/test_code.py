"""What is read out of a server's code without running it."""

import pytest

from gateway.servers.code import parse_code, read_credentials, read_refused


def read(code: str) -> dict[str, bool]:
    """Return the credentials that code reads, and whether each is required."""
    return {found.key: found.required for found in read_credentials(parse_code(code))}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('import os\nos.environ["KEY"]', {"KEY": True}),
        ('import os\nos.environ.get("KEY")', {"KEY": False}),
        ('import os\nos.getenv("KEY", "x")', {"KEY": False}),
        ('import os\nos.getenv(key="KEY")', {"KEY": False}),
        ('import os\nos.environ.pop("KEY")', {"KEY": True}),
        ('import os\nos.environ.pop("KEY", None)', {"KEY": False}),
        ('import os\nos.environ.setdefault("KEY", "x")', {"KEY": False}),
        ('import os\nif "KEY" in os.environ: ...', {"KEY": False}),
        ('import os as o\no.environ["KEY"]\no.getenv("B")', {"KEY": True, "B": False}),
        ('from os import environ, getenv\nenviron["KEY"]\ngetenv("B")', {"KEY": True, "B": False}),
        ('from os import environ as e, getenv as g\ne["KEY"]\ng("B")', {"KEY": True, "B": False}),
        ('import os\nenv = os.environ\nenv["KEY"]', {"KEY": True}),
        ('import os\nenv: dict = os.environ\nenv.get("KEY")', {"KEY": False}),
        ('import os\n(env := os.environ)["KEY"]\nenv["B"]', {"KEY": True, "B": True}),
        ('import os\nif (key := os.getenv("KEY")): ...', {"KEY": False}),
        ("import os\nprint(f\"{os.environ['KEY']}\")", {"KEY": True}),
        ('import os\nos.getenv("KEY"); os.environ["KEY"]', {"KEY": True}),
        ('import os\nname = "KEY"\nos.environ[name]\nos.environ[f"{name}_B"]', {}),
        ('import os\nos.environ["KEY"] = "x"\ndel os.environ["B"]', {}),
        ('settings = {}\nsettings["KEY"]\nsettings.get("B")', {}),
        ('import os\nos.environ["HOME"], os.environ["DATA_DIR"]', {}),
    ],
)
def test_variables_that_stand_in_the_code_are_credentials(
    code: str, found: dict[str, bool]
) -> None:
    """Issue: found by parsing, never by importing; names made at run time are not seen."""
    assert read(code) == found


def test_code_is_never_run() -> None:
    """Issue: never by importing."""
    assert read('import os\nraise SystemExit(os.environ["KEY"])') == {"KEY": True}


def test_names_that_no_server_is_given_are_told_with_the_reason() -> None:
    """Issue: refused names with the reason; what the sandbox sets itself is there."""
    code = 'import os\nos.environ["LD_PRELOAD"]\nos.getenv("HTTPS_PROXY")\nos.environ["HOME"]'
    first, second = read_refused(parse_code(code))
    assert first.startswith("The variable name 'LD_PRELOAD' is refused: it changes what programs")
    assert second.startswith("The variable name 'HTTPS_PROXY' is refused: it would redirect")
