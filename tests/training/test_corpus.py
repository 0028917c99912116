import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import fuzz, process

from classifier.taxonomy import OTHER, Taxonomy
from training.corpus import (
    FROZEN_SHARE,
    SHOWN_MISTAKES,
    STARTER_CORPUS,
    CorpusError,
    Example,
    load_corpus,
    load_labelled,
)

LEAST = {"en": 40, "fr": 25, "de": 15, "es": 15, "it": 15}
LEAST_OTHER = 200
LEAST_INDIRECT = 3
NEAR = 90
BLIND = STARTER_CORPUS.parent / "blind"

GOOD = {"id": "en-1", "channel": "chat", "body": "Where is my parcel?"}


def folder(tmp_path: Path, *lines: str, name: str = "en/tracking_update.jsonl") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def row(**changes: object) -> str:
    return json.dumps({**GOOD, **changes}, ensure_ascii=False)


def test_a_good_corpus_is_read(tmp_path: Path, taxonomy: Taxonomy) -> None:
    line = row(subject="Parcel", indirect=True, secondary=["refund_status"], group="story")
    (example,) = load_corpus(folder(tmp_path, line), taxonomy)
    assert example == Example(
        "en-1", "tracking_update", "en", "chat", "Parcel", GOOD["body"], "story", True, ("refund_status",)
    )
    assert example.text == "Parcel\nWhere is my parcel?"


def test_a_lone_ticket_is_its_own_group(tmp_path: Path, taxonomy: Taxonomy) -> None:
    (example,) = load_corpus(folder(tmp_path, row()), taxonomy)
    assert (example.group, example.subject, example.indirect, example.secondary) == ("en-1", "", False, None)


def test_line_separators_inside_a_text_end_no_line(tmp_path: Path, taxonomy: Taxonomy) -> None:
    (example,) = load_corpus(folder(tmp_path, row(body="one\u2028two\x85three")), taxonomy)
    assert example.body == "one\u2028two\x85three"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ("[]", "a line must be a JSON object"),
        (row(colour="red"), "unknown field colour"),
        (row(id=None), "field 'id' must be a text"),
        (row(body="  "), "field 'body' must be a text"),
        (row(channel=3), "field 'channel' must be a text"),
        (row(subject=3), "field 'subject' must be a text"),
        (row(group=["a"]), "field 'group' must be a text"),
        (row(indirect="no"), "field 'indirect' must be true or false"),
        (row(secondary="thanks"), "field 'secondary' must be a list"),
        (row(secondary=["nonsense"]), r"field 'secondary' names unknown reasons \['nonsense'\]"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, taxonomy: Taxonomy, line: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=rf"tracking_update\.jsonl:2: .*{problem}"):
        load_corpus(folder(tmp_path, row(), line, row(id="en-3")), taxonomy)


