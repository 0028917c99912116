"""Which words a pattern cannot match without, and which patterns could match a text."""

import re
from pathlib import Path

import pytest

import classifier
from classifier.datafile import load_yaml
from classifier.folding import fold
from classifier.guard import GuardRules, starter_guard
from classifier.prefilter import MOST_WORDS, Prefilter, atoms
from training.guard_evaluation import load_guard_set

GUARD = Path(classifier.__file__).parent / "data" / "guard.yaml"


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        (r"\blawyers?\b", {"lawyer", "lawyers"}),
        (r"\b(?:burnt|burned)\b.{0,40}\bhand\b", {"burnt", "burned"}),
        (r"a.{0,20}(?:ambulance|hospital)", {"ambulance", "hospital"}),
        (r"(?:electric|static) shock", {"electric shock", "static shock"}),
        (r"colou?r", {"color", "colour"}),
        (r"gr[ae]y", {"gray", "grey"}),
        (r"(?:very )*hot(?= plate)", {"hot"}),
        (r"(?<!no )(?:fire){1,3}", {"fire"}),
        (r"\w+ing on fire", {"ing on fire"}),
        (r"a|lawyer", None),
        (r"\d+[.,]\d+", None),
        (r"(?:lawyer)?", None),
        (r"(?i:lawyer)", None),
    ],
)
def test_atoms_are_words_that_every_match_contains_one_of(pattern: str, needed: set[str] | None) -> None:
    assert atoms(pattern) == (None if needed is None else frozenset(needed))


def test_a_part_with_too_many_alternatives_is_left_out() -> None:
    letters = "(?:" + "|".join("abcdefgh") + ")"
    found = atoms(letters * 4 + "lawyer")
    assert found is not None
    assert len(found) <= MOST_WORDS
    assert all(atom.endswith("lawyer") for atom in found)


def test_patterns_without_atoms_could_match_anything() -> None:
    found = Prefilter([r"\d+", "lawyer", "burnt"])
    assert found.of("my lawyer wrote") == {0, 1}
    assert found.of("") == {0}
    assert Prefilter([]).of("lawyer") == set()
    assert Prefilter([r"\d+"]).of("lawyer") == {0}


def test_no_rule_of_the_guard_is_lost() -> None:
    """Every pattern that matches one of 800 messages is among those that could."""
    rules = load_yaml(GUARD, GuardRules).rules
    patterns = [pattern for rule in rules for pattern in rule.any]
    compiled, could = [re.compile(pattern) for pattern in patterns], Prefilter(patterns)
    matched = 0
    for message in load_guard_set():
        folded = fold(message.body)
        matching = {number for number, pattern in enumerate(compiled) if pattern.search(folded)}
        matched += len(matching)
        assert matching <= could.of(folded)
    assert matched > 500


def test_nearly_every_pattern_of_the_guard_has_atoms() -> None:
    patterns = [pattern for rule in load_yaml(GUARD, GuardRules).rules for pattern in rule.any]
    assert sum(atoms(pattern) is None for pattern in patterns) <= 10


def test_many_beginnings_of_danger_take_no_long_time() -> None:
    """What could match is asked in linear time: a text of 200,000 characters that names every danger and none of it."""
    hits = starter_guard().hits("ambulance lawyer burnt chargeback counterfeit shock " * 4_000)
    assert isinstance(hits, list)
