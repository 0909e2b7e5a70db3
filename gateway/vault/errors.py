"""What can go wrong with keys and sealed values. No message ever holds a secret."""


class VaultError(Exception):
    """Base of this room's errors. The message is one sentence for a person."""


class MasterKeyUnusable(VaultError):
    """A source of the master key is missing, not private or no key."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source[0].upper()}{source[1:]} cannot be used: {reason}.")
        self.source = source
        self.reason = reason


class MasterKeysDiffer(VaultError):
    """Two sources hold different master keys, and which one is meant cannot be known."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(
            f"{first[0].upper()}{first[1:]} and {second} hold different master keys; keep the one "
            "that was made with this database. Nothing was changed."
        )
        self.sources = (first, second)


class WrongMasterKey(VaultError):
    """The master key is another one than this database was made with."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source[0].upper()}{source[1:]} does not open this database's secrets; put back the "
            "key that was made with it. Nothing was changed."
        )
        self.source = source


class RotationImpossible(VaultError):
    """The master key is not in a file of ours, so that no other can be put in its place."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"The master key is in {source}, which only you can change: put the same key into "
            "MASTER_KEY_FILE alone, restart, rotate, and move the new key back."
        )
        self.source = source


class SealBroken(VaultError):
    """A sealed value was changed, moved, or sealed by a key that is gone."""

    def __init__(self, owner: str, key: str) -> None:
        super().__init__(f"The stored value of {key!r} of {owner!r} does not open; set it again.")
        self.owner = owner
        self.key = key
