import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from desk.inbox import Desk
from training.emerging.report import EmergingReason, EmergingReport, TypicalTicket
from training.emerging.tracking import Tracker
from training.labels.audit import Contradiction, LabelAudit, Suspicion
from training.quarterly import Given, Quarterly, QuarterlyError, measure, read_given, tracked_emerging
from training.quarterly.measuring import quarter_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Q3 = datetime(2026, 8, 3, 9, tzinfo=UTC)


def report_of(desk: Desk, given: Given) -> Quarterly:
    return measure(desk, quarter_of("2026Q3", NOW.date()), given, None, Counter(), NOW)


def given_of(tmp_path: Path, **files) -> Given:
    paths = {}
    for name in ("shift", "emerging", "labels"):
        paths[name] = None
        if name in files:
            paths[name] = tmp_path / f"{name}.json"
            text = files[name] if isinstance(files[name], str) else json.dumps(files[name])
            paths[name].write_text(text, encoding="utf-8")
    return read_given(*paths.values(), date(2026, 7, 1), date(2026, 10, 1), lambda reason: reason.upper())


SHIFT = {
    "current": {"label": "2026Q3", "start": "2026-07-01", "end": "2026-10-01"},
    "estimate": {"reasons": [{"reason": "thanks", "baseline": {"value": 0.1}, "current": {"value": 0.2},
                              "change": 0.1, "low": 0.05, "high": 0.15, "real": True}]},
    "alarms": [{"message": "thanks went from 10.0% to 20.0% of the tickets"}],
}  # fmt: skip


SPRING = {"label": "2026Q2", "start": "2026-04-01", "end": "2026-07-01"}


def test_a_corrected_shift_replaces_the_counts_and_its_alarms_are_decisions(desk, fill, tmp_path):
    fill("thanks", 10, Q3)
    report = report_of(desk, given_of(tmp_path, shift=SHIFT))
    assert (report.movement.corrected, report.movement.lines[0].name) == (True, "THANKS")
    assert "Shift alarm: thanks went from" in next(x for x in report.decisions if x.rule == "shift_alarm").evidence


def cluster(number: int, size: int, evident: bool = True) -> EmergingReason:
    return EmergingReason(
        f"C-{number}", ("battery", "recall", "swap", "notice", "more"), "en", size, 1.0, 40.0, evident, size, 0, 0.1,
        0.2, {"thanks": size - 1, "other": 1}, {}, {"en": size},
        (TypicalTicket("T-1", "en", f"Write to me at anna@example.org about the recall. {'word ' * 60}"),),
        ("T-1",), (0.1,), growth=0.5,
    )  # fmt: skip


def emerging(*clusters: EmergingReason, last: date = date(2026, 9, 30)) -> dict:
    """What `paretodesk reasons emerging --json` prints."""
    return EmergingReport(date(2026, 7, 1), last, 500, 60, "reasons/1", clusters).to_json()


AUDIT = LabelAudit(
    100, tuple(Suspicion(str(n), "thanks", "other", 0.1) for n in range(8)),
    (Contradiction("1", "2", "thanks", "other", 0.99),),
)  # fmt: skip


def test_emerging_clusters_and_an_audit_come_from_their_files(desk, fill, tmp_path):
    fill("thanks", 10, Q3)
    clusters = emerging(cluster(1, 24), cluster(2, 40, evident=False), cluster(3, 4))
    report = report_of(desk, given_of(tmp_path, emerging=clusters, labels=AUDIT.to_json()))
    assert [(one.id, one.name, one.tickets) for one in report.emerging] == [
        ("C-1", "battery, recall, swap, notice", 24),
        ("C-2", "battery, recall, swap, notice", 40),
        ("C-3", "battery, recall, swap, notice", 4),
    ]
    assert "anna@example.org" not in json.dumps(report.to_json())
    assert report.emerging[0].examples[0].endswith("…")
    assert (report.labels.audited, report.labels.suspicious, report.labels.contradictions) == (100, 8, 1)
    assert [one.title for one in report.decisions if one.rule == "suspicious_labels"] == [
        "Have suspicious labels looked at"
    ]
    # neither what chance may have made nor what is small
    [decision] = [one for one in report.decisions if one.rule == "emerging"]
    assert "draft C-1 " in decision.action
    assert "the model takes most of them for “THANKS” (96%)" in decision.evidence


def test_clusters_that_were_followed_are_taken_where_no_file_is_given(tmp_path):
    quarter = date(2026, 7, 1), date(2026, 10, 1)
    assert tracked_emerging(tmp_path, *quarter) is None
    found = EmergingReport(date(2026, 8, 1), date(2026, 8, 30), 500, 60, "reasons/1", (cluster(1, 24),))
    Tracker(tmp_path).follow(found, "encoder")
    [one] = tracked_emerging(tmp_path, *quarter)
    assert (one.name, one.tickets, one.evident, one.examples) == ("battery, recall, swap, notice", 24, True, ())
    assert tracked_emerging(tmp_path, date(2026, 4, 1), date(2026, 7, 1)) is None


def test_clusters_of_other_days_are_refused(tmp_path):
    with pytest.raises(QuarterlyError, match="is about 2026-07-01 to 2026-06-30, but the report is about"):
        given_of(tmp_path, emerging=emerging(last=date(2026, 6, 30)))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"shift": "{"}, r"--shift .*shift.json: is not JSON"),
        ({"shift": {"current": {}}}, "does not have the expected fields"),
        (
            {"shift": SHIFT | {"current": SPRING}},
            "compares 2026Q2",
        ),
        (
            {"shift": SHIFT | {"estimate": None, "estimate_missing": "no evidence"}},
            "no corrected estimate .no ev",
        ),
        ({"labels": []}, "labels audit --json"),
        ({"emerging": {"reasons": 1}}, "reasons emerging --json"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_name(tmp_path, files, said):
    with pytest.raises(QuarterlyError, match=said):
        given_of(tmp_path, **files)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(QuarterlyError, match=r"--labels .*: no such file"):
        read_given(None, None, tmp_path / "no.json", date(2026, 7, 1), date(2026, 10, 1), str)
