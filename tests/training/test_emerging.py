"""A reason that the model never saw comes up in a desk's tickets: found, named, followed and drafted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from classifier.model import ReasonModel
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import EventKind
from training.corpus import Example, as_labelled
from training.emerging.boundary import Group
from training.emerging.discovery import LEAST_TICKETS, best_apart
from training.emerging.period import AskedTicket, earlier_tickets, tickets_by_id, tickets_of_period
from training.emerging.report import EmergingReport, emerging_reasons
from training.emerging.space import EmergingError, KnownSpace
from training.fitting import fit

NEW = "gift_options"
KNOWN = ("tracking_update", "return_request", "invoice_request", "payment_issue", "safety_or_counterfeit", "thanks")
LEARNED, ASKED = 45, 30
DAY = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def english(corpus: list[Example]) -> dict[str, list[Example]]:
    """English tickets of the known reasons and of the new one, shuffled by their ids' hashes."""
    drawn = sorted(corpus, key=lambda example: sha256(example.id.encode()).digest())
    found = {r: [e for e in drawn if e.locale == "en" and e.reason == r] for r in (*KNOWN, NEW)}
    assert min(map(len, found.values())) >= ASKED
    return found


@pytest.fixture(scope="module")
def model(english: dict[str, list[Example]], encoder: Encoder) -> ReasonModel:
    """Fitted on English tickets of six reasons; it knows nothing of presents."""
    return fit(as_labelled([e for reason in KNOWN for e in english[reason][ASKED : ASKED + LEARNED]]), encoder).model


@pytest.fixture(scope="module")
def period(english: dict[str, list[Example]]) -> list[Example]:
    """Other tickets of the six reasons, and those of a reason that the model has never seen."""
    return [example for reason in (*KNOWN, NEW) for example in english[reason][:ASKED]]


@pytest.fixture(scope="module")
def period_vectors(period: list[Example], encoder: Encoder) -> Vectors:
    return encoder.encode([example.text for example in period])


def asked(example: Example, at: datetime = DAY, **fields: object) -> AskedTicket:
    ticket = AskedTicket(example.id, example.locale, "mail", example.subject, example.body, at, None, None, True, False)
    return replace(ticket, **fields)


def test_a_reason_that_the_model_never_saw_comes_first(
    model: ReasonModel, period: list[Example], period_vectors: Vectors
) -> None:
    [first, *others] = emerging_reasons(model, [asked(e, undecided=False) for e in period], period_vectors)
    new = {example.id for example in period if example.reason == NEW}
    assert len(new & set(first.tickets)) / first.size >= 0.7
    assert len(new & set(first.tickets)) / len(new) >= 0.4
    assert any("gift" in term or "wrap" in term or "present" in term for term in first.terms)
    assert first.size > 3 * first.expected
    assert all(first.score >= other.score for other in others)
    assert {ticket.id for ticket in first.typical} <= set(first.tickets)
    assert sum(first.nearest.values()) == first.size == sum(first.languages.values())


def test_nothing_is_evident_where_all_reasons_are_known(
    model: ReasonModel, period: list[Example], period_vectors: Vectors
) -> None:
    rows = [i for i, example in enumerate(period) if example.reason != NEW]
    found = emerging_reasons(model, [asked(period[i], undecided=False) for i in rows], period_vectors[rows])
    assert not [reason.terms for reason in found if reason.evident]


def test_what_the_desk_tagged_before_the_period_is_not_new(
    model: ReasonModel, period: list[Example], period_vectors: Vectors
) -> None:
    """A reason that people have given such tickets for long is known, whatever the model says."""
    now = [i for i, example in enumerate(period) if example.reason != NEW or i % 2]
    before = [i for i, example in enumerate(period) if example.reason == NEW and not i % 2]
    fresh = emerging_reasons(model, [asked(period[i]) for i in now], period_vectors[now])
    told = emerging_reasons(
        model, [asked(period[i]) for i in now], period_vectors[now],
        [asked(period[i], tagged="thanks") for i in before], period_vectors[before],
    )  # fmt: skip
    assert fresh[0].score > 2 * max([reason.score for reason in told], default=0.0)


