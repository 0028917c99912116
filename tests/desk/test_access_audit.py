"""The chain of audit entries: what was changed or is missing is named."""

import json
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from desk.access.api_keys import ApiKeyError, ApiKeys, UnknownKeyError
from desk.access.audit import GENESIS, Anchor, AuditError, AuditKind, entries, head, record, verify
from desk.database import Database
from desk.tables import api_keys, audit_entries


def write(database: Database, count: int = 6) -> None:
    for number in range(count):
        with database.session() as session:
            record(session, AuditKind.SIGNED_IN, f"anna \u00e9 {number}", {"n": number, "list": ["a", None, True]})


def tamper(database: Database, statement: sa.Executable) -> None:
    """As somebody who can write the database and has taken away the triggers."""
    with database.session() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sa.text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        else:
            for name in ("update", "delete", "replace"):
                session.execute(sa.text(f"DROP TRIGGER IF EXISTS audit_entries_no_{name}"))
        session.execute(statement)


def found(database: Database, anchor: Anchor | None = None) -> list[str]:
    return [finding.problem for finding in verify(database, anchor).findings]


def test_an_untouched_log_is_intact_and_starts_at_one(database):
    assert (verify(database).entries, head(database).hash) == (0, GENESIS)
    write(database)
    verdict = verify(database)
    assert (verdict.entries, verdict.findings, verdict.head.seq) == (6, (), 6)
    newest = entries(database, 2)
    assert [entry.seq for entry in newest] == [6, 5]
    assert [entry.seq for entry in entries(database, 2, before=5)] == [4, 3]
    assert newest[0].data == {"n": 5, "list": ["a", None, True]}


def test_the_database_itself_refuses_changes(database):
    write(database, 1)
    for statement in ("UPDATE audit_entries SET actor = 'eve'", "DELETE FROM audit_entries"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.session() as session:
            session.execute(sa.text(statement))


def test_whatever_is_changed_about_an_entry_it_is_named_and_the_log_goes_on(database):
    write(database)
    before = vars(next(entry for entry in entries(database) if entry.seq == 3))
    third = audit_entries.update().where(audit_entries.c.seq == 3)
    for change in (
        {"actor": "eve"},
        {"kind": "signed_out"},
        {"data": {"n": 2, "list": ["a", None, False]}},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"hash": "0" * 64},
        {"hash": "garbage"},
    ):
        tamper(database, third.values(change))
        assert "entry 3 was changed" in found(database), change
        with database.session() as session:
            record(session, AuditKind.SIGNED_IN, "anna")
        assert len(found(database)) <= 2
        tamper(database, third.values({name: before[name] for name in change}))
        assert found(database) == [], change


def test_every_single_entry_that_is_changed_or_removed_is_named(database):
    write(database, 4)
    for seq in range(1, 5):
        before = entries(database)[::-1][seq - 1]
        tamper(database, audit_entries.update().where(audit_entries.c.seq == seq).values(actor="eve"))
        assert found(database) == [f"entry {seq} was changed"]
        tamper(database, audit_entries.update().where(audit_entries.c.seq == seq).values(actor=before.actor))
        assert found(database) == []
    tamper(database, audit_entries.delete().where(audit_entries.c.seq == 1))
    assert found(database) == ["entry 1 is missing"]
    tamper(database, audit_entries.delete().where(audit_entries.c.seq == 2))
    assert found(database) == ["entries 1 to 2 are missing"]


def test_an_entry_that_was_replaced_with_its_own_new_seal_breaks_the_next(database):
    from desk.access import audit

    write(database)
    old = next(entry for entry in entries(database) if entry.seq == 3)
    forged = audit._seal(3, old.at, old.kind, "eve", old.data, old.previous)
    tamper(database, audit_entries.update().where(audit_entries.c.seq == 3).values(actor="eve", hash=forged))
    assert found(database) == ["entry 4 does not follow from entry 3: one of them was replaced"]


def test_an_entry_that_cannot_be_read_any_more_is_named(tmp_path):
    from desk.database import open_database

    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    write(database)
    tamper(database, sa.text("UPDATE audit_entries SET at = 'yesterday' WHERE seq = 2"))
    tamper(database, sa.text("UPDATE audit_entries SET data = '{' WHERE seq = 4"))
    tamper(database, sa.text("UPDATE audit_entries SET actor = x'ff00' WHERE seq = 5"))
    assert found(database) == [f"entry {seq} was changed" for seq in (2, 4, 5)]
    database.close()


