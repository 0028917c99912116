"""The guides run: each Python block of a notebook-style guide, in order and in one namespace."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import training.estimator as estimator

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def run(guide: Path) -> dict[str, object]:
    """The names that the guide's blocks leave behind; errors carry the guide's own line numbers."""
    text = guide.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "guide"}
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        exec(compile("\n" * first + block[1], str(guide), "exec"), names)
    return names


def test_the_estimator_guide_runs_from_file_to_service(
    encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimator, "encoder_by_name", lambda name: encoder)
    estimator._open.cache_clear()
    names = run(DOCS / "estimator.md")
    estimator._open.cache_clear()
    printed = capsys.readouterr().out
    assert re.search(r"^accuracy 0\.[7-9]\d\d, macro-F1 0\.[7-9]\d\d, calibration error 0\.\d{3}$", printed, re.M)
    assert len(re.findall(r"^said 0\.\d\d, right [01]\.\d\d$", printed, re.M)) == 5
    assert re.search(r"^at most 10% wrong: confidence from 0\.\d\d, [1-9]\d% decided$", printed, re.M)
    assert names["ours"].mean() > names["theirs"].mean()
    assert (tmp_path / "store" / "five-reasons" / names["version"] / "card.md").is_file()
    with TestClient(names["app"]) as client:
        answer = client.post("/classify", json=["Where is my parcel? It should be here by now."]).json()
    assert answer[0]["label"] == "tracking_update"
    assert answer[0]["decision"] in {"tracking_update", "undecided"}
