"""Which tickets are learned from and which only measured on: by time and by group, never at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from training.corpus import Example
from training.snapshots import Snapshot, SnapshotTicket

NEWEST_DAYS = 92
"""The newest quarter: the last days of a snapshot, the longest quarter's length."""
BOT_SHARE = 0.25
"""At most this share of a reason's tickets may have their label from the bot: it is weaker evidence."""


@dataclass(frozen=True)
class Parts:
    """The tickets of one retraining.

    ``learned`` are learned from before the verdict: neither frozen nor of the newest quarter, nor of a group that
    occurs in either. ``later`` joins them in the model that serves: the newest quarter but for frozen groups. No ticket
    of ``frozen`` or ``newest`` was labelled by the bot; ``newest`` holds frozen groups too.
    """

    learned: tuple[Example, ...]
    later: tuple[Example, ...]
    frozen: tuple[Example, ...]
    newest: tuple[SnapshotTicket, ...]
    last_learned_day: date | None
    last_later_day: date | None

    def newest_after(self, day: date | None) -> list[Example]:
        """The newest quarter, without what was opened up to ``day``: the last day that the champion learned from."""
        return [ticket.example() for ticket in self.newest if day is None or ticket.opened_at.date() > day]

    def without(self, aside: Collection[str], refused: Collection[str], snapshot: Snapshot) -> Parts:
        """Not learned from: the tickets ``aside``. Not measured on: labels of the ``refused`` labellers."""
        untrusted = {ticket.example().id for ticket in snapshot.tickets if ticket.labelled_by in refused}
        return replace(
            self,
            learned=tuple(example for example in self.learned if example.id not in aside),
            later=tuple(example for example in self.later if example.id not in aside),
            frozen=tuple(example for example in self.frozen if example.id not in untrusted),
            newest=tuple(ticket for ticket in self.newest if ticket.labelled_by not in refused),
        )

    def counts(self) -> dict[str, int]:
        """How many tickets each part has."""
        return {name: len(getattr(self, name)) for name in ("learned", "later", "frozen", "newest")}


def parts_of(corpus: Sequence[Example], snapshot: Snapshot) -> Parts:
    """Split the starter corpus and a snapshot. Reasons that nothing is learned of are not measured on."""
    first_of_newest = snapshot.last_day - timedelta(days=NEWEST_DAYS - 1)
    newest = [ticket for ticket in snapshot.tickets if ticket.opened_at.date() >= first_of_newest]
    groups = {ticket.group for ticket in newest}
    learned: list[SnapshotTicket] = []
    later: list[SnapshotTicket] = []
    frozen = [example for example in corpus if example.frozen]
    for ticket in snapshot.tickets:
        example = ticket.example()
        if example.frozen:
            frozen += [example] if ticket.by_person else []
        else:
            (later if ticket.group in groups else learned).append(ticket)
    taught = Counter(example.reason for example in corpus if not example.frozen)
    learned = _fewer_of_bot(learned, taught)
    later = _fewer_of_bot(later, taught + Counter(ticket.reason for ticket in learned))
    examples = [example for example in corpus if not example.frozen] + [ticket.example() for ticket in learned]
    known = {example.reason for example in examples}
    return Parts(
        tuple(examples),
        tuple(ticket.example() for ticket in later),
        tuple(example for example in frozen if example.reason in known),
        tuple(ticket for ticket in newest if ticket.by_person and ticket.reason in known),
        _last_day(learned),
        _last_day([*learned, *later]),
    )


def _fewer_of_bot(tickets: Sequence[SnapshotTicket], taught: Counter[str]) -> list[SnapshotTicket]:
    """Without the oldest ones that the bot labelled, where they are more than `BOT_SHARE` of a reason."""
    others = taught + Counter(ticket.reason for ticket in tickets if ticket.by_person)
    room = {reason: int(n * BOT_SHARE / (1 - BOT_SHARE)) for reason, n in others.items()}
    kept = []
    for ticket in reversed(tickets):
        if not ticket.by_person:
            room[ticket.reason] = room.get(ticket.reason, 0) - 1
            if room[ticket.reason] < 0:
                continue
        kept.append(ticket)
    return kept[::-1]


def _last_day(tickets: Sequence[SnapshotTicket]) -> date | None:
    return max((ticket.opened_at.date() for ticket in tickets), default=None)
