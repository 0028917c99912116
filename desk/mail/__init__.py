"""What came by mail, and what goes out by mail?

    IMAP folder -> message -> who wrote, and is it a machine -> thread -> ticket, further message, or note
    reply -> outbox -> SMTP

Each mail is one transaction, in which the folder's cursor moves too: a crash repeats nothing and loses nothing.

MailError
    ├── MailAccountError      desk.mail.accounts   a URL or a password cannot be used
    ├── MailServerError       desk.mail.accounts   the server cannot be reached, or broke off: worth trying again
    ├── MailLoginError        desk.mail.accounts   the server refused user and password: trying again locks accounts
    ├── MailUnreadableError   desk.mail.message    no parser makes sense of a message; it is kept as it came
    └── NotAnswerableError    desk.mail.replies    a ticket has no address that a mail could go to
"""

from desk import DeskError


class MailError(DeskError):
    """Base of every error of the mailbox."""
