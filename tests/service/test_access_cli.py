"""The commands of accounts, keys, audit and erasure, as a user runs them."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from service.cli import main

PASSWORD = "seven quiet herons"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARETODESK_MODELS_STORE", str(tmp_path / "none"))
    (tmp_path / "password").write_text(PASSWORD + "\n")

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paretodesk", *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return code, said.out, said.err

    return command


@pytest.fixture
def password(tmp_path: Path) -> tuple[str, str]:
    return "--password-file", str(tmp_path / "password")


def test_accounts_from_the_command_line(run, password):
    code, _, said = run("users", "list")
    assert (code, "no account" in said) == (0, True)
    assert run("users", "add", "Anna", "--role", "admin", "--name", "Anna [b]B", *password)[0] == 0
    assert run("users", "add", "ben", *password)[0] == 0
    code, told, _ = run("users", "list", "--json")
    assert [(user["username"], user["role"]) for user in json.loads(told)] == [("anna", "admin"), ("ben", "agent")]
    assert "Anna [b]B" in run("users", "list")[1]
    assert run("users", "role", "ben", "lead")[0] == 0
    assert run("users", "disable", "ben")[0] == 0
    assert run("users", "enable", "ben")[0] == 0
    assert run("users", "password", "ben", *password)[0] == 0
    kinds = [entry["kind"] for entry in json.loads(run("audit", "list", "--json")[1])]
    assert kinds == [
        "password_changed", "account_enabled", "account_disabled", "role_changed", "account_added", "account_added",
    ]  # fmt: skip
    assert "cli:" in run("audit", "list")[1]


def test_mistakes_are_told_with_what_to_do_and_exit_code_two(run, password, tmp_path):
    run("users", "add", "anna", "--role", "admin", *password)
    (tmp_path / "short").write_text("short")
    (tmp_path / "two").write_text("a\nb\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for words, said in (
        (("users", "add", "anna", *password), "already"),
        (("users", "add", "b c", *password), "user name has"),
        (("users", "add", "ben", "--role", "boss", *password), "no role 'boss'"),
        (("users", "add", "ben", "--password-file", str(tmp_path / "short")), "at least 12"),
        (("users", "add", "ben", "--password-file", str(tmp_path / "two")), "2 lines"),
        (("users", "add", "ben", "--password-file", str(tmp_path / "bytes")), "UTF-8"),
        (("users", "add", "ben", "--password-file", str(tmp_path / "none")), "No such file"),
        (("users", "add", "ben", "--subject", "x"), "PARETODESK_OIDC_ISSUER"),
        (("users", "link", "anna", "x"), "PARETODESK_OIDC_ISSUER"),
        (("users", "disable", "nobody"), "users list"),
        (("users", "disable", "anna"), "last administrator"),
        (("keys", "add", "x", "--scope", "all"), "choose from"),
        (("keys", "revoke", "x"), "keys list"),
        (("audit", "verify", "--anchor", str(tmp_path / "none")), "audit anchor"),
        (("audit", "anchor", str(tmp_path / "no" / "folder")), "choose another file"),
        (("erase",), "an e-mail address or an order id"),
        (("erase", "--email", "anna"), "no e-mail address"),
        (("retention", "--older-than", "2 years"), "730d"),
        (("retention", "--older-than", "0d"), "a day"),
    ):
        code, _, told = run(*words)
        assert (code, said in " ".join(told.split())) == (2, True), (words, told)


def test_a_key_alone_goes_to_stdout_and_is_never_shown_again(run):
    code, out, _ = run("keys", "add", "Shop", "--scope", "tickets:deliver", "--scope", "texts:tag", "--days", "30")
    key = out.strip()
    assert (code, key.startswith("pd_"), " " in key) == (0, True, False)
    listed = run("keys", "list", "--json")[1]
    assert key not in listed
    [stored] = json.loads(listed)
    assert (stored["scopes"], stored["expires_at"] is not None) == (["texts:tag", "tickets:deliver"], True)
    assert run("keys", "revoke", "Shop")[0] == 0
    assert "revoked" in run("keys", "list")[1]
    assert key not in run("audit", "list", "--json")[1]


def test_a_changed_log_is_told_with_exit_code_one(run, password, tmp_path):
    for name in ("anna", "ben", "kim"):
        run("users", "add", name, *password)
    anchor = tmp_path / "anchor.json"
    assert run("audit", "anchor", str(anchor))[0] == 0
    code, out, _ = run("audit", "verify", "--anchor", str(anchor))
    assert (code, "3 entries, intact; head 3 " in out) == (0, True)
    with sqlite3.connect(tmp_path / "home" / "desk.db") as connection:
        for name in ("update", "delete"):
            connection.execute(f"DROP TRIGGER audit_entries_no_{name}")
        connection.execute("UPDATE audit_entries SET actor = 'eve' WHERE seq = 2")
        connection.execute("DELETE FROM audit_entries WHERE seq = 3")
    code, out, _ = run("audit", "verify")
    assert (code, "entry 2 was changed" in out) == (1, True)
    code, out, _ = run("audit", "verify", "--anchor", str(anchor), "--json")
    assert code == 1
    assert [found["seq"] for found in json.loads(out)["findings"]] == [2, 3]


def test_erasing_tells_what_it_touched(run, tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/home/desk.db")
    Desk(database).receive(IncomingTicket("t", "1", "hello, I am anna@example.com", customer_email="anna@example.com"))
    database.close()
    code, out, _ = run("erase", "--email", "Anna@Example.com", "--dry-run", "--json")
    assert (code, json.loads(out)) == (0, {"dry_run": True, "rows": {"tickets": 1}, "snapshots": []})
    code, out, told = run("erase", "--email", "anna@example.com")
    assert (code, "tickets: 1 rows" in out, "backups" in told) == (0, True, True)
    assert run("erase", "--email", "anna@example.com")[0] == 1
    assert run("retention", "--older-than", "730d", "--json")[0] == 0
    assert "anna@" not in run("audit", "list", "--json")[1]


def test_serving_to_other_machines_without_anybody_who_could_sign_in_is_refused(run):
    code, _, told = run("serve", "--host", "0.0.0.0", "--port", "1")
    assert (code, "paretodesk users add" in " ".join(told.split())) == (2, True)
