"""Takes labelled tickets out of the desk as they were known on a day: redacted, grouped, one of each text."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from classifier.features import feature_text
from classifier.folding import fold
from classifier.redaction import redact
from classifier.taxonomy import Taxonomy
from desk.access.personal_data import is_erased
from desk.inbox import Desk
from training.fitting import Progress, silent
from training.placeholders import without_placeholders
from training.snapshots.labels import Label, bot_labels, labels_of_people
from training.snapshots.snapshot import Snapshot, SnapshotError, SnapshotTicket

ERASED = "the customer's words were erased"
UNKNOWN_REASON = "the taxonomy has no such reason any more"
NO_WORDS = "nothing is left of the text without signature, quotation and numbers"
REPEATED = "the same words as another ticket with the same reason"
CONTRADICTED = "the same words as another ticket that was labelled otherwise later"
OVERRULED = "a person labelled the same words, the bot only answered"
PROGRESS_EVERY = 200

_NO_LETTER = re.compile(r"[\W\d_]+")


def freeze(
    desk: Desk,
    until: date,
    since: date | None = None,
    *,
    secret: bytes = b"",
    progress: Progress = silent,
) -> Snapshot:
    """Labelled tickets opened from ``since`` (the first day that has any) to ``until``, both included, UTC.

    Only labels given by the end of ``until`` count, so that freezing the same days again gives the same hash, whatever
    happened since (but for erased customers). ``secret`` is the key of the pseudonyms: with another key groups have
    other names, and so other groups are frozen. Raises `SnapshotError` for days in the wrong order, `DatabaseError`.
    """
    if since is not None and since > until:
        raise SnapshotError(f"the first day {since} is after the last day {until}; swap them")
    start = datetime.combine(since, time.min, tzinfo=UTC) if since else None
    end = datetime.combine(until, time.min, tzinfo=UTC) + timedelta(days=1)
    with desk.database.session(read_only=True) as session:
        labels = [*labels_of_people(session, start, end), *bot_labels(session, start, end)]
    dropped: Counter[str] = Counter()
    usable = [label for label in labels if not _refused(label, desk.taxonomy, dropped)]
    found: list[tuple[Label, SnapshotTicket]] = []
    for number, label in enumerate(usable, start=1):
        ticket = _redacted(label, secret)
        if _words(feature_text(ticket.subject, ticket.body)):
            found.append((label, ticket))
        else:
            dropped[NO_WORDS] += 1
        if number % PROGRESS_EVERY == 0 or number == len(usable):
            progress("redacting tickets", number, len(usable))
    kept = _one_of_each_text(_grouped(found, secret), dropped)
    kept.sort(key=lambda ticket: (ticket.opened_at, ticket.id))
    first = since or (kept[0].opened_at.date() if kept else until)
    return Snapshot(first, until, datetime.now(UTC), tuple(kept), dict(dropped))


def _refused(label: Label, taxonomy: Taxonomy, dropped: Counter[str]) -> bool:
    if is_erased(label.subject, label.body):
        dropped[ERASED] += 1
    elif label.reason not in taxonomy:
        dropped[UNKNOWN_REASON] += 1
    else:
        return False
    return True


def _redacted(label: Label, secret: bytes) -> SnapshotTicket:
    names = [label.customer_name] if label.customer_name else []

    def clean(text: str) -> str:
        for value, placeholder in ((label.order_id, "[ORDER_ID]"), (label.customer_email, "[EMAIL]")):
            if value and len(value.strip()) > 3:
                text = re.sub(rf"(?<![\w-]){re.escape(value.strip())}(?![\w-])", placeholder, text, flags=re.I)
        return redact(text, label.locale, names)

    return SnapshotTicket(
        id=label.id,
        reason=label.reason,
        locale=label.locale,
        channel=label.channel,
        marketplace=label.marketplace,
        subject=clean(label.subject),
        body=clean(label.body),
        group="",
        opened_at=label.opened_at,
        source=label.source,
        labelled_by=_pseudonym(secret, "agent", label.labelled_by) if label.labelled_by else None,
        labelled_at=label.labelled_at,
        tagged=label.tagged,
        tagged_probability=label.tagged_probability,
        undecided=label.undecided,
    )


def _grouped(found: Sequence[tuple[Label, SnapshotTicket]], secret: bytes) -> list[SnapshotTicket]:
    """Tickets with their groups: those tied by an order, a customer or a text, named after the one opened first.

    The first one's name stays when later tickets join the group, so that a frozen group stays frozen.
    """
    leader: dict[str, str] = {}

    def root(key: str) -> str:
        while leader.setdefault(key, key) != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    order = sorted(found, key=lambda pair: (pair[1].opened_at, pair[1].id))
    keys = [list(_ties(label, ticket)) for label, ticket in order]
    for tied in keys:
        for other in tied[1:]:
            leader[root(other)] = root(tied[0])
    names: dict[str, str] = {}
    for tied in keys:
        names.setdefault(root(tied[0]), tied[0])
    return [
        replace(ticket, group=_pseudonym(secret, "desk", names[root(tied[0])]))
        for (_, ticket), tied in zip(order, keys, strict=True)
    ]


def _ties(label: Label, ticket: SnapshotTicket) -> Iterable[str]:
    owners = ("order", label.order_id), ("customer", label.customer_email)
    yield from (f"{kind}:{value.strip().lower()}" for kind, value in owners if value and value.strip())
    yield f"text:{text_key(ticket)}"


def text_key(ticket: SnapshotTicket) -> str:
    """Equal for texts that differ by case, accents, digits, punctuation and placeholders alone."""
    return hashlib.sha256(_words(f"{ticket.subject} {ticket.body}").encode("utf-8", "replace")).hexdigest()


def _words(text: str) -> str:
    return _NO_LETTER.sub(" ", fold(without_placeholders(text))).strip()


def _one_of_each_text(tickets: Sequence[SnapshotTicket], dropped: Counter[str]) -> list[SnapshotTicket]:
    by_text: dict[str, list[SnapshotTicket]] = defaultdict(list)
    for ticket in tickets:
        by_text[text_key(ticket)].append(ticket)
    kept = []
    for same in by_text.values():
        best = max(same, key=lambda ticket: (ticket.by_person, ticket.labelled_at, ticket.id))
        kept.append(best)
        for other in same:
            if other is not best:
                dropped[_why(other, best)] += 1
    return kept


def _why(other: SnapshotTicket, best: SnapshotTicket) -> str:
    if other.reason == best.reason:
        return REPEATED
    return OVERRULED if best.by_person and not other.by_person else CONTRADICTED


def _pseudonym(secret: bytes, kind: str, value: Any) -> str:
    return f"{kind}-" + hmac.new(secret, str(value).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]
