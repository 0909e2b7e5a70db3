"""The token with which programs outside start a job; its value is kept as a hash alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FireToken:
    """What is known of one. Instants are integer milliseconds UTC."""

    created_at: int
    last_used_at: int | None