def test_too_few_tickets_are_refused_with_the_number(model: ReasonModel, period: list[Example]) -> None:
    few = [asked(example) for example in period[: LEAST_TICKETS - 1]]
    with pytest.raises(EmergingError, match=f"{LEAST_TICKETS - 1} tickets are too few"):
        emerging_reasons(model, few, np.zeros((len(few), 512), dtype=np.float32))


def test_a_known_ticket_has_no_vote_on_itself(model: ReasonModel) -> None:
    """Otherwise known tickets would be surer of their reason than new ones ever are."""
    space = KnownSpace.of_model(model)
    lone = KnownSpace(space.projection, space.rows[:30], np.arange(30) % 2, ("a", "b"))
    flipped = KnownSpace(space.projection, space.rows[:30], np.r_[1, np.arange(1, 30) % 2], ("a", "b"))
    nothing = np.zeros((1, 512), dtype=np.float32)
    assert lone.placed(nothing)[1][0] == pytest.approx(flipped.placed(nothing)[1][0])
    assert lone.placed(nothing)[1][1:] != pytest.approx(flipped.placed(nothing)[1][1:])


def test_a_group_inside_a_better_one_is_not_shown_twice() -> None:
    best, inside, apart, usual = (
        Group(np.arange(10), 1.0, 30.0),
        Group(np.arange(4, 12), 1.0, 20.0),
        Group(np.arange(20, 27), 1.0, 10.0),
        Group(np.arange(40, 45), 5.0, 0.0),
    )
    assert best_apart([usual, apart, inside, best]) == [best, apart]
    assert best_apart([apart, best], shown=1) == [best]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield Desk(database)
    database.close()


def arrive(desk: Desk, name: str, at: datetime, body: str = "Where is my parcel?", **fields: str) -> str:
    return desk.receive(IncomingTicket("t", name, body, channel="mail", created_at=at, **fields)).ticket_id


def test_a_period_is_read_redacted_with_what_people_said(desk: Desk) -> None:
    undecided = arrive(desk, "1", DAY, "I am Maria Gonzalez, write to maria@example.com about 402-1739284-5582931",
                       customer_name="Maria Gonzalez", order_id="402-1739284-5582931")  # fmt: skip
    corrected, confirmed, outside = (arrive(desk, str(n), DAY + timedelta(hours=n)) for n in (2, 3, 48))
    for ticket in (corrected, confirmed):
        data = {"reason": "thanks", "confidence": 0.9, "decision": "tagged", "autonomy": "auto_close",
                "language": "en", "guard": [], "model": "m"}  # fmt: skip
        desk.record(ticket, EventKind.TAGGED, actor="model:m", data=data)
    desk.correct_tag(corrected, "return_request", "agent:ana")
    desk.confirm_tag(confirmed, "agent:ana")
    day = DAY.date()
    found = {ticket.id: ticket for ticket in tickets_of_period(desk, day, day)}
    assert set(found) == {undecided, corrected, confirmed}
    assert outside not in found
    assert "Maria" not in found[undecided].body
    assert "@" not in found[undecided].body
    assert "1739284" not in found[undecided].body
    assert [found[t].undecided for t in (undecided, corrected, confirmed)] == [True, False, False]
    assert [found[t].corrected for t in (undecided, corrected, confirmed)] == [False, True, False]
    assert [found[t].said for t in (undecided, corrected, confirmed)] == [None, "return_request", "thanks"]
    assert [t.id for t in earlier_tickets(desk, day + timedelta(days=1))] == [corrected, confirmed]
    assert [t.id for t in tickets_by_id(desk, [confirmed, "T-NONE", undecided])] == [confirmed, undecided]
    assert isinstance(EmergingReport(day, day, 3, 1, "m", ()).to_json()["from"], str)
    assert date.fromisoformat(EmergingReport(day, day, 3, 1, "m", ()).to_json()["to"]) == day
