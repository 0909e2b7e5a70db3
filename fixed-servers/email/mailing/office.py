"""Checks a mail against what the owner set, counts it, and hands it to the provider once."""

from collections.abc import Sequence
from typing import Any

from mailing import smtp, web
from mailing.allowed import EVERYBODY, check_allowed
from mailing.attachments import Attachment, Folder
from mailing.daily_cap import DailyCap
from mailing.deadline import Deadline
from mailing.errors import MailError, NotSent, PerhapsSent
from mailing.message import Letter, all_plain, compose, encode
from mailing.settings import Settings

SHOWN = 4000
"""Characters of the message that a dry run shows."""
MAX_ERROR = 500


class Office:
    """Sends with one set of settings."""

    def __init__(self, settings: Settings, folder: Folder) -> None:
        self._settings = settings
        self._folder = folder
        self._cap = DailyCap(folder.root, settings.daily_cap)

    def status(self) -> dict[str, Any]:
        """Return what somebody should know before writing a mail."""
        settings = self._settings
        return {
            "provider": settings.provider.value,
            "sender": str(settings.sender),
            "allowed_recipients": list(settings.allowed) or [settings.sender.addr_spec],
            "everybody_allowed": EVERYBODY in settings.allowed,
            "daily_cap": settings.daily_cap,
            "left_today": self._cap.left(),
            "dry_run": settings.dry_run,
        }

    def send(
        self, letter: Letter, names: Sequence[str], *, dry_run: bool, deadline: Deadline
    ) -> dict[str, Any]:
        """Send a mail with these attachments; return what became of it. Raises MailError."""
        settings = self._settings
        check_allowed(letter.recipients, settings.allowed, settings.sender)
        attachments = self._folder.read(names)
        message = compose(letter, settings.sender, attachments)
        mime = encode(message, letter, settings.sender)
        seen = {"provider": settings.provider.value, "message_id": message["Message-ID"]}
        if dry_run or settings.dry_run:
            preview = mime[:SHOWN].decode("utf-8", "replace")
            return {"sent": False, "dry_run": True, **seen, "bytes": len(mime), "preview": preview}
        count = len(letter.recipients)
        self._cap.take(count)
        try:
            number, refused = self._hand_over(letter, attachments, mime, deadline)
        except NotSent as error:
            self._cap.give_back(count)
            raise NotSent(self._without_secrets(str(error))) from error
        except PerhapsSent as error:
            raise MailError(self._without_secrets(str(error))) from error
        count -= len(refused)
        self._cap.give_back(len(refused))
        told = {"provider_id": number, "refused": refused}
        return {
            "sent": True,
            **seen,
            "recipients": count,
            **{key: value for key, value in told.items() if value},
            "left_today": self._cap.left(),
        }

    def _hand_over(
        self, letter: Letter, attachments: Sequence[Attachment], mime: bytes, deadline: Deadline
    ) -> tuple[str, dict[str, str]]:
        """Return the provider's number of the mail, and whom it refused with the reason."""
        settings = self._settings
        if settings.smtp is None:
            return web.post(settings, web.order(settings, letter, attachments, mime), deadline), {}
        refused = smtp.deliver(
            settings.smtp,
            settings.tls_context(),
            sender=settings.sender,
            recipients=letter.recipients,
            data=mime,
            utf8=not all_plain(letter, settings.sender),
            deadline=deadline,
        )
        return "", {who: self._without_secrets(why) for who, why in refused.items()}

    def _without_secrets(self, text: str) -> str:
        for secret in self._settings.secrets:
            text = text.replace(secret, "••••")
        return "".join(each for each in text if each.isprintable())[:MAX_ERROR]
