"""A public reply goes the way that the ticket came: where that is mail, it is recorded and queued at once."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.wording import starter_wording
from desk.ledger import EventKind, append
from desk.mail.replies import came_by_mail, queue_answer_to_chat, queue_reply
from desk.tables import tickets
from desk.teamwork import check_unchanged
from service.problems import ProblemError
from service.wiring import Services


def send_reply(
    services: Services, ticket_id: str, text: str, actor: str, macro: str | None = None, seen: int | None = None
) -> None:
    """Record a reply that passed the policy check, and queue it where it goes by mail.

    Raises `ProblemError`, 409, when it would have to go by mail and no server is set up: a reply that is recorded but
    never sent would look like an answer. Raises `NotAnswerableError` when the customer has no address, and
    `CollisionError` when somebody else acted on the ticket after event ``seen``.
    """
    kind = EventKind.MACRO_SENT if macro else EventKind.REPLIED
    data = {"text": text, "automatic": False} | ({"macro": macro} if macro else {})

    def act(session: Session) -> None:
        if seen is not None:
            check_unchanged(session, ticket_id, seen, actor)
        append(session, ticket_id, kind, actor=actor, data=data)
        if not came_by_mail(session, ticket_id):
            _mail_to_chat(services, session, ticket_id, text)
            return
        if services.mail.sender is None:
            raise ProblemError(
                409,
                "this ticket came by mail and no server is set up to answer it: set PARETODESK_SMTP_URL and restart",
            )
        queue_reply(session, ticket_id, text, sender=services.mail.sender)

    services.database.write(act)


def _mail_to_chat(services: Services, session: Session, ticket_id: str, text: str) -> None:
    """The customer of a chat may have gone: what people answer goes to a proven e-mail address as well."""
    if services.mail.sender is None:
        return
    wording = starter_wording()
    language = session.scalar(sa.select(tickets.c.language).where(tickets.c.id == ticket_id))
    words = wording[str(language) if language in wording else "en"]
    subject = words.mail_subject.format(shop=services.settings.shop, ticket=ticket_id)
    queue_answer_to_chat(session, ticket_id, text, sender=services.mail.sender, subject=subject)
