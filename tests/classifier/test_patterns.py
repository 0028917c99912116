import re
from pathlib import Path

import pytest

from classifier.datafile import DataFileError, load_yaml
from classifier.patterns import PatternFile, found_span


def load(tmp_path: Path, text: str) -> PatternFile:
    path = tmp_path / "patterns.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path, PatternFile)


def test_parts_are_put_in_where_they_are_named(tmp_path: Path) -> None:
    data = load(
        tmp_path,
        "parts: {number: '\\d+', road: [rue, avenue], both: '{{number}} {{road}}'}\npatterns: {street: ['{{both}}']}\n",
    )
    (kind, pattern), *_ = data.compiled()
    assert kind == "street"
    assert pattern.fullmatch("12 avenue")
    assert not pattern.fullmatch("12 place")


def test_the_longest_alternative_comes_first(tmp_path: Path) -> None:
    data = load(tmp_path, "parts: {title: [Sig, Signora]}\npatterns: {name: ['{{title}}']}\n")
    assert data.compiled()[0][1].match("Signora")[0] == "Signora"  # type: ignore[index]


def test_a_part_that_is_not_there_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"patterns.yaml:4: patterns.name.0: .*\{\{title\}\}"):
        load(tmp_path, "parts: {a: b}\npatterns:\n  name:\n    - '{{title}} x'\n")


def test_a_broken_pattern_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"patterns.yaml:4: patterns.name.1: .*not a regular expression"):
        load(tmp_path, "patterns:\n  name:\n    - 'a'\n    - '('\n")


def test_capitals_of_all_latin_languages_are_known(tmp_path: Path) -> None:
    pattern = load(tmp_path, "patterns: {name: ['{{capital}}{{letter}}+']}\n").compiled()[0][1]
    assert all(pattern.fullmatch(name) for name in ("Ada", "Élodie", "Łucja", "Őry", "Şahin"))
    assert not pattern.fullmatch("łucja")


def test_the_find_is_the_group_it_or_everything() -> None:
    assert found_span(re.search(r"my (?P<it>\w+)", "to my cat")) == (6, 9)  # type: ignore[arg-type]
    assert found_span(re.search(r"my \w+", "to my cat")) == (3, 9)  # type: ignore[arg-type]
