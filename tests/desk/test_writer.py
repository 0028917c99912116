import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from desk.database import Database, DatabaseError, open_database
from desk.tables import orders
from desk.writer import GroupWriter


@pytest.fixture
def store(noon) -> Callable[[sa.orm.Session, str], str]:
    def insert(session, order_id: str) -> str:
        session.execute(orders.insert().values(order_id=order_id, facts={}, as_of=noon(7, 1)))
        return order_id

    return insert


@pytest.fixture
def sqlite(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield opened
    opened.close()


def stored(database: Database) -> list[str]:
    with database.session(read_only=True) as session:
        return list(session.scalars(sa.select(orders.c.order_id).order_by(orders.c.order_id)))


def written_together(database: Database, acts: list) -> list[object]:
    """What became of ``acts`` that waited while another was being written: their results or exceptions, in order."""
    outcomes: list[object] = [None] * len(acts)
    release, entered = threading.Event(), threading.Event()

    def hold(session) -> None:
        entered.set()
        release.wait(10)

    def ask(place: int) -> None:
        try:
            outcomes[place] = database.write(acts[place])
        except Exception as error:  # noqa: BLE001
            outcomes[place] = error

    threads = [threading.Thread(target=database.write, args=[hold])]
    threads[0].start()
    entered.wait(10)
    for place in range(len(acts)):
        threads.append(threading.Thread(target=ask, args=[place]))
        threads[-1].start()
        time.sleep(0.02)  # so that they queue in this order
    release.set()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_write_is_stored_when_it_returns(database, store):
    assert database.write(lambda session: store(session, "1")) == "1"
    assert stored(database) == ["1"]


def test_an_act_that_raises_tells_its_caller_and_leaves_nothing(database, store):
    def half(session) -> None:
        store(session, "1")
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        database.write(half)
    with pytest.raises(sa.exc.IntegrityError):
        database.write(lambda session: (store(session, "2"), store(session, "2")))
    assert database.write(lambda session: store(session, "3")) == "3"
    assert stored(database) == ["3"]


def test_acts_that_wait_together_share_a_transaction_and_fail_alone(sqlite, store):
    def fails(session) -> None:
        store(session, "bad")
        raise ValueError("alone")

    before = sqlite._writer.groups
    outcomes = written_together(
        sqlite, [lambda session: store(session, "1"), fails, lambda session: store(session, "2")]
    )
    assert sqlite._writer.groups - before == 2  # the one that was held, and all others
    assert outcomes[0] == "1"
    assert outcomes[2] == "2"
    assert isinstance(outcomes[1], ValueError)
    assert stored(sqlite) == ["1", "2"]


def test_nobody_is_told_done_when_sqlite_ends_the_transaction_by_itself(sqlite, store):
    def rolls_everything_back(session) -> None:
        for _ in range(2):
            session.execute(sa.text("INSERT OR ROLLBACK INTO orders VALUES ('x', '{}', '', '', '2026-07-01')"))

    outcomes = written_together(
        sqlite,
        [lambda session: store(session, "1"), rolls_everything_back, lambda session: store(session, "2")],
    )
    assert all(isinstance(outcome, Exception) for outcome in outcomes), outcomes
    assert isinstance(outcomes[0], DatabaseError)
    assert "not stored" in str(outcomes[0])
    assert stored(sqlite) == []
    assert sqlite.write(lambda session: store(session, "3")) == "3"


def test_a_full_disk_fails_the_write_and_the_next_one_succeeds_once_there_is_room(sqlite, store, noon):
    def fill(session) -> None:
        pages = session.scalar(sa.text("PRAGMA page_count"))
        session.execute(sa.text(f"PRAGMA max_page_count={pages}"))
        facts = {"x": "y" * 1_000_000}
        session.execute(orders.insert().values(order_id="big", facts=facts, as_of=noon(7, 1)))

    with pytest.raises(DatabaseError):
        sqlite.write(fill)
    sqlite.write(lambda session: session.execute(sa.text("PRAGMA max_page_count=1000000")).all())
    assert sqlite.write(lambda session: store(session, "1")) == "1"
    assert stored(sqlite) == ["1"]


def test_closing_writes_what_waits_and_refuses_what_comes_later(tmp_path, store):
    url = f"sqlite:///{tmp_path}/desk.db"
    database = open_database(url)
    entered, release = threading.Event(), threading.Event()

    def hold(session) -> None:
        entered.set()
        release.wait(10)

    waiting = [threading.Thread(target=database.write, args=[hold])]
    waiting[0].start()
    entered.wait(10)
    for number in range(5):
        act = lambda session, number=number: store(session, str(number))  # noqa: E731
        waiting.append(threading.Thread(target=database.write, args=[act]))
        waiting[-1].start()
    time.sleep(0.1)
    closing = threading.Thread(target=database.close)
    closing.start()
    time.sleep(0.05)
    release.set()
    for thread in (*waiting, closing):
        thread.join(10)
    with pytest.raises(DatabaseError, match="closed"):
        database.write(lambda session: None)
    again = open_database(url)
    assert stored(again) == ["0", "1", "2", "3", "4"]
    again.close()


def test_a_locked_database_fails_the_write_with_a_remedy(tmp_path, monkeypatch, store):
    import sqlite3

    monkeypatch.setattr("desk.database.BUSY_TIMEOUT_MS", 50)
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    holder = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match=r"not stored.*locked.*no other process"):
        database.write(lambda session: store(session, "1"))
    holder.close()
    assert database.write(lambda session: store(session, "2")) == "2"
    database.close()


def test_a_write_within_a_write_is_refused_instead_of_waiting_for_itself(sqlite):
    with pytest.raises(DatabaseError, match="cannot ask for another write"):
        sqlite.write(lambda session: sqlite.write(lambda inner: None))


def test_sessions_and_writes_of_many_threads_lose_nothing(database, store):
    failures: list[Exception] = []

    def work(thread: int) -> None:
        try:
            for number in range(15):
                name = f"{thread}-{number}"
                if number % 3:
                    database.write(lambda session, name=name: store(session, name))
                else:
                    with database.session() as session:
                        store(session, name)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=[thread]) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(stored(database)) == 90


def test_a_writer_that_was_never_used_closes():
    GroupWriter(lambda: None).close()
