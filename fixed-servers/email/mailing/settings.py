"""What the environment says: who sends, through whom, to whom, and how much a day."""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from enum import StrEnum
from urllib.parse import urlsplit

from mailing.addresses import read_address
from mailing.errors import MailError

MOST_A_DAY = 10_000
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
SUBMISSION_PORT, TLS_PORT = 587, 465


class Provider(StrEnum):
    """Through whom mail goes; the first whose credentials are there."""

    SENDGRID = "sendgrid"
    RESEND = "resend"
    MAILGUN = "mailgun"
    SMTP = "smtp"


class Security(StrEnum):
    """How the way to an SMTP server is kept from others."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """On loopback only."""
    OFFERED = "offered"
    """STARTTLS if the server has it; on loopback only."""


NEEDED = {
    Provider.SENDGRID: ("SENDGRID_API_KEY",),
    Provider.RESEND: ("RESEND_API_KEY",),
    Provider.MAILGUN: ("MAILGUN_API_KEY", "MAILGUN_DOMAIN"),
    Provider.SMTP: ("SMTP_HOST",),
}
SECRETS = ("SENDGRID_API_KEY", "RESEND_API_KEY", "MAILGUN_API_KEY", "SMTP_PASSWORD")
URLS = {
    Provider.SENDGRID: ("SENDGRID_URL", "https://api.sendgrid.com"),
    Provider.RESEND: ("RESEND_URL", "https://api.resend.com"),
    Provider.MAILGUN: ("MAILGUN_URL", "https://api.mailgun.net"),
}


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server and how to talk to it."""

    host: str
    port: int
    security: Security
    username: str
    password: str
    proxy: str
    """The way out of the sandbox: `http://host:port`; empty: none is needed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was set."""

    sender: Address
    provider: Provider
    key: str
    """Of an HTTP provider."""
    url: str
    mailgun_domain: str
    smtp: MailServer | None
    allowed: tuple[str, ...]
    daily_cap: int
    dry_run: bool
    ca_file: str | None
    """Certificates to trust in place of the system's."""
    secrets: tuple[str, ...]
    """What no answer may hold."""

    def tls_context(self) -> ssl.SSLContext:
        """Return what certificates are checked with. Raises MailError: `ca_file` is unusable."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise MailError(
                f"EMAIL_CA_FILE {self.ca_file} cannot be used ({error.strerror or error}); it must "
                "be a file of certificates that this server was granted to read."
            ) from error


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings. Raises MailError: one is wrong, or no provider is set up."""
    given = {key: value.strip() for key, value in environ.items() if value.strip()}
    if "SENDER_EMAIL" not in given:
        raise MailError("SENDER_EMAIL is not set: whom shall mail come from?")
    provider = _provider(given)
    name, url = URLS.get(provider, ("", ""))
    return Settings(
        sender=read_address(given["SENDER_EMAIL"]),
        provider=provider,
        key=given.get(NEEDED[provider][0], "") if provider is not Provider.SMTP else "",
        url=_url(name, given.get(name, url)),
        mailgun_domain=given.get("MAILGUN_DOMAIN", ""),
        smtp=_mail_server(given) if provider is Provider.SMTP else None,
        allowed=tuple(given.get("EMAIL_ALLOWED_RECIPIENTS", "").replace(",", " ").split()),
        daily_cap=_number(given, "EMAIL_DAILY_CAP", 100, most=MOST_A_DAY),
        dry_run=_switch(given, "EMAIL_DRY_RUN"),
        ca_file=given.get("EMAIL_CA_FILE"),
        secrets=tuple(given[key] for key in SECRETS if key in given),
    )


def _provider(given: Mapping[str, str]) -> Provider:
    ready = [each for each in Provider if all(key in given for key in NEEDED[each])]
    wanted = given.get("EMAIL_PROVIDER")
    if wanted is not None:
        if wanted not in {each.value for each in ready}:
            raise MailError(
                f"EMAIL_PROVIDER is {wanted!r}, which is not one of {', '.join(Provider)} "
                "with its credentials set."
            )
        return Provider(wanted)
    if not ready:
        ways = "; ".join(" and ".join(keys) for keys in NEEDED.values())
        raise MailError(f"No provider is set up. Set the credentials of one: {ways}.")
    return ready[0]


def _mail_server(given: Mapping[str, str]) -> MailServer:
    host = given["SMTP_HOST"]
    if not _HOST.fullmatch(host):
        raise MailError(f"SMTP_HOST is {host[:100]!r}; write a name such as smtp.example.com.")
    port = _number(given, "SMTP_PORT", SUBMISSION_PORT, most=65535)
    usual = Security.TLS if port == TLS_PORT else Security.STARTTLS
    near = _is_loopback(host)
    wanted = given.get("SMTP_SECURITY", Security.OFFERED if near and port != TLS_PORT else usual)
    if wanted not in set(Security):
        raise MailError(f"SMTP_SECURITY is {wanted!r}; write starttls, tls or none.")
    security = Security(wanted)
    if security in (Security.NONE, Security.OFFERED) and not near:
        raise MailError("SMTP_SECURITY may be 'none' for a mail server on this machine only.")
    return MailServer(
        host=host,
        port=port,
        security=security,
        username=given.get("SMTP_USERNAME", ""),
        password=given.get("SMTP_PASSWORD", ""),
        proxy=given.get("HTTPS_PROXY", ""),
    )


def _url(key: str, url: str) -> str:
    """Return a provider's address; another one is for its other regions, and for tests."""
    parts = urlsplit(url)
    near = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    if url and not (parts.scheme == "https" and parts.hostname) and not near:
        raise MailError(f"{key} is {url[:100]!r}; write an https address.")
    return url.rstrip("/")


def _number(given: Mapping[str, str], key: str, default: int, *, most: int) -> int:
    text = given.get(key, str(default))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
        raise MailError(f"{key} is {text[:40]!r}; write a whole number from 1 to {most}.")
    return int(text)


def _switch(given: Mapping[str, str], key: str) -> bool:
    text = given.get(key, "no").lower()
    if text not in ("yes", "no", "true", "false", "1", "0", "on", "off"):
        raise MailError(f"{key} is {text[:40]!r}; write yes or no.")
    return text in ("yes", "true", "1", "on")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
