"""How large a share of what the model learns may come from one person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

SHARE_OF_ALL = 1 / 3
"""One labeller teaches at most this share of all tickets."""
SHARE_OF_REASON = 1 / 2
"""One labeller teaches at most this share of a reason's tickets."""
ALWAYS_OF_REASON = 30
"""So many tickets of a reason anybody may teach: a new reason starts with one person's examples."""
ALWAYS_OF_ALL = 300
"""So many tickets anybody may teach: a small desk has one person who labels."""


class LabelledTicket(Protocol):
    """A ticket with its label and who gave it; `training.snapshots.SnapshotTicket` is one."""

    @property
    def id(self) -> str:
        """The ticket's id."""
        ...

    @property
    def reason(self) -> str:
        """The label."""
        ...

    @property
    def group(self) -> str:
        """Ties tickets that must not be split."""
        ...

    @property
    def labelled_by(self) -> str | None:
        """Pseudonym of the labeller; None for the shipped corpus and bot outcomes, which nobody answers for."""
        ...


class PutAside(NamedTuple):
    """A label that does not teach until a person has looked at it."""

    id: str
    labeller: str
    because: str


def beyond_share(tickets: Sequence[LabelledTicket]) -> tuple[PutAside, ...]:
    """Labels beyond a labeller's share of a reason or of all; which ones is decided by the ticket's id alone."""
    by_reason = Counter(ticket.reason for ticket in tickets)
    mine: dict[tuple[str, str], list[str]] = defaultdict(list)
    for ticket in tickets:
        if ticket.labelled_by:
            mine[ticket.labelled_by, ticket.reason].append(ticket.id)
    aside: list[PutAside] = []
    for (who, reason), ids in sorted(mine.items()):
        if over := _over(ids, by_reason[reason], SHARE_OF_REASON, ALWAYS_OF_REASON):
            because = f"more than {SHARE_OF_REASON:.0%} of the tickets of {reason} by one person"
            aside += [PutAside(ticket_id, who, because) for ticket_id in over]
    gone = {put.id for put in aside}
    rest: dict[str, list[str]] = defaultdict(list)
    for ticket in tickets:
        if ticket.labelled_by and ticket.id not in gone:
            rest[ticket.labelled_by].append(ticket.id)
    for who, ids in sorted(rest.items()):
        if over := _over(ids, len(tickets) - len(gone), SHARE_OF_ALL, ALWAYS_OF_ALL):
            because = f"more than {SHARE_OF_ALL:.0%} of all tickets by one person"
            aside += [PutAside(ticket_id, who, because) for ticket_id in over]
    return tuple(aside)


def _over(ids: Sequence[str], total: int, share: float, always: int) -> list[str]:
    """The ids to leave out so that what stays is at most ``share`` of what then is there, or ``always``."""
    others = total - len(ids)
    may = max(always, round(others * share / (1 - share)))
    return sorted(ids, key=lambda ticket_id: sha256(ticket_id.encode()).digest())[may:]
