import json
from pathlib import Path

from classifier.encoders import Encoder
from classifier.taxonomy import Taxonomy
from training.corpus import load_corpus
from training.groups import assign


def write(folder: Path, locale: str, *rows: dict[str, object]) -> None:
    path = folder / locale / "tracking_update.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def content(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text(encoding="utf-8") for path in folder.glob("*/*.jsonl")}


def test_new_tickets_get_ids_and_equal_stories_one_group(tmp_path: Path, encoder: Encoder, taxonomy: Taxonomy) -> None:
    write(
        tmp_path,
        "en",
        {"id": "en-tracking_update-002", "channel": "chat", "body": "Where is my parcel?"},
        {"channel": "chat", "body": "The courier left my garden bench at the wrong depot in Leeds, it says so online."},
        {"channel": "chat", "body": "where is my parcel please?"},
    )
    write(tmp_path, "de", {"channel": "chat", "body": "Wo ist mein Paket?", "secondary": ["refund_status"]})
    assert assign(tmp_path, encoder) == 4
    examples = {example.id: example for example in load_corpus(tmp_path, taxonomy)}
    assert set(examples) == {f"en-tracking_update-00{n}" for n in (1, 2, 3)} | {"de-tracking_update-001"}
    same = [examples[f"en-tracking_update-00{n}"] for n in (2, 3)]
    assert {example.group for example in same} == {"en-tracking_update-002"}
    assert examples["en-tracking_update-001"].group == "en-tracking_update-001"
    assert examples["de-tracking_update-001"].secondary == ("refund_status",)
    once = content(tmp_path)
    assign(tmp_path, encoder)
    assert content(tmp_path) == once


def test_fields_that_are_not_ours_stay(tmp_path: Path, encoder: Encoder) -> None:
    write(tmp_path, "en", {"channel": "chat", "body": "Where is\u2028my parcel?", "subject": "", "note": "", "seen": 0})
    assign(tmp_path, encoder)
    (line,) = content(tmp_path)["en"].removesuffix("\n").split("\n")
    own = {"id": "en-tracking_update-001", "channel": "chat", "body": "Where is\u2028my parcel?"}
    assert json.loads(line) == {**own, "note": "", "seen": 0}
