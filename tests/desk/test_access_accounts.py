"""Accounts, passwords, throttling and sessions, on both databases."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from classifier.datafile import DataFileError
from desk.access import audit, throttle
from desk.access.accounts import AccountError, Accounts, SignInError, UnknownAccountError, username_of
from desk.access.passwords import PasswordError, fits, hashed
from desk.access.roles import desk_roles, load_roles
from desk.access.sessions import Lifetime, Sessions, request_token
from desk.access.throttle import PER_ACCOUNT, PER_ADDRESS, WINDOW, ThrottledError, count_attempt
from desk.tables import account_sessions, accounts, sign_in_attempts

GOOD = "seven quiet herons"
OTHER = "a bucket of green paint"
HERE = "192.0.2.7"


@pytest.fixture
def people(database):
    return Accounts(database)


@pytest.fixture
def anna(people):
    return people.add("anna", "agent", by="cli:root", password=GOOD, display_name="Anna B.")


def kinds(database):
    return [entry.kind for entry in reversed(audit.entries(database))]


def test_each_role_may_what_the_one_below_may_and_more():
    granted = desk_roles().granted
    assert list(granted) == ["agent", "lead", "engineer", "admin"]
    ladder = list(granted.values())
    assert all(low < high for low, high in pairwise(ladder))
    assert granted["admin"] == desk_roles().all
    assert "users:manage" not in desk_roles().for_keys


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("{a: {says: x, permissions: [nothing]}}", "no such permission: nothing"),
        ("{a: {says: x, includes: [b]}}", "no such role: b"),
        ("{a: {says: x, includes: [b]}, b: {says: x, includes: [a]}}", "includes itself by way of a -> b -> a"),
        ("{a: {says: x}}", "no role has p"),
        ("{a: {says: x, permission: [p]}}", "Extra inputs"),
    ],
)
def test_a_roles_file_that_means_nothing_is_refused_with_its_place(tmp_path, roles, said):
    path = tmp_path / "roles.yaml"
    path.write_text(f"permissions: {{p: {{says: something}}}}\nroles: {roles}\n")
    with pytest.raises(DataFileError, match=said):
        load_roles(path)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 12"),
        ("x" * 1_001, "the limit is 1,000"),
        ("abababababababab", "repeats"),
        ("my-name-is-Anna.Berg!", "contains the user name"),
        ("ＡＮＮＡ.ＢＥＲＧ 2026", "contains the user name"),
    ],
)
def test_a_weak_password_is_refused_and_never_repeated(password, said):
    with pytest.raises(PasswordError, match=said) as caught:
        hashed(password, "anna.berg")
    assert password not in str(caught.value)


def test_a_password_is_one_however_its_letters_are_composed():
    stored = hashed("un éléphant très calme", "ben")
    assert stored.startswith("$argon2id$")
    assert fits("un éléphant très calme", stored)
    assert not fits("un elephant tres calme", stored)
    assert not fits("\ud800 no text at all", stored)
    assert not fits(GOOD, "not a hash")


@pytest.mark.parametrize("name", ["", " ", "a b", "ümlaut", "-dash", "x" * 101, "Customer", "paretodesk", "a\x00b"])
def test_a_user_name_that_would_confuse_is_refused(name):
    with pytest.raises(AccountError):
        username_of(name)


def test_an_account_is_found_however_its_name_is_written(people, anna):
    assert people.get(" ANNA ").id == anna.id
    assert people.check_password("Anna", GOOD, HERE).id == anna.id
    with pytest.raises(AccountError, match="already"):
        people.add("ANNA", "lead", by="x", password=OTHER)
    with pytest.raises(AccountError, match="no role 'boss'"):
        people.add("ben", "boss", by="x", password=OTHER)
    with pytest.raises(UnknownAccountError, match="users list"):
        people.get("ben")


def test_the_first_account_ends_the_time_without_accounts(people, database):
    assert people.any is False
    people.add("anna", "agent", by="x", password=GOOD)
    assert people.any is True
    assert Accounts(database).any is True


def test_no_password_is_stored_or_logged(people, anna, database, caplog):
    people.check_password("anna", GOOD, HERE)
    with pytest.raises(SignInError):
        people.check_password(GOOD, GOOD, HERE)  # typed into the wrong field
    with database.session(read_only=True) as session:
        stored = [str(row) for table in sa.inspect(session.connection()).get_table_names()
                  for row in session.execute(sa.text(f'SELECT * FROM "{table}"'))]  # fmt: skip
    assert not [row for row in stored if GOOD in row]
    assert GOOD not in caplog.text
    assert GOOD not in repr(people.get("anna"))


def test_unknown_wrong_and_disabled_are_answered_alike(people, anna, database):
    people.add("ben", "admin", by="x", password=OTHER)
    people.disable("anna", by="ben")
    said = set()
    for name, password in (("nobody", GOOD), ("ben", GOOD), ("anna", GOOD), ("a b\ud800", GOOD)):
        with pytest.raises(SignInError) as caught:
            people.check_password(name, password, HERE)
        said.add(str(caught.value))
    assert said == {"the user name or the password is wrong"}
    failed = [entry.actor for entry in audit.entries(database) if entry.kind == "sign_in_failed"]
    assert failed == ["unknown", "anna", "ben", "unknown"]


def test_unknown_names_take_the_same_work(people, anna, monkeypatch):
    checked = []
    real = throttle.count_attempt
    monkeypatch.setattr("desk.access.accounts.count_attempt", lambda *a: checked.append("counted") or real(*a))
    verify = hashed.__globals__["_hashing"].verify
    monkeypatch.setattr(hashed.__globals__["_hashing"], "verify", lambda *a: checked.append("hashed") or verify(*a))
    for name in ("anna", "nobody"):
        with pytest.raises(SignInError):
            people.check_password(name, OTHER, HERE)
    assert checked == ["counted", "hashed"] * 2


def test_the_eleventh_attempt_on_an_account_waits_even_with_the_right_password(people, anna, database):
    for _ in range(PER_ACCOUNT):
        with pytest.raises(SignInError):
            people.check_password("anna", OTHER, HERE)
    with pytest.raises(ThrottledError, match="minutes") as caught:
        people.check_password("anna", GOOD, "198.51.100.1")
    assert 0 < caught.value.after <= WINDOW.total_seconds()
    with pytest.raises(ThrottledError):
        people.check_password("anna", GOOD, HERE)
    assert kinds(database).count("sign_in_throttled") == 1
    people.add("ben", "admin", by="x", password=OTHER)
    assert people.check_password("ben", OTHER, HERE).username == "ben"


def test_signing_in_forgets_the_mistakes_before_it(people, anna, database):
    for _ in range(PER_ACCOUNT - 1):
        with database.session() as session:
            count_attempt(session, "anna", HERE)
    people.check_password("anna", GOOD, HERE)
    with pytest.raises(SignInError):
        people.check_password("anna", OTHER, HERE)


def test_a_window_that_is_over_counts_nothing(database):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with database.session() as session:
        attempts = [count_attempt(session, "anna", HERE, at=start) for _ in range(PER_ACCOUNT + 2)]
        later = count_attempt(session, "anna", HERE, at=start + WINDOW)
    assert [attempt.allowed for attempt in attempts] == [True] * PER_ACCOUNT + [False] * 2
    assert [attempt.first_refused for attempt in attempts[-2:]] == [True, False]
    assert later.allowed


def test_an_address_that_tries_many_names_is_stopped_and_fills_no_table(database):
    with database.session() as session:
        allowed = [count_attempt(session, f"name{n}", HERE).allowed for n in range(PER_ADDRESS + 20)]
        rows = session.scalar(sa.select(sa.func.count()).select_from(sign_in_attempts))
        elsewhere = count_attempt(session, "name1", "198.51.100.1").allowed
    assert allowed == [True] * PER_ADDRESS + [False] * 20
    assert (rows, elsewhere) == (PER_ADDRESS + 1, True)


def test_attempts_at_the_same_time_do_not_pass_together(database):
    allowed = []

    def attempt():
        for _ in range(3):
            with database.session() as session:
                allowed.append(count_attempt(session, "anna", HERE).allowed)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 8 + [True] * PER_ACCOUNT


def test_a_session_is_known_by_a_secret_that_is_not_stored(people, anna, database):
    sessions, lifetime = Sessions(database), Lifetime()
    secret = sessions.start(anna, HERE)
    assert sessions.account(secret, lifetime).username == "anna"
    assert sessions.account(secret[:-1] + "?", lifetime) is None
    assert sessions.account("\ud800", lifetime) is None
    with database.session(read_only=True) as session:
        row = str(session.execute(sa.select(account_sessions)).one())
    assert secret not in row
    assert request_token(secret) not in row


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(people, anna, database):
    sessions, lifetime = Sessions(database), Lifetime(timedelta(hours=1), timedelta(hours=3))
    secret, now = sessions.start(anna, HERE), datetime.now(UTC)
    assert sessions.account(secret, lifetime, at=now + timedelta(minutes=61)) is None
    for minutes in range(0, 180, 50):
        assert sessions.account(secret, lifetime, at=now + timedelta(minutes=minutes)), minutes
    assert sessions.account(secret, lifetime, at=now + timedelta(minutes=181)) is None
    assert sessions.forget_expired(lifetime, at=now + timedelta(minutes=120)) == 0
    assert sessions.forget_expired(lifetime, at=now + timedelta(minutes=181)) == 1


def test_signing_in_anew_ends_the_session_before_and_no_other(people, anna, database):
    sessions, lifetime = Sessions(database), Lifetime()
    first, other = sessions.start(anna, HERE), sessions.start(anna, HERE)
    second = sessions.start(anna, HERE, instead_of=first)
    assert sessions.account(first, lifetime) is None
    assert sessions.account(second, lifetime)
    assert sessions.account(other, lifetime)
    sessions.end(second, anna)
    sessions.end(second, anna)
    assert sessions.account(second, lifetime) is None
    assert kinds(database).count("signed_out") == 1


@pytest.mark.parametrize("change", [{"password": OTHER}, {"enabled": False}])
def test_a_new_password_and_disabling_end_every_session(people, anna, database, change):
    sessions, lifetime = Sessions(database), Lifetime()
    secrets = [sessions.start(anna, HERE) for _ in range(2)]
    people.change("anna", by="root", **change)
    assert [sessions.account(secret, lifetime) for secret in secrets] == [None, None]


def test_a_role_holds_from_the_next_request_on(people, anna, database):
    sessions = Sessions(database)
    secret = sessions.start(anna, HERE)
    people.set_role("anna", "lead", by="root")
    assert sessions.account(secret, Lifetime()).role == "lead"
    people.set_role("anna", "lead", by="root")
    changed = [entry.data for entry in audit.entries(database) if entry.kind == "role_changed"]
    assert changed == [{"username": "anna", "from": "agent", "to": "lead"}]


def test_a_change_that_is_partly_wrong_changes_nothing(people, anna):
    for wrong in ({"role": "lead", "password": "short"}, {"password": OTHER, "role": "boss"}):
        with pytest.raises((AccountError, PasswordError)):
            people.change("anna", by="root", **wrong)
    assert people.get("anna").role == "agent"
    assert people.check_password("anna", GOOD, HERE)


def test_the_last_administrator_stays(people, database):
    people.add("root", "admin", by="x", password=GOOD)
    for change in ({"role": "lead"}, {"enabled": False}):
        with pytest.raises(AccountError, match="last administrator"):
            people.change("root", by="x", **change)
    people.add("eve", "admin", by="x", password=OTHER)
    results = []

    def demote(name):
        try:
            people.set_role(name, "agent", by="x")
        except AccountError:
            results.append(name)

    threads = [threading.Thread(target=demote, args=(name,)) for name in ("root", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1
    with database.session(read_only=True) as session:
        assert session.scalars(sa.select(accounts.c.role)).all().count("admin") == 1
