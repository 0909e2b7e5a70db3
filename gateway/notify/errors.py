"""What can go wrong with notices. The message is one sentence, or the end of one."""


class NotifyError(Exception):
    """Base of this room's errors."""


class AddressRefused(NotifyError):
    """A channel cannot be made of what was given."""


class NoSuchChannel(NotifyError):
    """There is no channel of this name or id."""

    def __init__(self, named: str) -> None:
        super().__init__(
            f"There is no channel {named[:60]!r}; list_notification_channels shows them."
        )


class NotSent(NotifyError):
    """A channel did not take a notice; the message says why, without secrets."""
