"""Mail servers: read from a URL, opened with verified TLS, and what their refusals mean."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from desk.mail import MailError
from desk.mail.message import ADDRESS, Address

CONNECT_SECONDS = 30
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SCHEMES = {
    "imaps": ("tls", 993),
    "imap": ("starttls", 143),
    "imap+plain": ("none", 143),
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("none", 25),
}


class MailAccountError(MailError):
    """A URL, an address or a password file cannot be used; the message names the setting."""


class MailServerError(MailError):
    """The server cannot be reached, is not trusted, or broke off."""


class MailLoginError(MailError):
    """The server refused user and password."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server and who we are there. ``encryption`` is tls, starttls or none (on this machine only)."""

    protocol: str
    host: str
    port: int
    encryption: str
    user: str = ""
    password: str = field(default="", repr=False)
    folder: str = "INBOX"
    ca_file: Path | None = None

    @property
    def account(self) -> str:
        """A name for the account that stays the same when ports and folders change."""
        return self.user if "@" in self.user else f"{self.user}@{self.host}"

    def __str__(self) -> str:
        return f"{self.protocol.upper()} server {self.host}:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """Certificates are verified, by the system's authorities and ``ca_file``. Raises `MailAccountError`."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:
                raise MailAccountError(
                    f"PARETODESK_MAIL_CA_FILE: {self.ca_file} holds no certificates: {error}"
                ) from error
        return context


def parse_server(
    url: str, setting: str, *, password: str = "", password_file: Path | None = None, ca_file: Path | None = None
) -> MailServer:
    """Read ``imaps://user@host:993/FOLDER`` or ``smtps://user@host``. Raises `MailAccountError` naming ``setting``."""
    protocol = "imap" if "IMAP" in setting else "smtp"
    example = "imaps://user@host/INBOX" if protocol == "imap" else "smtps://user@host"
    parts = _split(url, setting, example)
    if parts.scheme not in SCHEMES or not parts.scheme.startswith(protocol):
        known = ", ".join(name for name in SCHEMES if name.startswith(protocol))
        raise MailAccountError(f"{setting}: starts with {parts.scheme!r}; use one of {known}, such as {example}")
    encryption, port = SCHEMES[parts.scheme]
    host = parts.hostname or ""
    if not host:
        raise MailAccountError(f"{setting}: names no host; write it like {example}")
    if parts.password is not None:
        raise MailAccountError(f"{setting}: holds a password; put it into {setting.replace('URL', 'PASSWORD_FILE')}")
    if encryption == "none" and host not in LOOPBACK:
        raise MailAccountError(f"{setting}: {parts.scheme} has no encryption and is for this machine only, not {host}")
    user = unquote(parts.username or "")
    if protocol == "imap" and not user:
        raise MailAccountError(f"{setting}: names no user; write it like {example}")
    secret = _secret(password, password_file, setting.replace("URL", "PASSWORD_FILE"))
    if user and not secret:
        raise MailAccountError(
            f"{setting}: has a user but no password; set {setting.replace('URL', 'PASSWORD')} or _FILE"
        )
    folder = unquote(parts.path.strip("/")) or "INBOX"
    return MailServer(protocol, host, parts.port or port, encryption, user, secret, folder, ca_file)


def parse_sender(text: str, setting: str) -> Address:
    """Read ``Name <address>``. Raises `MailAccountError`."""
    name, mailbox = parseaddr(text)
    if not ADDRESS.fullmatch(mailbox) or not mailbox.isascii():
        raise MailAccountError(f"{setting}: {text!r} is no address; write it like 'Our shop <support@shop.example>'")
    return Address(mailbox, name or None)


@contextmanager
def imap_session(server: MailServer) -> Iterator[IMAPClient]:
    """A connection with the login done; closed at the end. Raises `MailServerError` and `MailLoginError`."""
    with imap_errors(server):
        client = IMAPClient(
            server.host,
            port=server.port,
            ssl=server.encryption == "tls",
            ssl_context=server.tls() if server.encryption == "tls" else None,
            timeout=CONNECT_SECONDS,
        )
    try:
        with imap_errors(server):
            client.normalise_times = False
            if server.encryption == "starttls":
                client.starttls(server.tls())
            client.login(server.user, server.password)
            yield client
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            client.logout()
        with suppress(OSError, imaplib.IMAP4.error):
            client.shutdown()


@contextmanager
def imap_errors(server: MailServer) -> Iterator[None]:
    """Turns what IMAP and the network raise into errors for people."""
    try:
        yield
    except LoginError as error:
        raise MailLoginError(
            f"{server} refused user {server.user!r}: {error}; check PARETODESK_IMAP_URL and the password; "
            "some providers want an app password"
        ) from error
    except imaplib.IMAP4.abort as error:
        raise MailServerError(f"{server} broke off: {error}") from error
    except imaplib.IMAP4.error as error:
        raise MailServerError(f"{server}: {error}") from error
    except (OSError, EOFError) as error:
        raise _unreachable(server, error) from error


@contextmanager
def smtp_session(server: MailServer) -> Iterator[smtplib.SMTP]:
    """A connection with the login done; closed at the end. Raises `MailServerError` and `MailLoginError`."""
    with smtp_errors(server):
        if server.encryption == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=CONNECT_SECONDS, context=server.tls()
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=CONNECT_SECONDS)
    try:
        with smtp_errors(server):
            client.ehlo_or_helo_if_needed()
            if server.encryption == "starttls":
                client.starttls(context=server.tls())
                client.ehlo_or_helo_if_needed()
            if server.user:
                client.login(server.user, server.password)
        yield client
    finally:
        with suppress(OSError):
            client.quit()
        client.close()


@contextmanager
def smtp_errors(server: MailServer) -> Iterator[None]:
    """Turns what SMTP and the network raise before a mail is sent into errors for people."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise MailServerError(f"{server} cannot check user {server.user!r} now: {_said(error)}") from error
        raise MailLoginError(
            f"{server} refused user {server.user!r}: {_said(error)}; check PARETODESK_SMTP_URL and the password"
        ) from error
    except smtplib.SMTPResponseException as error:
        raise MailServerError(f"{server} does not take mail now: {_said(error)}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailServerError(f"{server} does not offer what PARETODESK_SMTP_URL asks for: {error}") from error
    except OSError as error:  # the other errors of smtplib among them
        raise _unreachable(server, error) from error


def _said(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
    return f"{error.smtp_code} {text}"


def _unreachable(server: MailServer, error: Exception) -> MailServerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailServerError(
            f"{server} is not trusted: {error.verify_message}; check the host's name, or give your own authority's "
            "certificate in PARETODESK_MAIL_CA_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return MailServerError(f"{server} speaks no TLS here ({error.reason or error}); check scheme and port")
    if isinstance(error, socket.gaierror):
        return MailServerError(f"{server}: the host's name is not known: {error.strerror}")
    if isinstance(error, TimeoutError):
        return MailServerError(f"{server} does not answer")
    return MailServerError(
        f"{server} cannot be used: {getattr(error, 'strerror', None) or error or 'connection closed'}"
    )


def _split(url: str, setting: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as error:
        raise MailAccountError(f"{setting}: cannot be read ({error}); write it like {example}") from error
    return parts


def _secret(password: str, file: Path | None, setting: str) -> str:
    if password or file is None:
        return password
    try:
        return file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MailAccountError(f"{setting}: {file} cannot be read: {getattr(error, 'strerror', error)}") from error
