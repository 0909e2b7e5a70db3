"""The one way in which a delivery is refused."""

import math
from http import HTTPStatus

from gateway.domain.delivery import Outcome


class Refused(Exception):
    """A delivery that starts no run: what it was, a status and one sentence."""

    def __init__(
        self,
        outcome: Outcome,
        status: HTTPStatus,
        sentence: str,
        *,
        retry_after_s: float | None = None,
        allow: str | None = None,
        logged: bool = False,
    ) -> None:
        """`logged`: the delivery stands in the webhook's log already."""
        super().__init__(sentence)
        self.outcome = outcome
        self.status = status
        self.retry_after_s = retry_after_s
        self.allow = allow
        self.logged = logged

    @property
    def headers(self) -> dict[bytes, bytes]:
        """What of the refusal stands in headers: when to come again, and how."""
        headers: dict[bytes, bytes] = {}
        if self.retry_after_s is not None:
            headers[b"retry-after"] = b"%d" % max(1, math.ceil(self.retry_after_s))
        if self.allow is not None:
            headers[b"allow"] = self.allow.encode("ascii")
        return headers
