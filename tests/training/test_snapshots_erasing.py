"""What was erased from the desk goes from the snapshots."""

from datetime import UTC, date, datetime

from desk.access.erasure import erase
from desk.inbox import IncomingTicket
from training.snapshots import SnapshotStore, freeze
from training.snapshots.erasing import forget_erased

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = date(2026, 12, 31)


def labelled(desk, number: int, body: str, email: str) -> str:
    ticket = IncomingTicket("test", str(number), body, created_at=AT, customer_email=email)
    ticket_id = desk.receive(ticket).ticket_id
    desk.correct_tag(ticket_id, "tracking_update", "agent:anna")
    return ticket_id


def test_an_erased_customer_leaves_the_snapshots_and_their_retrainings(desk, tmp_path):
    store, runs = SnapshotStore(tmp_path / "snapshots"), tmp_path / "runs"
    annas = labelled(desk, 1, "Where does my turquoise samovar stay?", "anna@example.com")
    bens = labelled(desk, 2, "When will the garden bench come?", "ben@example.com")
    both = freeze(desk, UNTIL)
    store.write(both)
    other = freeze(desk, date(2026, 2, 1))  # without tickets
    store.write(other)
    (runs / f"{both.id}-0123abcd").mkdir(parents=True)
    assert forget_erased(desk.database, store, runs) == []
    erase(desk.database, email="anna@example.com", by="cli:root")
    (done,) = forget_erased(desk.database, store, runs)
    assert (done.before, done.tickets) == (both.id, 1)
    assert set(store.ids()) == {other.id, done.now}
    kept = store.read(done.now)
    assert [ticket.id for ticket in kept.tickets] == [bens]
    assert kept.dropped == {"the customer's words were erased": 1}
    assert not [*runs.iterdir()]
    assert not [path for path in store.folder.rglob("*") if path.is_file() and "samovar" in path.read_text()]
    assert annas not in (store.folder / done.now / "tickets.jsonl").read_text()
    assert forget_erased(desk.database, store, runs) == []
    erase(desk.database, email="ben@example.com", by="cli:root")
    (gone,) = forget_erased(desk.database, store, runs)
    assert gone.now is None
    assert store.ids() == (other.id,)
