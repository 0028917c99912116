"""`paretodesk chat test` from the shell: exit codes, messages, and what it leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """version: 1
conversations:
  - id: return
    locale: en
    purpose: How to send something back
    tags: [self_service]
    wants: return_request
    right: [return-an-article]
    turns:
      - {customer: How do I return an article?, expect: {act: ACT}}
"""


def run(tmp_path: Path, *arguments: object, **more: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "chat", "test", *map(str, arguments)],
        capture_output=True,
        env=os.environ | {"PARETODESK_HOME": str(tmp_path / "home"), **more},
        cwd=tmp_path,
        timeout=200,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "a.yaml").write_text(SCRIPT.replace("ACT", "[answer, clarify]"), encoding="utf-8")
    return tmp_path / "scripts"


def test_what_cannot_be_played_is_said_with_exit_code_2(tmp_path, folder):
    code, _, said = run(tmp_path, tmp_path / "none")
    assert (code, "there is no such folder" in said) == (2, True)
    code, _, said = run(tmp_path, folder, "--only", "retrun")
    assert (code, "no conversation fits --only retrun; there are 1 without it" in said) == (2, True)
    code, _, said = run(tmp_path, folder, PARETODESK_MODELS_STORE=str(tmp_path / "empty"))
    assert (code, "without a model: no model has been promoted" in " ".join(said.split())) == (2, True)
    assert not (tmp_path / "home" / "desk.db").exists()
    (folder / "a.yaml").write_text(SCRIPT.replace("ACT", "awnser"), encoding="utf-8")
    code, _, said = run(tmp_path, folder)
    assert code == 2
    assert "a.yaml:10: conversations.0.turns.0.expect.act.0: Input should be 'answer'" in said


def test_it_exits_with_1_when_an_expectation_fails_and_makes_no_ticket(tmp_path, folder, starter_store):
    store, key = starter_store
    model = {"PARETODESK_MODELS_STORE": str(store), "PARETODESK_SIGNING_KEY": str(key)}
    code, said, _ = run(tmp_path, folder, "--json", **model)
    report = json.loads(said)
    assert (code, report["ok"], report["total"]["conversations"]) == (0, True, 1)
    assert report["total"]["resolved"]["value"] == 1
    (folder / "b.yaml").write_text(
        SCRIPT.replace("ACT", "hand_off").replace("id: return", "id: other"), encoding="utf-8"
    )
    code, said, _ = run(tmp_path, folder, **model)
    assert code == 1
    assert "failed other: How to send something back" in said
    assert "b.yaml:10: act: expected hand_off, got answer" in said
