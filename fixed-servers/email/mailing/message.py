"""A mail as people give it, and as MIME has it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, localtime, make_msgid
from typing import Any, Self

from mailing.addresses import check_line, is_plain, read_address
from mailing.attachments import Attachment
from mailing.errors import MailError

POLICY = SMTP.clone(cte_type="7bit")
"""Every mail server can take it."""
_FOLD = re.compile(r"\r\n[ \t]")
"""Where a long header goes on in the next line (RFC 5322, 2.2.3)."""
MAX_RECIPIENTS = 50
MAX_SUBJECT = 500
MAX_TEXT = 1_000_000
"""Characters, of the text and of the HTML."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody wants sent, checked."""

    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    text: str
    html: str

    @classmethod
    def of(
        cls,
        *,
        to: Sequence[str],
        cc: Sequence[str],
        bcc: Sequence[str],
        reply_to: Sequence[str],
        subject: str,
        text: str,
        html: str,
    ) -> Self:
        """Check everything. Raises MailError."""
        seen: set[str] = set()
        lists = [_addresses(each, seen) for each in (to, cc, bcc)]
        if not lists[0]:
            raise MailError("Name at least one recipient in `to`.")
        if len(seen) > MAX_RECIPIENTS:
            raise MailError(
                f"A mail may have {MAX_RECIPIENTS} recipients; this one has {len(seen)}."
            )
        if not text and not html:
            raise MailError("The mail is empty: give `text`, `html` or both.")
        if len(subject) > MAX_SUBJECT or max(len(text), len(html)) > MAX_TEXT:
            raise MailError(
                f"A subject may have {MAX_SUBJECT} characters, text and HTML {MAX_TEXT} each."
            )
        return cls(
            *lists,
            reply_to=_addresses(reply_to, set()),
            subject=check_line("subject", subject),
            text=text,
            html=html,
        )

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everybody who gets it."""
        return (*self.to, *self.cc, *self.bcc)


def compose(letter: Letter, sender: Address, attachments: Sequence[Attachment]) -> EmailMessage:
    """Return the MIME message; who is in `bcc` does not stand in it.

    Raises MailError: the name of an attachment is no text for a header.
    """
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = letter.to
    if letter.cc:
        message["Cc"] = letter.cc
    if letter.reply_to:
        message["Reply-To"] = letter.reply_to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.domain)
    if letter.text:
        message.set_content(letter.text)
    if letter.html and letter.text:
        message.add_alternative(letter.html, subtype="html")
    elif letter.html:
        message.set_content(letter.html, subtype="html")
    for each in attachments:
        check_line("name of an attachment", each.name)
        main, _, sub = each.kind.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    return message


def encode(message: EmailMessage, letter: Letter, sender: Address) -> bytes:
    """Return the bytes that travel: ASCII alone, unless an address cannot be written so.

    Raises MailError: a header would not stay one.
    """
    policy = POLICY.clone(utf8=not all_plain(letter, sender))
    check_headers(message, policy)
    return message.as_bytes(policy=policy)


def check_headers(message: EmailMessage, policy: "EmailPolicy[Any]") -> None:
    """Refuse a message with a header that, as it is written, holds more than its own lines.

    What was given is checked where it is read; this holds whatever the library makes of it.
    """
    for part in message.walk():
        for name, value in part.items():
            written = policy.fold(name, value).removesuffix("\r\n")
            if not _FOLD.sub(" ", written).isprintable():
                raise MailError(
                    f"The header {name} would hold a line break or another control character; "
                    "leave it out."
                )


def all_plain(letter: Letter, sender: Address) -> bool:
    """Return whether servers without SMTPUTF8 (RFC 6531) can take a mail."""
    return all(map(is_plain, (sender, *letter.recipients, *letter.reply_to)))


def _addresses(given: Sequence[str], seen: set[str]) -> tuple[Address, ...]:
    """Return addresses without those that were seen: nobody gets a mail twice."""
    found: list[Address] = []
    for each in map(read_address, given):
        if each.addr_spec.lower() not in seen:
            seen.add(each.addr_spec.lower())
            found.append(each)
    return tuple(found)