def test_an_anchor_tells_of_a_cut_off_end_and_of_a_log_made_anew(database, tmp_path):
    write(database)
    path = tmp_path / "anchor.json"
    path.write_text(head(database).model_dump_json())
    anchor = Anchor.read(path)
    write(database, 1)
    assert found(database, anchor) == []
    tamper(database, audit_entries.delete().where(audit_entries.c.seq >= 5))
    assert found(database) == []
    assert found(database, anchor) == ["the anchor knew entry 6, but the log ends at entry 4: its end was cut off"]
    write(database, 4)
    assert found(database) == []
    assert found(database, anchor) == ["entry 6 is not the one that the anchor knew"]


@pytest.mark.parametrize("text", ["", "{", '{"seq": -1, "hash": "x"}', json.dumps({"seq": 1, "hash": "0" * 63})])
def test_a_file_that_is_no_anchor_is_an_error(tmp_path, text):
    (tmp_path / "anchor").write_text(text)
    with pytest.raises(AuditError, match="audit anchor"):
        Anchor.read(tmp_path / "anchor")
    with pytest.raises(AuditError, match="No such file"):
        Anchor.read(tmp_path / "none")


def test_data_that_a_database_would_change_is_refused(database):
    for value in (1.5, {"a": 1}, datetime.now(UTC)):
        with pytest.raises(AuditError), database.session() as session:
            record(session, AuditKind.SIGNED_IN, "anna", {"x": value})
    with database.session() as session:
        record(session, AuditKind.SIGNED_IN, "an\x00na\ud800", {"x": "\x00"})
    assert found(database) == []


def test_many_writers_at_once_make_one_chain(database):
    def work(group: bool) -> None:
        for _ in range(8):
            if group:
                database.write(lambda session: record(session, AuditKind.SIGNED_IN, "grouped"))
            else:
                with database.session() as session:
                    record(session, AuditKind.SIGNED_IN, "alone")

    threads = [threading.Thread(target=work, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = verify(database)
    assert (verdict.entries, verdict.findings) == (32, ())


def test_an_entry_of_a_transaction_that_fails_leaves_no_gap(database):
    write(database, 1)

    def fail_after_it(session):
        record(session, AuditKind.SIGNED_IN, "anna")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(fail_after_it)
    write(database, 1)
    assert (verify(database).entries, found(database)) == (2, [])


def test_a_key_is_shown_once_and_opens_until_it_is_revoked_or_expires(database):
    keys = ApiKeys(database)
    now = datetime.now(UTC)
    key, shown = keys.add("Shop", ["tickets:deliver", "texts:tag"], by="root")
    assert shown.startswith("pd_")
    assert len(shown) > 40
    with database.session(read_only=True) as session:
        assert shown not in str(session.execute(sa.select(api_keys)).all())
    opened = keys.opened_by(shown)
    assert (opened.name, opened.scopes) == ("Shop", {"tickets:deliver", "texts:tag"})
    assert keys.all()[0].used_at >= now
    assert keys.opened_by(shown[:-1]) is None
    assert keys.opened_by("pd_") is None
    assert keys.opened_by("x" + shown) is None
    assert shown not in json.dumps(key.to_json())
    keys.revoke("Shop", by="root")
    assert keys.opened_by(shown) is None
    keys.revoke(key.id, by="root")
    assert [entry.kind for entry in entries(database)] == ["key_revoked", "key_added"]
    soon = datetime.fromtimestamp(now.timestamp() + 60, UTC)
    _, other = keys.add("Other", ["texts:tag"], by="root", expires_at=soon)
    assert keys.opened_by(other, at=now)
    assert keys.opened_by(other, at=soon) is None


def test_a_key_that_cannot_be_is_refused_with_what_to_do(database):
    keys = ApiKeys(database)
    keys.add("taken", ["texts:tag"], by="root")
    for name, scopes, said in (
        ("", ["texts:tag"], "needs a name"),
        ("x" * 101, ["texts:tag"], "needs a name"),
        ("a", [], "needs a scope"),
        ("a", ["texts:eat"], "cannot have texts:eat"),
        ("a", ["users:manage"], "cannot have users:manage"),
        ("taken", ["texts:tag"], "already"),
    ):
        with pytest.raises(ApiKeyError, match=said):
            keys.add(name, scopes, by="root")
    with pytest.raises(UnknownKeyError):
        keys.revoke("none", by="root")
