"""docs/sandbox.md tells of every attack there is."""

from tests.attacks.conftest import ATTACKS
from tests.attacks.table import attacks_in_document


def test_the_document_names_every_attack() -> None:
    """Issue 3: the table is that of a full run, and no attack is missing from it."""
    assert attacks_in_document() == sorted(ATTACKS)
