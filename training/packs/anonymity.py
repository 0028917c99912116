"""Tickets and answers that a training pack may print: no names, no numbers, nothing that leads back to a customer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from classifier.redaction import PERSONAL, redact
from desk.ticket import Ticket

_PLACEHOLDER = re.compile(rf"\[({'|'.join(sorted(kind.upper() for kind in PERSONAL))})\]")
_NAME_PARTS = re.compile(r"[^\W\d_][^\W\d_'’-]+")
_SHORTEST = 3
"""Shorter pieces of a name are also pieces of other words."""


def anonymous(text: str, language: str, ticket: Ticket | None, people: Iterable[str], words: Mapping[str, str]) -> str:
    """``text`` redacted, with what the ticket's own fields say and the names of ``people`` taken out too.

    ``words`` is how the reader's language writes what was taken out, by kind (`NAME`, `ORDER_ID`, ...).
    """
    if ticket:
        for value, kind in ((ticket.order_id, "ORDER_ID"), (ticket.customer_email, "EMAIL")):
            if value and len(value.strip()) >= _SHORTEST:
                text = re.sub(re.escape(value.strip()), f"[{kind}]", text, flags=re.I)
    names = [*people, ticket.customer_name or ""] if ticket else list(people)
    known = {part for name in names for part in (name, *_NAME_PARTS.findall(name)) if len(part) >= _SHORTEST}
    redacted = redact(text, language, known)
    return _PLACEHOLDER.sub(lambda match: f"[{words[match[1]]}]", redacted).strip()
