"""A small real model reads the tickets of two periods from a real desk."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from desk.access.personal_data import PLACEHOLDERS
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from training.corpus import Example, as_labelled
from training.fitting import Fitted, fit
from training.shift import ShiftError, parse_period, reading
from training.shift.alarms import AlarmLimits, alarms_of
from training.shift.estimate import EstimatedShift, estimate_shift
from training.shift.evidence import Evidence, evidence_of, read_evidence
from training.shift.page import render_shift
from training.shift.reading import read_periods

Q1, Q2 = parse_period("2026Q1"), parse_period("2026Q2")
FEBRUARY, MAY = datetime(2026, 2, 3, 12, tzinfo=UTC), datetime(2026, 5, 3, 12, tzinfo=UTC)
Send = Callable[..., None]


@pytest.fixture(scope="module")
def fitted(learned: list[Example], encoder: Encoder, vectors: Vectors) -> Fitted:
    return fit(as_labelled(learned), encoder, vectors=vectors)


@pytest.fixture(scope="module")
def evidence(fitted: Fitted) -> Evidence:
    found = read_evidence({"evidence.npz": evidence_of(fitted)})
    assert found is not None
    return found


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    database = open_database(database_url)
    yield Desk(database)
    database.close()


@pytest.fixture
def send(desk: Desk, frozen: list[Example]) -> Send:
    """Store tickets of a reason that the model has not learned from, in turn, each with a customer of its own."""
    sent = 0

    def store(reason: str, count: int, at: datetime, said: str | None = None, **fields: str) -> None:
        nonlocal sent
        texts = [(example.subject, example.body) for example in frozen if example.reason == reason]
        batch = []
        for turn in range(count):
            sent += 1
            subject, body = texts[turn % len(texts)]
            values = {"customer_email": f"{sent}@example.com", "subject": subject, "body": body} | fields
            ticket = IncomingTicket("test", str(sent), created_at=at, **values)
            past = [Event("", EventKind.TAG_CONFIRMED, at, "agent:ana", {"reason": said})] if said else []
            batch.append((ticket, past))
        desk.receive_many(batch)

    return store


@pytest.fixture
def shifted(desk: Desk, send: Send) -> Desk:
    """Tracking doubles, thanks fall; a new product brings returns; the rest stays."""
    for at, counts in (
        (FEBRUARY, {"tracking_update": 24, "thanks": 36, "return_request": 12, "invoice_request": 12}),
        (MAY, {"tracking_update": 48, "thanks": 12, "return_request": 12, "invoice_request": 12}),
    ):
        for reason, count in counts.items():
            send(reason, count, at, channel="amazon", language="en")
    send("return_request", 24, MAY, channel="amazon", language="en", asin="B0NEW")
    return desk


def compare(desk: Desk, fitted: Fitted, evidence: Evidence, **options: object) -> EstimatedShift:
    return estimate_shift(desk, fitted.model, "reasons/small", evidence, Q1, Q2, replicates=200, **options)  # type: ignore[arg-type]


def test_a_shift_is_found_with_its_size_and_its_cause(
    shifted: Desk, fitted: Fitted, evidence: Evidence, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    shift = compare(shifted, fitted, evidence, cache=tmp_path, progress=lambda *step: told.append(step))
    lines = {line.reason: line for line in shift.reasons}
    assert lines["thanks"].change == pytest.approx(12 / 108 - 36 / 84, abs=0.08)
    assert lines["thanks"].real
    assert lines["thanks"].baseline.low < 36 / 84 < lines["thanks"].baseline.high
    assert not lines["payment_issue"].real
    returns = lines["return_request"]
    assert returns.why.new_products == pytest.approx(24 / 108 * (1 - 12 / 84), abs=0.08)
    assert returns.why.drivers[0].segment == "B0NEW"
    for line in shift.reasons:
        why = line.why
        assert why.within + why.mix + why.new_products + why.new_channels == pytest.approx(line.change, abs=1e-3)
        assert line.low <= line.change <= line.high
        counted = line.current.counted - line.baseline.counted
        assert line.change + why.model_error == pytest.approx(counted, abs=1e-9)
    for side in ("baseline", "current"):
        assert sum(getattr(line, side).value for line in shift.reasons) == pytest.approx(1)
    assert (shift.baseline.tickets, shift.current.tickets) == (84, 108)
    assert shift.baseline.top_five[0] == "thanks"
    assert lines["tracking_update"].current.rank == 1
    assert shift.current.accuracy is not None
    assert shift.current.accuracy.low < shift.current.accuracy.value < shift.current.accuracy.high
    assert ("reading 2026Q1", 84, 84) in told
    assert "thanks -" in shift.sentence
    json.dumps(shift.to_json())
    again = compare(shifted, fitted, evidence, cache=tmp_path)
    assert again == shift


def test_nothing_is_real_where_nothing_shifts(desk: Desk, send: Send, fitted: Fitted, evidence: Evidence) -> None:
    for at in (FEBRUARY, MAY):
        for reason, count in (("tracking_update", 30), ("thanks", 20), ("invoice_request", 10)):
            send(reason, count, at)
    shift = compare(desk, fitted, evidence)
    assert not any(line.real for line in shift.reasons)
    assert shift.sentence == "Corrected for the model's errors, no change is larger than chance."
    assert shift.drift.p_within > 0.05
    assert alarms_of(shift, AlarmLimits(accuracy=0, unfamiliar=0)) == ()


def test_what_people_decided_counts_even_where_the_model_does_not_know_it(
    desk: Desk, send: Send, fitted: Fitted, evidence: Evidence
) -> None:
    for at in (FEBRUARY, MAY):
        send("tracking_update", 20, at)
        send("thanks", 20, at, said="thanks")
    send("thanks", 40, MAY, said="gift_options")
    shift = compare(desk, fitted, evidence)
    gifts = next(line for line in shift.reasons if line.reason == "gift_options")
    assert gifts.baseline.value == 0
    assert gifts.current.value == pytest.approx(0.5, abs=1e-3)
    assert gifts.real
    assert shift.current.decided_by_people == 60
    limits = AlarmLimits(change=0.2)
    assert ("change", "gift_options") in {(alarm.kind, alarm.reason) for alarm in alarms_of(shift, limits)}


def test_erased_tickets_are_counted_apart(desk: Desk, send: Send, fitted: Fitted, evidence: Evidence) -> None:
    send("thanks", 10, FEBRUARY)
    send("thanks", 10, MAY)
    gone = {"subject": next(iter(PLACEHOLDERS.values())), "body": next(iter(PLACEHOLDERS.values()))}
    send("thanks", 5, MAY, **gone)
    shift = compare(desk, fitted, evidence)
    assert (shift.current.tickets, shift.current.erased) == (10, 5)
    send("thanks", 2, datetime(2026, 8, 1, tzinfo=UTC), **gone)
    with pytest.raises(ShiftError, match="words of all tickets of 2026Q3 were erased"):
        read_periods(desk, fitted.model, [Q1, parse_period("2026Q3")])


def test_a_period_without_tickets_is_named(desk: Desk, send: Send, fitted: Fitted, evidence: Evidence) -> None:
    send("thanks", 3, FEBRUARY)
    with pytest.raises(ShiftError, match="no ticket of 2026Q2 can be read; import or tag tickets"):
        compare(desk, fitted, evidence)


def test_many_pages_read_as_one(shifted: Desk, fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = read_periods(shifted, fitted.model, [Q2])
    monkeypatch.setattr(reading, "PART", 7)
    monkeypatch.setattr(reading, "SAMPLE", 25)
    (pages,) = read_periods(shifted, fitted.model, [Q2], channel="AMAZON")
    assert pages.tickets.posteriors == pytest.approx(whole.tickets.posteriors, abs=1e-3)
    assert (pages.segments["product"] == whole.segments["product"]).all()
    assert len(np.unique(pages.tickets.groups)) == len(pages) == 108
    assert pages.sampled.shape == (25,)
    assert pages.vectors == pytest.approx(whole.vectors[pages.sampled], abs=1e-3)
    (none,) = read_periods(shifted, fitted.model, [Q2], channel="amazon")
    assert len(none) == 108


def test_alarms_ring_only_beyond_their_limits(shifted: Desk, fitted: Fitted, evidence: Evidence) -> None:
    shift = compare(shifted, fitted, evidence)
    rung = alarms_of(shift, AlarmLimits(change=0.1, accuracy=1.0, unfamiliar=0.99))
    assert {alarm.kind for alarm in rung} == {"change", "accuracy"}
    assert "thanks" in {alarm.reason for alarm in rung}
    assert all(alarm.message for alarm in rung)
    assert alarms_of(shift, AlarmLimits(change=0.9, new_top_five=False, accuracy=0.01, unfamiliar=0.99)) == ()
    assert alarms_of(shift, AlarmLimits(change=0, new_top_five=False, accuracy=0, unfamiliar=0)) == ()


def test_the_page_stands_alone_and_says_what_was_found(shifted: Desk, fitted: Fitted, evidence: Evidence) -> None:
    shift = compare(shifted, fitted, evidence)
    page = render_shift(shift, "2026Q1", "<2026Q2>", alarms_of(shift, AlarmLimits()), shifted.taxonomy)
    assert "&lt;2026Q2&gt;" in page
    assert shifted.taxonomy["thanks"].name("en") in page
    assert "<svg" in page
    for elsewhere in ("<script", "src=", "@import", "url("):
        assert elsewhere not in page