def test_all_mistakes_are_told_at_once_but_not_a_thousand(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(CorpusError) as error:
        load_corpus(folder(tmp_path, "{", "[]"), taxonomy)
    assert len(str(error.value).splitlines()) == 2
    with pytest.raises(CorpusError, match=r"\n\.\.\. and 980 more$") as error:
        load_corpus(folder(tmp_path, *["{"] * 1_000), taxonomy)
    assert len(str(error.value).splitlines()) == SHOWN_MISTAKES + 1


def test_a_file_of_an_unknown_reason_is_refused(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(CorpusError, match="'nonsense' is no contact reason of the taxonomy; rename the file"):
        load_corpus(folder(tmp_path, row(), name="en/nonsense.jsonl"), taxonomy)


def test_an_id_used_twice_is_refused(tmp_path: Path, taxonomy: Taxonomy) -> None:
    folder(tmp_path, row(), name="fr/thanks.jsonl")
    with pytest.raises(CorpusError, match="id 'en-1' is used by en/tracking_update and fr/thanks"):
        load_corpus(folder(tmp_path, row()), taxonomy)


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(CorpusError, match=r"no <locale>/<reason>\.jsonl files"):
        load_corpus(tmp_path, taxonomy)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path, taxonomy: Taxonomy) -> None:
    folder(tmp_path, row())
    path = tmp_path / "fr" / "thanks.jsonl"
    path.parent.mkdir()
    path.write_bytes("{é".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"thanks\.jsonl: byte 1 is not UTF-8; save the file as UTF-8"):
        load_corpus(tmp_path, taxonomy)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_any_labelled_table_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"set.{suffix}"
    if suffix == "csv":
        path.write_text("words,intent,language\nhello,greet,en\nHELLO,greet,en\nbye,leave,fr\n")
    else:
        rows = (("hello", "greet", "en"), ("HELLO", "greet", "en"), ("bye", "leave", "fr"))
        path.write_text(
            "".join(json.dumps(dict(zip(("words", "intent", "language"), r, strict=True))) + "\n" for r in rows)
        )
    examples = load_labelled(path, "words", "intent")
    assert [(e.body, e.reason, e.locale) for e in examples] == [
        ("hello", "greet", "en"),
        ("HELLO", "greet", "en"),
        ("bye", "leave", "fr"),
    ]
    assert examples[0].group == examples[1].group != examples[2].group


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("words,other\nhello,x\n", "no column 'intent'; found words, other"),
        ("words,intent\nhello,\n", r"set\.csv:2: 'intent' is empty; fill it or remove the row"),
        ("words,intent\nhello,greet\n,greet\n", r"set\.csv:3: 'words' is empty; fill it or remove the row"),
        ("words,intent\n", "no rows"),
    ],
)
def test_a_labelled_table_with_mistakes_says_where(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "set.csv"
    path.write_text(content)
    with pytest.raises(CorpusError, match=problem):
        load_labelled(path, "words", "intent")


# -- the shipped tickets --------------------------------------------------------------------------------------


def test_every_reason_has_enough_tickets_in_every_language(corpus: list[Example], taxonomy: Taxonomy) -> None:
    counts = Counter((example.locale, example.reason) for example in corpus)
    few = {
        (locale, reason): counts[locale, reason]
        for locale, least in LEAST.items()
        for reason in taxonomy.ids
        if reason != OTHER and counts[locale, reason] < least
    }
    assert few == {}
    assert {example.locale for example in corpus} == set(LEAST)
    assert sum(counts[locale, OTHER] for locale in LEAST) >= LEAST_OTHER


def test_human_only_reasons_are_hinted_at_too(corpus: list[Example], human_only: frozenset[str]) -> None:
    counts = Counter((example.locale, example.reason) for example in corpus if example.indirect)
    few = {(locale, reason) for locale in LEAST for reason in human_only if counts[locale, reason] < LEAST_INDIRECT}
    assert few == set()


def test_a_story_is_on_one_side_of_the_frozen_split_and_has_one_reason(corpus: list[Example]) -> None:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in corpus:
        groups[example.group].append(example)
    assert [name for name, members in groups.items() if len({example.frozen for example in members}) > 1] == []
    assert [name for name, members in groups.items() if len({example.reason for example in members}) > 1] == []
    ids = {example.id for example in corpus}
    assert set(groups) <= ids


def test_about_one_ticket_in_six_is_frozen_and_every_reason_is_measured(corpus: list[Example]) -> None:
    share = np.mean([example.frozen for example in corpus])
    assert share == pytest.approx(1 / FROZEN_SHARE, abs=0.04)
    measured = Counter(example.reason for example in corpus if example.frozen)
    assert min(measured[example.reason] for example in corpus) >= 10


def normalised(subject: str, body: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\d", "0", f"{subject} {body}".casefold())).strip()


@pytest.mark.parametrize("locale", LEAST)
def test_no_ticket_nearly_repeats_another(corpus: list[Example], locale: str) -> None:
    mine = [example for example in corpus if example.locale == locale]
    texts = [normalised(example.subject, example.body) for example in mine]
    assert [text for text, times in Counter(texts).items() if times > 1] == []
    long = [i for i, text in enumerate(texts) if len(text.split()) > 3]
    for view in (str, lambda text: " ".join(sorted(text.split()))):
        viewed = [view(texts[i]) for i in long]
        alike = process.cdist(viewed, viewed, scorer=fuzz.ratio, score_cutoff=NEAR + 1e-6, workers=2, dtype=np.uint8)
        pairs = np.argwhere(np.triu(alike, 1))
        assert [(mine[long[a]].id, mine[long[b]].id) for a, b in pairs] == []


def test_the_blind_set_shares_no_text_with_the_corpus(corpus: list[Example], taxonomy: Taxonomy) -> None:
    known = {normalised(example.subject, example.body) for example in corpus}
    bodies = {normalised("", example.body) for example in corpus if len(example.body.split()) > 3}
    for path in sorted(BLIND.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                ticket = json.loads(line)
                assert ticket["reason"] in taxonomy
                if len(re.findall(r"\w+", ticket["body"])) <= 3:
                    continue  # a greeting is a greeting
                assert normalised(ticket.get("subject") or "", ticket["body"]) not in known, ticket["id"]
                assert normalised("", ticket["body"]) not in bodies, ticket["id"]
