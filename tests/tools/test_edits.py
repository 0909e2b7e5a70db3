"""An edit of a server's code says exactly which place it means, or is refused with the reason."""

from pathlib import Path

import pytest

from gateway.servers.edit import Edit, apply_edit
from gateway.servers.fault import Fault, read_fault
from supervisor.errors import InvalidServer
from tests.tools.conftest import Gateway
from tests.tools.servers import ANY, SEND, server_code

CODE = """\
def first(number: int) -> int:
    return number + 1

def second(number: int) -> int:
    return number + 2
"""


def test_the_one_place_is_replaced() -> None:
    """Issue 4: exact search and replace."""
    assert apply_edit(CODE, Edit("+ 2\n", "+ 3\n")) == CODE.replace("+ 2", "+ 3")
    assert apply_edit(CODE, Edit(CODE, "x = 1\n")) == "x = 1\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "x", "old_text is empty"),
        ("+ 1", "+ 1", "are the same; nothing would change"),
        ("return number", "x", "is in server.py 2 times (at line 2, 5); give more of the text"),
        ("zebra crossing", "x", "is not in server.py; no line of it looks like its first one."),
        (
            "  return number+2",
            "x",
            "is not in server.py; the nearest is at line 5:\n    5 |     return number + 2",
        ),
        (
            "def first(number):\n    return",
            "x",
            "the nearest is at line 1:\n    1 | def first(number: int) -> int:\n    2 |     return",
        ),
    ],
)
def test_an_edit_that_fits_no_place_or_several_says_how_many(
    old: str, new: str, expected: str
) -> None:
    """Issue 4: else a sentence that says how often it matched and shows nearby lines."""
    with pytest.raises(InvalidServer) as caught:
        apply_edit(CODE, Edit(old, new))
    assert expected in str(caught.value)


def test_overlapping_places_are_several() -> None:
    """Ours: which of them is meant is open."""
    with pytest.raises(InvalidServer, match="2 times"):
        apply_edit("aaa", Edit("aa", "b"))


async def test_an_edit_is_taken_over_like_whole_code(gateway: Gateway) -> None:
    """Issue 4: and found credentials, hosts and versions go along."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    changed = await gateway.call(
        "update_mcp_server",
        name="email",
        old_text="import json\nimport os",
        new_text="import json\nimport os\nos.getenv('KEY')",
    )
    assert changed["ok"] is True
    assert [credential["key"] for credential in changed["credentials"]] == ["KEY"]
    assert changed["version"] == 2
    code = (await gateway.call("get_dynamic_mcp_server", name="email"))["code"]
    for arguments, expected in (
        ({"old_text": "zebra", "new_text": ""}, "is not in server.py"),
        ({"old_text": "zebra"}, "old_text and new_text go together"),
        ({"new_text": "zebra"}, "old_text and new_text go together"),
        ({"old_text": "import os", "new_text": "", "code": SEND}, "and not with code"),
        ({"old_text": "import json\nimport os", "new_text": "import ("}, "is not valid Python"),
        ({"credentials": {"KEY": "hidden-value"}}, "use set_server_credential"),
        ({}, "Nothing of server 'email' is named to be changed"),
    ):
        said = await gateway.refusal("update_mcp_server", name="email", **arguments)
        assert expected in said
        assert "hidden-value" not in said
    after = await gateway.call("get_dynamic_mcp_server", name="email")
    assert (after["code"], after["server"]["generation"]) == (code, 2)


async def test_the_line_that_failed_is_named_with_its_source(gateway: Gateway) -> None:
    """Issue 4: the traceback with line and source, within one call."""
    code = "import json\n\ndef load():\n    return json.loads('{')\n\nload()\n"
    made = await gateway.call("create_mcp_server", name="email", code=code)
    assert made["ok"] is False
    assert made["fault"]["file"] == "server.py"
    assert made["fault"]["line"] == 4
    assert made["fault"]["source"] == "return json.loads('{')"
    assert made["fault"]["error"].startswith("json.decoder.JSONDecodeError: Expecting property")
    assert "(server.py, line 4: `return json.loads('{')`)." in made["message"]


def test_the_last_traceback_counts_and_only_the_author_s_lines(tmp_path: Path) -> None:
    """Ours: chained errors, frames of libraries, lines that are no traceback."""
    lines = [
        "starting",
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/server.py", line 1, in <module>',
        "    one()",
        "ValueError: first",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/lib/help.py", line 7, in two',
        "    library.call()",
        "    ^^^^^^^^^^^^^^",
        '  File "/usr/lib/library.py", line 70, in call',
        "    raise KeyError('x')",
        "KeyError: 'x'",
        "bye",
    ]
    fault = Fault("KeyError: 'x'", "lib/help.py", 7, "library.call()")
    assert read_fault(lines, tmp_path) == fault
    assert read_fault(lines[:10], tmp_path) is None
    assert read_fault(["all is well"], tmp_path) is None


async def test_secrets_that_come_with_a_new_server_are_sealed_and_never_shown(
    gateway: Gateway,
) -> None:
    """Issue 4: a mapping of values; in no answer, no version and no log."""
    code = server_code(
        {"show": ANY},
        "return {'content': [{'type': 'text', 'text': str(len(os.environ['KEY']))}]}",
    )
    value = "hidden-value-of-some-length"
    made = await gateway.call(
        "create_mcp_server", name="email", code=code, credentials={"KEY": value}
    )
    assert made["ok"] is True
    assert [(c["key"], c["is_set"]) for c in made["credentials"]] == [("KEY", True)]
    assert value not in repr(made)
    shown = await gateway.raw("invoke_internal_mcp_tool", tool="email:show")
    assert shown.content[0].text == str(len(value))  # pyright: ignore[reportAttributeAccessIssue]
    kept = await gateway.services.store.server_versions.all("email")
    contents = await gateway.services.store.server_versions.contents(
        "email", [file.sha256 for version in kept for file in version.files or ()]
    )
    assert value not in repr((kept, contents))
