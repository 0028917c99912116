"""A retraining in a process of its own, to be killed: ``python -m`` or by path, with a folder as its argument.

Prints a line for every step, so that whoever kills it knows where it is.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from classifier.encoders import UniversalEncoder
from classifier.taxonomy import Autonomy, starter_taxonomy
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import STARTER_CORPUS, Example, load_corpus
from training.fitting import Settings
from training.retraining import Plan, Retrained, retrain_from
from training.snapshots import CONFIRMED, Snapshot, SnapshotTicket

REASONS = ("tracking_update", "return_request", "thanks", "invoice_request", "safety_or_counterfeit", "payment_issue")
LAST_DAY = date(2026, 10, 31)
NEWEST = datetime(2026, 9, 15, tzinfo=UTC)
OLDER = datetime(2026, 3, 15, tzinfo=UTC)


def shipped(corpus: Sequence[Example], learned: int = 25, frozen: int = 8) -> list[Example]:
    """A starter corpus of the six reasons: so many English tickets of each to learn from and frozen."""
    taken: Counter[tuple[str, bool]] = Counter()
    chosen = []
    for example in sorted(corpus, key=lambda example: (len(example.body), example.id)):
        slot = example.reason, example.frozen
        if example.locale == "en" and example.reason in REASONS and taken[slot] < (frozen if slot[1] else learned):
            taken[slot] += 1
            chosen.append(example)
    return chosen


def of_desk(corpus: Sequence[Example], older: int = 10, newest: int = 5) -> list[SnapshotTicket]:
    """Longer tickets of the same reasons, as if they had come in and been confirmed."""
    tickets = []
    for reason in REASONS:
        mine = [e for e in corpus if e.reason == reason and e.locale == "en"]
        mine.sort(key=lambda example: (-len(example.body), example.id))
        for number, example in enumerate(mine[: older + newest]):
            at = (OLDER if number < older else NEWEST) + timedelta(hours=number)
            tickets.append(
                SnapshotTicket(
                    f"T-{reason}-{number}", reason, "en", example.channel, "", example.subject, example.body,
                    f"desk-{reason}-{number}", at, CONFIRMED, f"agent-{number % 2}", at, reason, 0.8,
                )
            )  # fmt: skip
    return sorted(tickets, key=lambda ticket: (ticket.opened_at, ticket.id))


def snapshot_of(tickets: Sequence[SnapshotTicket]) -> Snapshot:
    """A snapshot of these tickets until the last day."""
    return Snapshot(tickets[0].opened_at.date(), LAST_DAY, datetime.now(UTC), tuple(tickets))


def plan(encoder: UniversalEncoder | None = None, corpus: Sequence[Example] | None = None) -> Plan:
    """The same plan in every process."""
    taxonomy = starter_taxonomy()
    examples = corpus or load_corpus(STARTER_CORPUS, taxonomy)
    settings = Settings(human_only=taxonomy.with_autonomy(Autonomy.HUMAN_ONLY))
    return Plan(shipped(examples), snapshot_of(of_desk(examples)), encoder or UniversalEncoder(threads=1), settings)


def run(folder: Path, made: Plan, progress=lambda *_: None) -> Retrained:
    """Retrain in ``folder``."""
    registry, key = Registry(folder / "store"), SigningKey.read_or_create(folder / "signing.key")
    return retrain_from(made, registry, key, folder / "retraining", progress=progress)


def tell(what: str, done: int, total: int) -> None:
    """One line a step."""
    print(f"{what} {done}/{total}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    result = run(Path(sys.argv[1]), plan(), tell)
    print(json.dumps(result.to_json()), flush=True)
