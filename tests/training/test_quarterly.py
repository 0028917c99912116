import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from models.bundle import Manifest, write_bundle
from models.registry import Registry
from models.signing import SigningKey
from training.quarterly import Given, ModelStore, QuarterlyError, measure
from training.quarterly.contents import Quarterly
from training.quarterly.measuring import quarter_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Q2, Q3 = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 8, 3, 9, tzinfo=UTC)

Fill = Callable[..., list[str]]


BOTH = pytest.mark.usefixtures("database_url")
"""Tests of what is asked of the database run on both; what is only computed runs on SQLite."""


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    both = "database_url" in request.fixturenames
    database = open_database(request.getfixturevalue("database_url") if both else f"sqlite:///{tmp_path}/desk.db")
    yield Desk(database)
    database.close()


@pytest.fixture
def fill(desk: Desk) -> Fill:
    """Tickets created at a moment, tagged by a model (None: undecided), with further facts; their ids."""
    stored = 0

    def store(
        reason: str | None,
        count: int,
        at: datetime,
        *facts: tuple[EventKind, dict],
        step: timedelta = timedelta(minutes=30),
    ) -> list[str]:
        nonlocal stored
        tag = {"reason": reason or "thanks", "autonomy": "self_service", "confidence": 0.9, "language": "en",
               "decision": "tagged" if reason else "undecided", "guard": [], "model": "m"}  # fmt: skip
        batch = []
        for _ in range(count):
            stored += 1
            told = [(EventKind.RECEIVED, {}), (EventKind.TAGGED, tag), *facts]
            events = [Event("", kind, at + step * place, "agent:ana", data)
                      for place, (kind, data) in enumerate(told)]  # fmt: skip
            batch.append((IncomingTicket("t", str(stored), "words", created_at=at, channel="amazon"), events))
        return [one.ticket_id for one in desk.receive_many(batch)]

    return store


def report_of(desk: Desk, label: str = "2026Q3", given: Given | None = None, **more) -> Quarterly:
    quarter = quarter_of(label, NOW.date())
    return measure(desk, quarter, given or Given(), more.get("store"), more.get("macros", Counter()), NOW)


def rules(report: Quarterly) -> list[str]:
    return [one.rule for one in report.decisions]


def test_a_quarter_and_the_one_before_it():
    quarter = quarter_of("2026q1", NOW.date())
    assert (quarter.label, quarter.start, quarter.end) == ("2026Q1", date(2026, 1, 1), date(2026, 4, 1))
    assert (quarter.label_before, quarter.start_before, quarter.running) == ("2025Q4", date(2025, 10, 1), False)
    running = quarter_of("2026Q4", NOW.date())
    assert (running.running, running.days, running.days_before) == (True, 53, 92)


@pytest.mark.parametrize(
    ("text", "said"),
    [("2026-07", "is no quarter"), ("2026-01-01..2026-04-01", "is no quarter"), ("Q3", "is no period"),
     ("2027Q1", "lies ahead"), ("0001Q1", "")],
)  # fmt: skip
def test_what_is_no_quarter_of_the_past_is_refused(text, said):
    if text == "0001Q1":
        with pytest.raises((QuarterlyError, OverflowError)):
            quarter_of(text, NOW.date())
        return
    with pytest.raises(QuarterlyError, match=said):
        quarter_of(text, NOW.date())


@BOTH
def test_a_fresh_database_has_a_report_that_says_so(desk):
    report = report_of(desk)
    assert report.sentences[0] == "2026Q3 has no tickets; the desk is empty."
    assert len(report.sentences) == 5
    assert (report.movement, report.model, report.deflection, report.labels, report.decisions) == (None,) * 4 + ((),)
    json.dumps(report.to_json())


def test_a_quarter_without_tickets_says_what_the_desk_holds(desk, fill):
    fill("thanks", 2, Q2)
    assert report_of(desk).sentences[0] == (
        "2026Q3 has no tickets; the desk holds 2 tickets, from 2026-05-04 to 2026-05-04."
    )


@BOTH
def test_the_first_sentence_has_volume_and_top_five(desk, fill):
    fill("tracking_update", 60, Q2)
    fill("tracking_update", 90, Q3)
    fill("return_request", 30, Q3)
    fill(None, 20, Q3)
    report = report_of(desk)
    assert report.tickets_before == 60
    # 140 tickets in 92 days against 60 in 91
    assert report.sentences[0] == (
        "2026Q3 brought 140 tickets, 130.8% more per day than in 2026Q2; 100.0% of those with a reason belong to "
        "2 reasons: Where is my parcel and Return request."
    )


def test_a_real_rise_is_told_with_its_interval_and_becomes_a_decision(desk, fill):
    for at, tracking, invoices in ((Q2, 40, 160), (Q3, 120, 80)):
        fill("tracking_update", tracking, at)
        fill("invoice_request", invoices, at)
    report = report_of(desk, macros=Counter({"tracking_update": 1, "invoice_request": 1}))
    moved = {line.reason: line for line in report.movement.lines}
    assert moved["tracking_update"].change == pytest.approx(0.4)
    assert moved["tracking_update"].low == pytest.approx(0.307, abs=0.01)
    assert "Where is my parcel +40.0 points (+30" in report.sentences[1]
    assert [one.title for one in report.decisions if one.rule == "rising"] == ["Find out why “Where is my parcel” grew"]


def test_a_change_within_chance_is_not_told_as_one(desk, fill):
    for at, tracking in ((Q2, 20), (Q3, 22)):
        fill("tracking_update", tracking, at)
        fill("invoice_request", 20, at)
    report = report_of(desk)
    assert report.sentences[1] == "No reason's share changed by more than chance."
    assert "rising" not in rules(report)


