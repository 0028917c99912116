import re

import pytest

from classifier.taxonomy import OTHER, Autonomy, starter_taxonomy
from kb.articles import load_articles
from kb.content import STARTER_CONTENT
from kb.macros import load_macros
from kb.policy import marketplaces, rule_set
from training.packs.bank import HERE, LANGUAGES, QUESTIONS, generic_lessons, quiz_of, reason_lesson, wording

WRITTEN = sorted(path.stem for path in (HERE / "bank" / "en").glob("*.yaml") if path.stem != "generic")
ASKED_FOR = {
    "tracking_update", "return_request", "refund_status", "damaged_in_transit", "wrong_or_missing_item", "cancel_order",
    "product_question", "not_received", "change_delivery", "invoice_request",
}  # fmt: skip


@pytest.fixture(scope="module")
def known():
    """Everything that a lesson may rest on, by language."""
    articles = load_articles(STARTER_CONTENT / "articles")
    macros = load_macros(STARTER_CONTENT / "macros")
    rules = {f"rule:{rule.id}" for name in marketplaces() for rule in rule_set(name).rules}
    return {
        locale: rules
        | {"taxonomy"}
        | {f"domain:{key}" for key in wording(locale).domain}
        | {f"article:{one.id}" for one in articles if one.locale == locale and one.approved}
        | {f"macro:{one.id}" for one in macros if one.locale == locale and one.locked}
        for locale in LANGUAGES
    }


def lessons(locale):
    generic = generic_lessons(locale)
    return {
        **{reason: reason_lesson(reason, locale) for reason in WRITTEN},
        "answered": generic.answered,
        "human_only": generic.human_only,
        "auto_close": generic.auto_close,
    }


def test_the_frequent_reasons_have_lessons_of_their_own_in_both_languages():
    assert set(WRITTEN) == ASKED_FOR
    assert sorted(path.name for path in (HERE / "bank" / "fr").iterdir()) == sorted(
        path.name for path in (HERE / "bank" / "en").iterdir()
    )
    for reason in WRITTEN:
        for locale in LANGUAGES:
            assert (reason_lesson(reason, locale).reason, reason_lesson(reason, locale).locale) == (reason, locale)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_policy_point_and_every_answer_rests_on_something_that_exists(locale, known):
    for name, lesson in lessons(locale).items():
        cited = {source for one in (*lesson.policy, *lesson.quiz) for source in one.source}
        assert cited <= known[locale], (name, cited - known[locale])
        assert {f"rule:{rule}" for rule in lesson.rules} <= known[locale], name


def test_both_languages_teach_the_same():
    english, french = lessons("en"), lessons("fr")
    for name in english:
        assert english[name].rules == french[name].rules
        for part in ("policy", "quiz"):
            pairs = zip(getattr(english[name], part), getattr(french[name], part), strict=True)
            assert all(one.source == other.source for one, other in pairs), (name, part)
        for part in ("recognise", "personalise", "mistakes"):
            assert len(getattr(english[name], part)) == len(getattr(french[name], part)), (name, part)


def test_figures_are_the_same_in_both_languages():
    for name, lesson in lessons("en").items():
        other = lessons("fr")[name]
        for one, two in zip(lesson.quiz, other.quiz, strict=True):
            texts = [f"{text.answer} {text.why}".replace(":00", "") for text in (one, two)]  # 14:00 is 14 h
            numbers = [sorted(re.findall(r"\b\d+\b", text)) for text in texts]
            assert numbers[0] == numbers[1], (name, one.question)


def test_the_figures_of_a_quiz_stand_in_what_it_rests_on():
    """A number in an answer that names an article or a macro is a number of one of them (or of the targets)."""
    articles = {(a.id, a.locale): a.body for a in load_articles(STARTER_CONTENT / "articles")}
    macros = {(m.id, m.locale): m.body for m in load_macros(STARTER_CONTENT / "macros")}
    for locale in LANGUAGES:
        for name, lesson in lessons(locale).items():
            for one in lesson.quiz:
                sources = [source.partition(":")[::2] for source in one.source]
                if not {kind for kind, _ in sources} & {"article", "macro"}:
                    continue
                said = " ".join(
                    {"article": articles, "macro": macros}[kind][key, locale]
                    if kind in ("article", "macro")
                    else wording(locale).domain.get(key, "")
                    for kind, key in sources
                )
                numbers = set(re.findall(r"\b\d+\b", one.answer))
                assert numbers <= set(re.findall(r"\b\d+\b", said)), (name, locale, one.question)


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("reason", [reason for reason in starter_taxonomy() if reason.id != OTHER], ids=lambda r: r.id)
def test_every_reason_has_a_quiz_of_ten_different_questions(reason, locale):
    quiz = quiz_of(reason.id, reason.autonomy, locale)
    assert len({question.question for question in quiz}) == QUESTIONS
    own = reason_lesson(reason.id, locale)
    assert own is None or quiz[: len(own.quiz)] == own.quiz


def test_both_languages_have_the_same_words():
    english, french = wording("en"), wording("fr")
    assert english.words.keys() == french.words.keys()
    assert all(
        set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", french.words[key]))
        for key, text in english.words.items()
    )
    for part in ("autonomy", "metrics", "domain", "placeholders", "marketplaces"):
        assert getattr(english, part).keys() == getattr(french, part).keys()
    assert french.meanings.keys() == set(starter_taxonomy().ids) - {OTHER}
    assert french.rules.keys() == {rule.id for rule in rule_set("amazon").rules}
    assert set(marketplaces()) == set(english.marketplaces)
    assert {metric for reason in starter_taxonomy() for metric in reason.metrics_at_risk} <= english.metrics.keys()


def test_french_is_written_with_french_quotes_and_addresses_politely():
    """No straight double quotes, no familiar form, a blank before double punctuation."""
    for name, lesson in lessons("fr").items():
        text = str(lesson.model_dump(exclude={"rules"})).replace("'source'", "")
        assert not re.search(r"\b(tu|ton|tes|toi)\b", text), name
        said = [one for question in lesson.quiz for one in (question.question, question.answer, question.why)]
        said += [*lesson.recognise, *lesson.personalise, *(point.text for point in lesson.policy)]
        assert not [one for one in said if re.search(r'[^\s\d][;:!?»]|«\S|"', one)], name


def test_human_only_lessons_tell_to_hand_over():
    for locale, word in (("en", "hand"), ("fr", "transm")):
        lesson = generic_lessons(locale).of(Autonomy.HUMAN_ONLY)
        assert all(word in mistake.right.lower() or "spécialiste" in mistake.right.lower()
                   or "specialist" in mistake.right.lower() for mistake in lesson.mistakes)  # fmt: skip
