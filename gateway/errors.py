"""What keeps the gateway from running at all."""


class CannotStart(Exception):
    """The gateway cannot be started as it is set up; the message is one sentence."""
