import pytest
import sqlalchemy as sa

from desk.retagging import Which, retag, waiting
from desk.routing.engine import ROUTE, keep_routed
from desk.tables import jobs

MODEL = "reasons/newer"


class Newer:
    """A model that came later: everything is a return, and it keeps what it was asked."""

    def __init__(self, tag, fails_at=None):
        self.tag, self.fails_at, self.texts = tag, fails_at, []

    def __call__(self, batches):
        for number, batch in enumerate(batches):
            if number == self.fails_at:
                raise ConnectionError("the cluster went away")
            self.texts += batch
            yield [self.tag("return_request", model=MODEL) for _ in batch]


@pytest.fixture
def ids(desk, incoming, tag):
    found = [
        desk.receive(incoming(str(n), f"Where is parcel {n}?", channel="Amazon" if n % 2 else "web")).ticket_id
        for n in range(8)
    ]
    for ticket_id in found:
        desk.tag(ticket_id, tag("tracking_update"))
    desk.correct_tag(found[0], "not_received", "agent:anna")
    desk.resolve(found[1], "agent:anna")
    return found


def test_tickets_are_tagged_once_more_but_for_what_a_person_said(desk, ids, tag):
    newer = Newer(tag)
    assert waiting(desk, MODEL, Which(channel="amazon")) == 4
    done = retag(desk, MODEL, newer, Which(channel="amazon"))
    assert (done.tickets, done.changed, len(newer.texts)) == (4, 4, 4)
    assert done.moves == {("tracking_update", "return_request"): 4}
    assert retag(desk, MODEL, newer).tickets == 3
    assert waiting(desk, MODEL, Which()) == 0
    assert retag(desk, MODEL, newer).tickets == 0  # begun again, it finds nothing left
    states = {ticket_id: desk.ticket(ticket_id).state for ticket_id in ids}
    assert states[ids[0]].reason == "not_received"
    assert {states[ticket_id].reason for ticket_id in ids[1:]} == {"return_request"}
    assert states[ids[1]].status == "resolved"


def test_what_was_tagged_before_an_error_stays_and_is_not_done_again(desk, ids, tag, monkeypatch):
    monkeypatch.setattr("desk.retagging.BATCH", 2)
    with pytest.raises(ConnectionError):
        retag(desk, MODEL, Newer(tag, fails_at=2))
    newer = Newer(tag)
    assert retag(desk, MODEL, newer).tickets == 3
    assert len(newer.texts) == 3


def test_erased_words_are_not_read_again(desk, incoming, tag):
    ticket_id = desk.receive(incoming(body="[erased: text]")).ticket_id
    desk.tag(ticket_id, tag("tracking_update"))
    retag(desk, MODEL, Newer(tag))
    assert desk.ticket(ticket_id).state.reason == "tracking_update"


def test_tickets_of_the_past_are_not_routed_for_their_new_tag(desk, ids, tag):
    keep_routed(desk.database)
    retag(desk, MODEL, Newer(tag))
    with desk.database.session(read_only=True) as session:
        queued = session.scalars(sa.select(jobs.c.payload).where(jobs.c.kind == ROUTE)).all()
    assert {job["ticket_id"] for job in queued} == set(ids[2:])
