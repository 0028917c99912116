"""A reason that comes back is the same one, with its growth; a draft of it can be read by everything that reads."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from classifier.taxonomy import Autonomy, Reason, Taxonomy
from kb.articles import load_articles
from kb.macros import MacroStatus, load_macros
from training.corpus import load_corpus
from training.emerging.draft import TO_WRITE, write_draft
from training.emerging.naming import name_terms, spoken, typical
from training.emerging.period import AskedTicket
from training.emerging.report import EmergingReason, EmergingReport
from training.emerging.space import EmergingError
from training.emerging.tracking import Tracker

OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))


def centre(angle: float) -> tuple[float, ...]:
    return (float(np.cos(angle)), float(np.sin(angle)))


def emerged(name: str, size: int, angle: float = 0.0, prefix: str = "t") -> EmergingReason:
    tickets = tuple(f"{prefix}{i}" for i in range(size))
    return EmergingReason(
        name, ("recall", "battery"), "en", size, 1.0, 50.0, True, size, 0, 0.1, 0.3, {}, {}, {"en": size}, (), tickets,
        centre(angle),
    )  # fmt: skip


def report(first: date, *reasons: EmergingReason, n: int = 1000) -> EmergingReport:
    return EmergingReport(first, first.replace(day=28), n, 50, "reasons/1", reasons)


def test_a_reason_keeps_its_name_over_periods_and_its_growth_is_told(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path)
    [first] = tracker.follow(report(OCTOBER, emerged("C-aaaaaa", 20, prefix="o")), "use").reasons
    assert (first.id, first.first_seen, first.seen_before, first.growth) == ("C-aaaaaa", "2026-10-01", None, None)
    new, again = emerged("C-cccccc", 9, 1.5, "x"), emerged("C-bbbbbb", 60, 0.1, "n")
    [other, same] = tracker.follow(report(NOVEMBER, new, again, n=2000), "use").reasons
    assert (same.id, same.first_seen, same.seen_before, same.growth) == ("C-aaaaaa", "2026-10-01", 20, 0.5)
    assert (other.id, other.first_seen, other.growth) == ("C-cccccc", "2026-11-01", None)
    assert [tracked.id for tracked in tracker.tracked()] == ["C-aaaaaa", "C-cccccc"]
    assert tracker.find("c-AAAAAA").ticket_ids[0] == "n0", "of the newest period"


def test_looking_twice_at_a_period_changes_nothing(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path)
    tracker.follow(report(OCTOBER, emerged("C-aaaaaa", 20, prefix="o")), "use")
    tracker.follow(report(NOVEMBER, emerged("C-bbbbbb", 60, 0.1, "n")), "use")
    before = tracker.path.read_text("utf-8")
    tracker.follow(report(NOVEMBER, emerged("C-bbbbbb", 60, 0.1, "n")), "use")
    assert tracker.path.read_text("utf-8") == before
    tracker.follow(report(OCTOBER, emerged("C-dddddd", 20, prefix="o")), "use")
    assert tracker.find("C-aaaaaa").ticket_ids[0] == "n0", "an older period looked at later is not the newest state"


def test_with_another_encoder_only_shared_tickets_tell(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path)
    tracker.follow(report(OCTOBER, emerged("C-aaaaaa", 20)), "use")
    apart, shared = emerged("C-bbbbbb", 20, 0.0, "x"), emerged("C-cccccc", 25, 3.0)
    found = tracker.follow(report(NOVEMBER, apart, shared), "minilm").reasons
    assert [reason.id for reason in found] == ["C-bbbbbb", "C-aaaaaa"]


def test_no_words_of_customers_and_nothing_broken_on_disk(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path)
    tracker.follow(report(OCTOBER, emerged("C-aaaaaa", 5)), "use")
    [stored] = json.loads(tracker.path.read_text("utf-8"))["reasons"]
    assert set(stored) == {"id", "terms", "encoder", "centre", "ticket_ids", "sightings"}
    assert [path.name for path in tracker.path.parent.glob(".tracked*")] == []
    tracker.path.write_text("{", "utf-8")
    with pytest.raises(EmergingError, match=r"tracked\.json cannot be read"):
        tracker.follow(report(NOVEMBER, emerged("C-bbbbbb", 5)), "use")
    assert tracker.path.read_text("utf-8") == "{"
    with pytest.raises(EmergingError, match="run 'paretodesk reasons emerging' first"):
        Tracker(tmp_path / "new").find("C-aaaaaa")


def test_words_that_tell_a_group_apart_name_it() -> None:
    mine = [
        "My lamp battery gets hot, is there a recall?",
        "is the battery recall real",
        "Battery recall [NAME]: what now",
    ]
    others = [
        "Where is my lamp?",
        "My order is late, it is",
        "What is now with my order",
        "is there news on my order",
        "is it my lamp",
    ] * 4
    terms = name_terms(mine, [*mine, *others])
    assert terms[0] == "battery recall" or set(terms) >= {"battery", "recall"}
    assert not {"my", "is", "lamp", "name"} & set(terms)
    assert name_terms([], others) == ()


def test_the_readers_language_comes_first_where_there_is_any() -> None:
    locales = ["fr", "fr", "de", "en", "de"]
    assert typical(["a", "b", "c", "d", "e"], locales, "de") == [2, 4, 0]
    assert typical(["a", "a", "b"], ["en", "en", "en"], "en") == [0, 2]
    assert (spoken(locales, "de"), spoken(locales, "en"), spoken([], "it")) == ("de", "de", "it")


def ticket(number: int, locale: str, body: str) -> AskedTicket:
    at = datetime(2026, 11, 3, tzinfo=UTC)
    return AskedTicket(f"T-{number}", locale, "mail", "Recall", body, at, None, None, True, False)


@pytest.fixture
def tickets() -> list[AskedTicket]:
    return [
        ticket(1, "en", "Is the battery of my lamp recalled?"),
        ticket(2, "en", "Is the battery of my lamp recalled?"),
        ticket(3, "fr", "La batterie est-elle rappelée ?"),
    ]


def test_a_draft_is_read_by_corpus_macros_articles_and_taxonomy(
    tickets: list[AskedTicket], taxonomy: Taxonomy, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "battery_recall"
    terms = {"en": ("battery recall", "lamp"), "fr": ("batterie",)}
    files = write_draft(folder, "battery_recall", tickets, terms, taxonomy, date(2026, 11, 22))
    assert files == sorted(path for path in folder.rglob("*") if path.is_file())
    [entry] = [Reason(**row) for row in yaml.safe_load((folder / "reason.yaml").read_text("utf-8"))]
    assert (entry.id, entry.autonomy, entry.names["en"]) == (
        "battery_recall",
        Autonomy.ASSISTED,
        "Battery recall, lamp",
    )
    assert entry.names["it"] == TO_WRITE
    wider = Taxonomy(version=1, locales=taxonomy.locales, reasons=(*taxonomy.reasons, entry))
    macros, articles = load_macros(folder / "macros", wider), load_articles(folder / "articles", wider)
    assert {macro.locale for macro in macros} == set(taxonomy.locales) == {article.locale for article in articles}
    assert {macro.fields.status for macro in macros} == {MacroStatus.DRAFT}
    assert not any(article.approved for article in articles)
    examples = load_corpus(folder / "examples", wider)
    assert sorted((e.locale, e.reason) for e in examples) == [("en", "battery_recall"), ("fr", "battery_recall")]
    assert "`battery_recall`" in (folder / "CHECKLIST.md").read_text("utf-8")
    assert "[ ]" in (folder / "CHECKLIST.md").read_text("utf-8")


def test_a_draft_never_overwrites_and_leaves_nothing_half_written(
    tickets: list[AskedTicket], taxonomy: Taxonomy, tmp_path: Path
) -> None:
    folder = tmp_path / "draft"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine", "utf-8")
    today = date(2026, 11, 22)
    for wrong, words in (
        (("battery_recall", tickets), "never overwritten"),
        (("Battery Recall", tickets), "no id for a reason"),
        (("thanks", tickets), "has a reason 'thanks' already"),
        (("battery_recall", []), "no ticket of the cluster is left"),
    ):
        with pytest.raises(EmergingError, match=words):
            write_draft(folder, wrong[0], wrong[1], {}, taxonomy, today)
    unreadable = [replace(tickets[0], locale="no/where")]
    with pytest.raises((EmergingError, ValueError)):
        write_draft(tmp_path / "other", "battery_recall", [replace(unreadable[0], channel=" ")], {}, taxonomy, today)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["draft"]
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
