"""The form of a server's policy: what it reads and writes, and what becomes of the server."""

from typing import Any

import pytest

from gateway.dashboard.fields import WrongFields
from gateway.server_pages.policy_form import read_policy, values_of
from supervisor.folders.metadata import Metadata


def test_a_form_that_is_sent_as_it_was_shown_changes_nothing() -> None:
    """Ours: every member that the form has, the limits too."""
    declared: dict[str, Any] = {
        "description": "Sends",
        "network": {"hosts": ["a.example", "*.b.example:8443"]},
        "limits": {"memory_mb": 64, "cpu": 1.5, "processes": 9},
        "start_timeout_s": 12.5,
        "idle_stop_s": 0.0,
        "instances": "per_session",
        "max_instances": 3,
        "start": "eager",
        "reload": "stop_first",
        "era": "modern",
        "dynamic_tools": True,
    }
    read = read_policy(values_of(declared))
    assert {name: value for name, value in read.items() if value is not None} == declared
    assert set(read_policy(values_of({})).values()) == {None}
    assert read.keys() <= Metadata.model_fields.keys()


def test_what_is_wrong_is_said_at_its_field() -> None:
    """Issue 8: nothing of it reaches the server."""
    wrong = {"memory_mb": "much", "cpu": "0", "max_instances": "65", "idle_stop_s": "-1"}
    with pytest.raises(WrongFields) as found:
        read_policy({**wrong, "start": "later", "processes": "8"})
    assert found.value.problems.keys() == {*wrong, "start"}
