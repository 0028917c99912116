"""The shipped content: complete, sound, and within the policy."""

import datetime as dt
from functools import cache

import pytest

from kb.health import Finding, Level
from kb.knowledge import KnowledgeBase
from kb.policy import check_macro
from kb.rendering import render_example


@cache
def starter() -> KnowledgeBase:
    return KnowledgeBase.load()


@cache
def errors() -> list[Finding]:
    newest = max(article.fields.reviewed for article in starter().articles)
    return [f for f in starter().check(newest + dt.timedelta(days=1)) if f.level is Level.ERROR]


@pytest.mark.parametrize("check", ["no-article", "no-macro", "broken-link", "policy"])
def test_the_starter_content_has_no_error(check):
    assert [str(finding) for finding in errors() if finding.check == check] == []


def test_every_starter_macro_renders_from_example_facts_and_passes_without_a_warning():
    for macro in starter().macros:
        assert render_example(macro).text
        assert [(str(macro.path), v.rule, v.span) for v in check_macro(macro)] == []
