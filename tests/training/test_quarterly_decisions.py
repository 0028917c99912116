import inspect
import re
import string

import pytest

from classifier.datafile import DataFileError, parse_yaml
from training.quarterly.conditions import CONDITIONS
from training.quarterly.decisions import DecisionRules, starter_rules

ROLES = {"support lead", "operations", "trainer", "ML engineer"}

RULE = """
rules:
  - {id: one, when: undecided_above, limits: {share: 0.3}, owner: support lead, title: T, evidence: E, action: A}
"""


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_condition_has_a_rule_and_every_rule_an_owner():
    rules = starter_rules().rules
    assert sorted(rule.when for rule in rules) == sorted(CONDITIONS)
    assert {rule.owner for rule in rules} == ROLES


def test_limits_are_those_that_the_conditions_read():
    for rule in starter_rules().rules:
        source = inspect.getsource(CONDITIONS[rule.when])
        assert set(re.findall(r'limits\["(\w+)"\]', source)) == set(rule.limits), rule.id


def test_sentences_name_only_what_their_condition_finds():
    for rule in starter_rules().rules:
        found = set(re.findall(r'"(\w+)":', inspect.getsource(CONDITIONS[rule.when])))
        assert names_in(rule.title) | names_in(rule.evidence) | names_in(rule.action) <= found, rule.id


def test_actions_name_commands_that_exist():
    from typer.main import get_command

    from service.cli import app

    root = get_command(app)
    later = {("reasons", "draft"), ("labels", "audit")}  # of the label and emerging commands
    for rule in starter_rules().rules:
        for words in re.findall(r"paretodesk ([a-z-]+(?: [a-z-]+)*)", rule.action):
            first, *rest = words.split()
            if (first, *rest[:1]) in later:
                continue
            command = root.commands[first]
            if rest and hasattr(command, "commands"):
                assert rest[0] in command.commands, words


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("undecided_above", "the_moon_is_full", "unknown condition 'the_moon_is_full'; choose one of: guard_below"),
        ("title: T", 'title: "{0}"', "is no name of something"),
        ("limits: {share: 0.3}", "limits: {share: many}", "limits.share"),
        ("owner: support lead", "owner: ''", "owner"),
        ("  - {id: one", "  - {id: One", "id"),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_line(before, after, said):
    with pytest.raises(DataFileError, match=r"rules.yaml:3: .*") as error:
        parse_yaml(RULE.replace(before, after), DecisionRules, "rules.yaml")
    assert said in str(error.value)


def test_a_rule_is_listed_once():
    twice = RULE + RULE.strip().split("\n")[1] + "\n"
    with pytest.raises(DataFileError, match="listed twice"):
        parse_yaml(twice, DecisionRules, "rules.yaml")
