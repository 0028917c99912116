"""The mailbox as the settings describe it, and reading it while the desk serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from desk.database import Database
from desk.jobs import JobKind
from desk.mail.accounts import MailAccountError, MailServer, parse_sender, parse_server
from desk.mail.message import Address
from desk.mail.polling import MailPoller
from desk.mail.receiving import Mailbox
from desk.mail.replies import SEND_MAIL
from desk.mail.sending import handle_sending
from service.settings import Settings


@dataclass(slots=True)
class MailDesk:
    """Where mail comes from and goes to; None what is not set up. ``poller`` reads while the desk serves."""

    imap: MailServer | None = None
    smtp: MailServer | None = None
    sender: Address | None = None
    poller: MailPoller | None = None

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox, and the addresses that we write from."""
        if self.imap is None:
            raise MailAccountError("PARETODESK_IMAP_URL: is not set; write it like imaps://user@host/INBOX")
        own = {self.sender.key} if self.sender else set()
        return Mailbox(
            self.imap.account, frozenset(own | ({self.imap.user.lower()} if "@" in self.imap.user else set()))
        )

    @property
    def problem(self) -> str | None:
        """Why mail does not come in now; None where it does, or where there is no mailbox."""
        return self.poller.problem if self.poller else None

    @contextmanager
    def reading(self, database: Database) -> Iterator[None]:
        """Read the mailbox, where there is one, in the background until the block ends."""
        if self.imap is None:
            yield
            return
        self.poller = MailPoller(database, self.mailbox, self.imap)
        with self.poller.running():
            yield

    def job_kinds(self) -> tuple[JobKind, ...]:
        """How queued answers are sent; without a server they wait."""
        smtp = self.smtp
        if smtp is None:
            return ()
        return (JobKind(SEND_MAIL, lambda run: handle_sending(run, smtp)),)


def mail_desk(settings: Settings) -> MailDesk:
    """What the settings say. Raises `MailAccountError`, which names the setting that is wrong."""
    mail = MailDesk()
    if settings.imap_url:
        mail.imap = parse_server(
            settings.imap_url,
            "PARETODESK_IMAP_URL",
            password=settings.imap_password,
            password_file=settings.imap_password_file,
            ca_file=settings.mail_ca_file,
        )
    if not settings.smtp_url:
        return mail
    own_password = settings.smtp_password or settings.smtp_password_file
    mail.smtp = parse_server(
        settings.smtp_url,
        "PARETODESK_SMTP_URL",
        password=settings.smtp_password if own_password else settings.imap_password,
        password_file=settings.smtp_password_file if own_password else settings.imap_password_file,
        ca_file=settings.mail_ca_file,
    )
    if not settings.mail_from and "@" not in mail.smtp.user:
        raise MailAccountError("PARETODESK_MAIL_FROM: is not set; write it like 'Our shop <support@shop.example>'")
    mail.sender = parse_sender(settings.mail_from or mail.smtp.user, "PARETODESK_MAIL_FROM")
    return mail