def test_a_top_reason_without_a_locked_macro_is_a_decision_unless_nobody_answers_it(desk, fill):
    fill("tracking_update", 30, Q3)
    fill("phishing", 20, Q3)
    titles = [one.title for one in report_of(desk).decisions if one.rule == "no_macro"]
    assert titles == ["Approve a macro for “Where is my parcel”"]
    assert "no_macro" not in rules(report_of(desk, macros=Counter({"tracking_update": 2})))


def test_late_answers_are_a_decision_of_the_support_lead(desk, fill):
    reply = (EventKind.REPLIED, {"text": "Hello"})
    fill("tracking_update", 40, Q3, reply, step=timedelta(minutes=5))
    fill("return_request", 40, Q3, reply, step=timedelta(days=3))
    report = report_of(desk)
    sla = next(one for one in report.decisions if one.rule == "sla")
    assert sla.owner == "support lead"
    assert "of the clocks were met (95% interval" in sla.evidence
    assert report.decisions[0].rule == "sla"
    assert "first_response" in rules(report)


@BOTH
def test_people_who_change_many_tags_ask_for_a_retraining(desk, fill):
    wrong = (EventKind.RETAGGED, {"reason": "not_received", "instead_of": "tracking_update"})
    fill("tracking_update", 30, Q3, wrong)
    fill("tracking_update", 30, Q3, (EventKind.TAG_CONFIRMED, {"reason": "tracking_update"}), wrong)
    fill("tracking_update", 5, Q2, wrong)
    report = report_of(desk)
    assert report.labels.looked_at == 60
    assert report.labels.corrected.value == pytest.approx(0.5)  # the first word on a ticket counts
    assert "corrections" in rules(report)


def test_undecided_tickets_are_a_decision_only_beyond_the_limit(desk, fill):
    fill("tracking_update", 60, Q3)
    fill(None, 40, Q3)
    assert "undecided" in rules(report_of(desk))
    fill("tracking_update", 200, Q3)
    assert "undecided" not in rules(report_of(desk))


@BOTH
def test_handle_time_gives_hours_and_a_long_one_a_decision(desk, fill):
    for number in range(3):
        fill("tracking_update", 10, Q3, (EventKind.HANDLED, {"seconds": 230 + number}))
        fill("return_request", 10, Q3, (EventKind.HANDLED, {"seconds": 1200 + number}))
    report = report_of(desk)
    assert report.handle_times[0].reason == "return_request"
    assert report.handle_times[0].hours == pytest.approx(30 * 1201 / 3600)
    assert [one.title for one in report.decisions if one.rule == "long_handling"] == [
        "Shorten the handling of “Return request”"
    ]


# -- the model ---------------------------------------------------------------------------------------------


def evaluation(**more):
    figures = {"precision": 0.9, "recall": 0.9, "coverage": 0.5, "selective_error": 0.0}
    labels = {"tracking_update": (0.6, 100), "safety_or_counterfeit": (0.9, 80), "a_to_z_claim": (0.9, 20)}
    return {
        "n": 200, "accuracy": 0.9, "macro_f1": 0.8, "ece": 0.02, "coverage": 0.5, "selective_error": 0.04,
        "guard_recall": 0.85, "guard_false_alarms": 0.01,
        "per_label": {label: {**figures, "f1": f1, "n": n} for label, (f1, n) in labels.items()}, **more,
    }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., ModelStore]:
    """A store with a version per given set of certificates; the first serves."""
    key, registry = SigningKey.read_or_create(tmp_path / "key"), Registry(tmp_path / "store")

    def stored(*certificates: dict, **metrics) -> ModelStore:
        for number, proof in enumerate(certificates):
            manifest = Manifest("reasons", f"2026100{number}-000000", "2026-10-01T00:00:00+00:00", {}, {}, "0",
                                evaluation(**metrics), proof)  # fmt: skip
            write_bundle(registry.folder("reasons", manifest.version), manifest, {"a": b"a"}, "card", key)
        registry.promote("reasons", "20261000-000000")
        return ModelStore(registry, key, "reasons")

    return stored


def test_the_champions_figures_with_the_guards_interval(desk, fill, store):
    fill("tracking_update", 30, Q3)
    report = report_of(desk, store=store({"promoted": True, "because": ["better"]}))
    model = report.model
    assert (model.accuracy.value, model.guard.value, model.guard_n) == (0.9, 0.85, 100)
    assert model.guard.low == pytest.approx(0.767, abs=0.001)  # Wilson, 85 of 100
    assert (model.last_promoted, model.weakest[0].reason) == (True, "tracking_update")
    assert rules(report)[0] == "guard"
    assert "weak_reason" in rules(report)
    assert report.sentences[3].startswith("The model names the right reason for 90.0% of tickets")


def test_a_refused_retraining_and_bad_calibration_are_decisions(desk, fill, store):
    fill("tracking_update", 5, Q3)
    refused = {"promoted": False, "because": ["F1 of thanks fell by 3.0 points"]}
    report = report_of(desk, store=store({}, refused, ece=0.09, guard_recall=1.0))
    assert report.model.last_version == "20261001-000000"
    assert {"refused", "calibration"} <= set(rules(report))
    assert "F1 of thanks fell" in next(one for one in report.decisions if one.rule == "refused").evidence


def test_a_model_of_other_labels_has_no_guard(desk, store):
    report = report_of(desk, store=store({}, guard_recall=None, per_label={}))
    assert report.model.guard is None
    assert "guard" not in rules(report)
