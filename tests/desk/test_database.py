import sqlite3
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from desk.database import Database, DatabaseError, alembic_config, open_database
from desk.inbox import Desk
from desk.tables import chat_sessions, chat_turns, metadata, orders, upsert


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrations_from_empty_give_the_schema_that_the_code_declares(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_opening_again_keeps_what_is_there(database_url, incoming):
    first = open_database(database_url)
    ticket_id = Desk(first).receive(incoming()).ticket_id
    first.close()
    second = open_database(database_url, migrate=False)
    assert Desk(second).ticket(ticket_id).ticket.body == "Where is my parcel?"
    second.close()


def test_an_empty_database_is_refused_without_migrations(database_url):
    with pytest.raises(DatabaseError, match=r"revision none \(empty\).*migrations"):
        open_database(database_url, migrate=False)


def test_a_database_of_a_newer_version_is_refused_unchanged(database):
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    url = database.engine.url.render_as_string(hide_password=False)
    with pytest.raises(DatabaseError, match=r"revision 9999.*upgrade paretodesk"):
        open_database(url)
    with database.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_of_another_program_is_refused(database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (x INTEGER)"))
    with pytest.raises(DatabaseError, match="another program"):
        open_database(database_url)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["orders"]  # nothing half-made is left
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "cannot be read; use sqlite:///PATH"),
        ("var/desk.db", "cannot be read; use sqlite:///PATH"),
        ("mysql://localhost/desk", "mysql.*not supported"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("postgresql://nobody:secret@127.0.0.1:1/desk", "check that the server runs"),
    ],
)
def test_a_wrong_url_is_an_error_with_a_remedy_and_without_the_password(url, said):
    with pytest.raises(DatabaseError, match=said) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at as one " * 20)
    with pytest.raises(DatabaseError, match="not a database"):
        open_database(f"sqlite:///{path}")


def test_sqlite_is_durable_and_checks_references(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/new/folder/desk.db")
    with database.session() as session:
        pragmas = {
            name: session.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}
    database.close()


def test_a_session_that_raises_leaves_nothing(database, incoming, noon):
    row = {"order_id": "1", "facts": {}, "as_of": noon(7, 1)}

    def insert_twice() -> None:
        with database.session() as session:
            for _ in range(2):
                session.execute(orders.insert().values(row))

    with pytest.raises(sa.exc.IntegrityError):
        insert_twice()
    with database.session(read_only=True) as session:
        assert session.execute(sa.select(orders)).all() == []
    assert Desk(database).receive(incoming()).duplicate is False


def test_a_read_only_session_cannot_write(database):
    with pytest.raises((DatabaseError, sa.exc.DBAPIError)), database.session(read_only=True) as session:
        session.execute(orders.delete())


def test_a_locked_database_is_a_database_error_not_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr("desk.database.BUSY_TIMEOUT_MS", 50)
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    holder = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match=r"locked.*no other process"), database.session():
        pass
    holder.close()
    database.close()


def test_processes_that_open_at_the_same_time_migrate_once(database_url):
    opened: list[Database] = []
    failures: list[Exception] = []

    def open_it() -> None:
        try:
            opened.append(open_database(database_url))
        except DatabaseError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in opened:
        database.close()
    assert (len(opened), failures) == (4, [])


def test_a_chat_turn_sent_again_is_refused_and_times_come_back_in_utc(database, noon):
    at = noon(7, 1)
    turn = {"session_id": "s", "client_id": "c1", "role": "customer", "text": "hi \x00 \ud800", "at": at}
    with database.session() as session:
        session.execute(
            chat_sessions.insert().values(id="s", site="shop", token_hash="0" * 64, state={"a": [1]}, created_at=at)
        )
        session.execute(chat_turns.insert().values(turn))
    with pytest.raises(sa.exc.IntegrityError), database.session() as session:
        session.execute(chat_turns.insert().values(turn))
    with database.session(read_only=True) as session:
        stored = session.execute(sa.select(chat_turns)).one()
        assert (stored.at, stored.text) == (at, "hi \ufffd \ufffd")
        assert session.execute(sa.select(chat_sessions.c.state)).scalar_one() == {"a": [1]}


def test_a_naive_time_is_refused(database, noon):
    row = {"order_id": "1", "facts": {}, "as_of": noon(7, 1).replace(tzinfo=None)}
    with pytest.raises(sa.exc.StatementError, match="time zone"), database.session() as session:
        session.execute(upsert(session, orders), [row])


def test_tickets_of_the_first_version_are_folded_anew_when_it_is_upgraded(database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0002")
        reflected = sa.MetaData()
        reflected.reflect(connection)
        tables = reflected.tables
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        texts = {"source": "s", "external_id": "1", "channel": "chat", "subject": "", "body": "Where is it?"}
        connection.execute(tables["tickets"].insert(), {"id": "T-1", **texts, "created_at": at, "received_at": at})
        told = [("received", {}), ("rated", {"csat": 4})]
        for kind, data in told:
            row = {"ticket_id": "T-1", "kind": kind, "at": at, "actor": "a", "data": data}
            connection.execute(tables["events"].insert(), row)
    engine.dispose()
    opened = open_database(database_url)
    view = Desk(opened).ticket("T-1")
    assert (view.state.waiting_since, view.state.contacts, view.state.csat, view.state.priority) == (at, 1, 4, "normal")
    opened.close()
