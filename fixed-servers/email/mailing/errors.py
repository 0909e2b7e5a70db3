"""What can go wrong, each in one sentence for a person."""


class MailError(Exception):
    """Something about a mail cannot be done; nothing was sent."""


class NotSent(MailError):
    """The provider did not take a mail."""


class PerhapsSent(MailError):
    """The provider was given a mail, and what became of it is not known."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}. The mail may have been sent all the same: look into the mailbox of the "
            "recipient, or ask, before you send it again."
        )
