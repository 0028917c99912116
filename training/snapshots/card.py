"""The data card of a snapshot: where its tickets are from, how many there are of what, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

from training.snapshots.snapshot import BOT, CONFIRMED, CORRECTED, Snapshot

SOURCE_WORDS = {
    CONFIRMED: "a person confirmed what the model had said",
    CORRECTED: "a person corrected the model, or labelled what no model had",
    BOT: "a customer told the bot that its answer on this reason helped, and did not come back within 7 days",
}
_PREPARED = (
    "Subject and body are the customer's words as they came in; what was written later never enters.",
    "Labels are those known at the end of the last day; the newest label of a person counts.",
    "A person's label wins over the bot's.",
    "E-mail addresses, telephone, order and tracking numbers, names, streets and the like are replaced by placeholders "
    "such as [ORDER_ID]; orders, customers and agents stand under pseudonyms made with a key that stays on the desk.",
    "Of texts that are equal but for case, accents, digits, punctuation and placeholders one is kept: that with the "
    "newest label. All tickets of one order, one customer or one such text are one group and are never split.",
)
_LIMITS = (
    "People label what they open: tickets that nobody looked at are missing, so shares of reasons here are not those "
    "of the inbox.",
    "An agent sees the model's tag before labelling; a confirmation is weaker evidence than a correction.",
    "Labels of the bot are weak evidence: a helped customer may have asked for something else. They are learned from "
    "and never measured on.",
    "Redaction works by patterns and lists of names; a name it does not know stays. Treat the files as personal data.",
    "Erasing a customer at the desk does not change a snapshot; delete snapshots that hold the ticket and freeze anew.",
)


def snapshot_card(snapshot: Snapshot) -> str:
    """The card as Markdown."""
    counts, people = snapshot.counts, {ticket.labelled_by for ticket in snapshot.tickets} - {None}
    lines = [
        f"# Data card: snapshot {snapshot.id}",
        "",
        f"- tickets: {len(snapshot.tickets)} in {len({ticket.group for ticket in snapshot.tickets})} groups",
        f"- opened: {snapshot.first_day} to {snapshot.last_day} (UTC, both days included)",
        f"- labelled by: {len(people)} people",
        f"- frozen: {snapshot.created_at.isoformat(timespec='seconds')}",
        f"- sha256: {snapshot.hash}",
        "",
        "## How it was made",
        "",
        *(f"- {line}" for line in _PREPARED),
        "",
        "## Where the labels are from",
        "",
        *(f"- {source}: {counts['source'].get(source, 0)} ({words})" for source, words in SOURCE_WORDS.items()),
        "",
        "## Left out",
        "",
        *([f"- {why}: {n}" for why, n in sorted(snapshot.dropped.items())] or ["- nothing"]),
        "",
        *_table("By reason", counts["reason"]),
        *_table("By language", counts["language"]),
        *_table("By channel", counts["channel"]),
        "## Known limits",
        "",
        *(f"- {line}" for line in _LIMITS),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, counts: Mapping[str, int]) -> list[str]:
    rows = [f"| {name.replace('|', ' ')} | {n} |" for name, n in sorted(counts.items(), key=lambda row: (-row[1], row))]
    return [f"## {title}", "", "| | tickets |", "|-|-|", *rows, ""]
