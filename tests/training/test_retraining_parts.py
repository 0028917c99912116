"""What is learned from and what only measured on: by time and by group."""

from datetime import UTC, date, datetime, timedelta

from training.corpus import Example
from training.retraining.parts import NEWEST_DAYS, parts_of
from training.snapshots import BOT, CONFIRMED, Snapshot, SnapshotTicket

LAST = date(2026, 9, 30)
NEWEST = datetime(2026, 8, 1, tzinfo=UTC)
OLD = datetime(2026, 2, 1, tzinfo=UTC)


def shipped(number: int, reason: str = "thanks") -> Example:
    return Example(f"s-{reason}-{number}", reason, "en", "chat", "", f"text {number}", f"scenario-{reason}-{number}")


CORPUS = [shipped(i, reason) for i in range(30) for reason in ("thanks", "tracking_update")]


def group(*, frozen: bool, taken: tuple[str, ...] = ()) -> str:
    """A group's name that is frozen, or is not."""
    names = (f"desk-{i}" for i in range(1000))
    return next(n for n in names if Example("", "", "", "", "", "", n).frozen == frozen and n not in taken)


def ticket(name: str, at: datetime, of: str, source: str = CONFIRMED, reason: str = "thanks") -> SnapshotTicket:
    who = None if source == BOT else "agent-1"
    return SnapshotTicket(name, reason, "en", "chat", "", "", f"words of {name}", of, at, source, who, at)


def split(*tickets: SnapshotTicket):
    ordered = sorted(tickets, key=lambda one: (one.opened_at, one.id))
    return parts_of(CORPUS, Snapshot(OLD.date(), LAST, datetime.now(UTC), tuple(ordered)))


def ids(examples) -> set[str]:
    return {example.id for example in examples if example.id.startswith("desk-")}


def test_the_newest_quarter_and_frozen_groups_are_not_learned_from_before_the_verdict() -> None:
    free, cold = group(frozen=False), group(frozen=True)
    other = group(frozen=False, taken=(free,))
    parts = split(ticket("old", OLD, free), ticket("cold", OLD, cold), ticket("new", NEWEST, other))
    assert ids(parts.learned) == {"desk-old"}
    assert ids(parts.later) == {"desk-new"}
    assert ids(parts.frozen) == {"desk-cold"}
    assert [t.id for t in parts.newest] == ["new"]
    assert (parts.last_learned_day, parts.last_later_day) == (OLD.date(), NEWEST.date())
    assert parts.counts()["learned"] == len(parts.learned)


def test_an_older_ticket_of_a_customer_who_wrote_in_the_newest_quarter_is_not_learned_from_before_the_verdict() -> None:
    free = group(frozen=False)
    parts = split(ticket("before", OLD, free), ticket("after", NEWEST, free))
    assert ids(parts.learned) == set()
    assert ids(parts.later) == {"desk-before", "desk-after"}
    assert [t.id for t in parts.newest] == ["after"]


def test_no_group_stands_on_both_sides() -> None:
    groups = [f"desk-{i}" for i in range(40)]
    tickets = [ticket(f"{name}-{i}", OLD + timedelta(days=60 * i), name) for name in groups for i in range(4)]
    parts = split(*tickets)
    learned, later, frozen = ({e.group for e in part} for part in (parts.learned, parts.later, parts.frozen))
    assert not learned & frozen
    assert not later & frozen
    assert not learned & {t.group for t in parts.newest}
    assert {t.group for t in parts.newest} & frozen
    assert len(ids([*parts.learned, *parts.later, *parts.frozen])) == len(tickets)


def test_the_newest_quarter_is_the_last_days_of_the_snapshot() -> None:
    first = datetime.combine(LAST, datetime.min.time(), tzinfo=UTC) - timedelta(days=NEWEST_DAYS - 1)
    free, other = group(frozen=False), group(frozen=False, taken=(group(frozen=False),))
    parts = split(ticket("in", first, free), ticket("out", first - timedelta(minutes=1), other))
    assert [t.id for t in parts.newest] == ["in"]
    assert [e.id for e in parts.newest_after(first.date() - timedelta(days=1))] == ["desk-in"]
    assert parts.newest_after(first.date()) == []


def test_labels_of_the_bot_teach_a_little_and_measure_nothing() -> None:
    free, cold = [f"desk-{i}" for i in range(200)], group(frozen=True)
    of_bot = [ticket(f"bot-{i:03}", OLD + timedelta(minutes=i), name, BOT) for i, name in enumerate(free)]
    parts = split(
        *of_bot, ticket("cold", OLD, cold, BOT), ticket("new", NEWEST, group(frozen=False, taken=tuple(free)), BOT)
    )
    assert ids(parts.frozen) == set()
    assert parts.newest == ()
    shipped_thanks = sum(not e.frozen and e.reason == "thanks" for e in CORPUS)
    taught = ids(parts.learned)
    assert len(taught) == shipped_thanks // 3
    usable = [f"desk-{t.id}" for t in of_bot if not t.example().frozen]
    assert taught == set(usable[-len(taught) :])


def test_what_a_refused_labeller_said_is_neither_learned_nor_measured_on() -> None:
    free, cold = group(frozen=False), group(frozen=True)
    tickets = [ticket("old", OLD, free), ticket("cold", OLD, cold), ticket("new", NEWEST, "desk-x")]
    snapshot = Snapshot(OLD.date(), LAST, datetime.now(UTC), tuple(tickets))
    parts = parts_of(CORPUS, snapshot).without({"desk-old", "desk-new"}, {"agent-1"}, snapshot)
    assert ids([*parts.learned, *parts.later, *parts.frozen]) == set()
    assert parts.newest == ()
    kept = parts_of(CORPUS, snapshot).without({"desk-old"}, set(), snapshot)
    assert ids(kept.frozen) == {"desk-cold"}
    assert len(kept.newest) == 1


def test_a_reason_that_nothing_is_learned_of_is_not_measured_on() -> None:
    parts = split(
        ticket("cold", OLD, group(frozen=True), reason="phishing"), ticket("new", NEWEST, "desk-y", reason="phishing")
    )
    assert ids(parts.frozen) == set()
    assert parts.newest == ()
