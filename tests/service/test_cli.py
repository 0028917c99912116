"""The command line as a user runs it: a process, its output, its exit code."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "desk" / "sample"


@pytest.fixture
def run(starter_store, tmp_path):
    store, key = starter_store
    environment = os.environ | {
        "PARETODESK_HOME": str(tmp_path / "home"),
        "PARETODESK_MODELS_STORE": str(store),
        "PARETODESK_SIGNING_KEY": str(key),
    }

    def run(*arguments, stdin=b"", **more):
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            input=stdin, capture_output=True, env=environment | more, cwd=tmp_path, timeout=200,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    run.environment = environment
    return run


def test_tag_writes_one_json_line_per_ticket_and_names_rows_it_cannot_read(run, tmp_path):
    file = tmp_path / "tickets.csv"
    file.write_text(
        "id,body,order_id\n1,Where is my parcel?,402-1739284-5582931\n2,,\n3,Wo ist mein Paket?,\n", "utf-8"
    )
    code, out, err = run("tag", file)
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [record["id"] for record in records] == ["1", "3"]
    assert records[0]["entities"]["order_id"] == ["402-1739284-5582931"]
    assert "tickets.csv:3" in err
    code, out, _ = run("tag", "-", stdin=b'{"id": "x", "body": "Je veux annuler ma commande"}\n')
    assert code == 0
    assert json.loads(out)["reason"] == "cancel_order"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20, ["picture"]),
        (b"number,message\n1,hello\n", ["no column 'body'", "message", "--text"]),
    ],
)
def test_tag_explains_files_that_it_cannot_use(run, tmp_path, content, words):
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    code, out, err = run("tag", file)
    assert (code, out) == (2, "")
    for word in words:
        assert word in err.replace("\n", " ")


def test_import_keeps_rejects_reports_and_compares_quarters(run, tmp_path):
    code, out, _ = run("import", SAMPLE / "dirty.csv", "--preset", "sample", "--rejects", tmp_path / "r.csv", "--json")
    figures = json.loads(out)
    assert code == 1
    assert figures["read"] == figures["imported"] + figures["duplicates"] + figures["rejected"]
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        assert figures["rejected"] == len(list(csv.DictReader(file))) >= 10
    code, _, _ = run("import", SAMPLE / "tickets.csv", "--preset", "sample", "--rejects", tmp_path / "r2.csv")
    assert code == 0
    page = tmp_path / "report.html"
    code, out, _ = run("report", "top-reasons", "--from", "2026-07-01", "--to", "2026-10-01", "--json", "--html", page)
    assert code == 0
    assert json.loads(out)["reasons"][0]["reason"] == "tracking_update"
    assert "<svg" in page.read_text("utf-8")
    code, out, _ = run("shift", "--baseline", "2026Q2", "--current", "2026Q3", "--json")
    lines = {line["reason"]: line for line in json.loads(out)["reasons"]}
    assert lines["tracking_update"]["significant"]
    assert lines["tracking_update"]["change"] > 0
    assert lines["invoice_request"]["change"] < 0
    code, _, err = run("shift", "--baseline", "2020Q1", "--current", "2026Q3")
    assert code == 2
    assert "no ticket of 2020Q1" in err.replace("\n", " ")


def test_without_a_model_the_commands_say_what_to_do(run, tmp_path):
    elsewhere = {"PARETODESK_MODELS_STORE": str(tmp_path / "none")}
    code, out, err = run("tag", "-", stdin=b"body\nwhere is my parcel\n", **elsewhere)
    assert code == 0
    assert json.loads(out)["decision"] == "undecided"
    assert "paretodesk train" in err
    code, _, err = run("evaluate", **elsewhere)
    assert code == 2
    assert "paretodesk train" in err.replace("\n", " ")


def test_wrong_settings_are_listed_all_at_once(run):
    code, _, err = run("models", "list", PARETODESK_PORT="0", PARETODESK_THREADS="many")
    assert code == 2
    assert "PARETODESK_PORT" in err
    assert "PARETODESK_THREADS" in err
    code, _, err = run("serve", "--host", "0.0.0.0")
    assert code == 2
    assert "PARETODESK_CONSOLE_TOKEN" in err


def test_macros_check_fails_on_a_blocked_message(run, tmp_path):
    message = tmp_path / "reply.txt"
    message.write_text("Subject: Your order\n\nHello, leave us 5 stars and get a 10 EUR voucher!\n", "utf-8")
    code, out, _ = run("macros", "check", message, "--marketplace", "amazon", "--json")
    found = json.loads(out)
    assert code == 1
    assert {"file", "rule", "severity", "span", "message", "remedy"} <= set(found[0])
    assert "R05" in {violation["rule"] for violation in found}


def test_kb_search_answers_and_knows_when_nothing_does(run):
    code, out, _ = run("kb", "search", "how long until I get my money back after a return", "--json")
    found = json.loads(out)
    assert code == 0
    assert found[0]["article"] == "when-is-my-refund"
    assert {"article", "reason", "locale", "passage", "score", "probability"} <= set(found[0])
    _, out, _ = run("kb", "search", "who won the football world cup in 1954", "--json")
    assert json.loads(out) == []


def test_evaluate_prints_the_figures_of_the_contract(run):
    code, out, _ = run("evaluate", "--json")
    figures = json.loads(out)
    assert code == 0
    contract = {"accuracy", "macro_f1", "ece", "per_label", "per_language", "coverage", "selective_error", "seconds"}
    assert contract <= set(figures)
    assert figures["macro_f1"] > 0.75
    assert set(figures["per_language"]) == {"en", "fr", "de", "es", "it"}


def test_train_and_evaluate_work_on_any_labelled_set(run, tmp_path):
    colours = {
        "warm": ["red", "orange", "amber", "crimson", "scarlet"],
        "cold": ["blue", "teal", "navy", "cyan", "azure"],
    }
    rows = [
        (f"I like the {c} {thing}", label)
        for label, cs in colours.items()
        for c in cs
        for thing in ("hat", "car", "sky")
    ]
    file = tmp_path / "colours.csv"
    file.write_text("says,is\n" + "".join(f"{text},{label}\n" for text, label in rows), "utf-8")
    store = {"PARETODESK_MODELS_STORE": str(tmp_path / "own")}
    code, _, err = run("train", "--data", file, "--text", "says", "--label", "is", "--name", "colours", **store)
    assert code == 0, err
    code, out, _ = run(
        "evaluate", "--data", file, "--text", "says", "--label", "is", "--model", "colours", "--json", **store
    )
    assert json.loads(out)["accuracy"] > 0.9
    code, _, err = run("train", "--data", file, "--text", "nope", "--label", "is", "--name", "colours", **store)
    assert code == 2
    assert "no column 'nope'; found says, is" in err.replace("\n", " ")


def test_serve_starts_answers_and_stops_cleanly_and_names_a_taken_port(run, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        code, _, err = run("serve", "--port", port)
        assert code == 2
        assert "--port" in err
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
        env=run.environment, cwd=tmp_path, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    assert json.load(answer)["status"] == "ready"
                    break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("not ready within 30 s")
        code, _, err = run("kb", "search", "invoice", "--json")
        assert code == 0
        assert "copy" in err
    finally:
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err.decode()
    assert b"Traceback" not in err
