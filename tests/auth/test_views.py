"""What a token may be asked to show."""

import pytest

from gateway.domain.view import MAX_TOOLS, InvalidView, View, read_view


def test_a_token_that_names_nothing_shows_everything() -> None:
    """Ours: as tokens did before they could name anything."""
    assert read_view((), (), ()) is None


def test_servers_and_tools_are_shown_and_nothing_else() -> None:
    """Issue 5, What 4: filters and renames per token."""
    view = read_view(["a"], ["mcp__b__t", "mcp__c-d__x/y.z"], [("mcp__b__t", "mine")])
    assert view is not None
    assert view == View(
        frozenset({"mcp__a__*", "mcp__b__t", "mcp__c-d__x/y.z"}), (("mcp__b__t", "mine"),)
    )
    assert [view.may_use(server) for server in ("a", "b", "c-d", "e")] == [True, True, True, False]
    assert [view.may_call("a", "any"), view.may_call("b", "t"), view.may_call("b", "u")] == [
        True,
        True,
        False,
    ]


def test_a_star_stands_for_every_server() -> None:
    """Ours: also for those that come later; the management tools are no server's."""
    view = read_view(["*"], (), [("mcp__a__t", "mine")])
    assert view is not None
    assert (view.may_use("a"), view.may_call("a", "t"), view.has_every_server) == (True, True, True)


@pytest.mark.parametrize(
    ("tools", "renames"),
    [
        (["b:t"], []),
        (["mcp__b"], []),
        (["mcp__a b__t"], []),
        (["mcp__*__t"], []),
        (["mcp__b__t"] * (MAX_TOOLS + 1), []),
        (["mcp__b__t"], [("mcp__b__u", "mine")]),
        (["mcp__b__t"], [("t", "mine")]),
        (["mcp__b__*"], [("mcp__b__*", "mine")]),
        (["mcp__b__t"], [("mcp__b__t", "mcp__c__t")]),
        (["mcp__b__t"], [("mcp__b__t", "two words")]),
        (["mcp__b__t"], [("mcp__b__t", "")]),
        (["mcp__b__t"], [("mcp__b__t", "search_tools")]),
        (["mcp__b__*"], [("mcp__b__t", "mine"), ("mcp__b__u", "mine")]),
        ([], [("mcp__b__t", "mine")]),
    ],
)
def test_what_cannot_be_meant_is_refused(tools: list[str], renames: list[tuple[str, str]]) -> None:
    """Ours: one sentence."""
    with pytest.raises(InvalidView) as refused:
        read_view((), tools, renames)
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 300
