"""The owner's policy in a server's metadata, which stays when other code comes in. Pure."""

from collections.abc import Mapping
from typing import cast

OF_CODE = frozenset({"description", "credentials", "network", "command"})
"""Members of metadata that go with the code; the others are the owner's policy."""

Members = Mapping[str, object]
_ABSENT = object()


def with_policy_of(present: Members, coming: Members, base: Members | None) -> dict[str, object]:
    """Return `coming` with what the owner has set in `present`.

    Where it is known out of which metadata `coming` was made, everything stays that it does not
    itself change of that `base`; else the policy stays.
    """
    if base is not None:
        return _changed(present, base, coming)
    return {member: coming[member] for member in coming if member in OF_CODE} | _of_owner(present)


def _of_owner(metadata: Members) -> dict[str, object]:
    return {member: value for member, value in metadata.items() if member not in OF_CODE}


def _changed(present: Members, base: Members, coming: Members) -> dict[str, object]:
    """Return `present` with what `coming` has otherwise than `base`, member by member."""
    merged: dict[str, object] = {}
    for member in {**present, **base, **coming}:
        now, before, wanted = (each.get(member, _ABSENT) for each in (present, base, coming))
        value = _one(now, before, wanted)
        if value is not _ABSENT:
            merged[member] = value
    return merged


def _one(now: object, before: object, wanted: object) -> object:
    if wanted == before:
        return now
    sides = (now, before, wanted)
    if all(isinstance(each, dict) for each in sides):
        return _changed(*(cast("Members", each) for each in sides))
    return wanted
