"""Rules that hear indirect phrasing: ideas in neighbouring sentences, hints, and how phrases are found fast."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.policy import RuleSet, Severity, check
from kb.policy.lexicon import Lexicon, fold_with_origin, phrase_pattern, starter_lexicons

RULE = {"id": "R05", "severity": "block", "applies": "all", "source": ["ours"]}
TEXTS = {"statement": "what is forbidden", "message": "what was found", "remedy": "what to do"}


def ideas(**settings: object) -> RuleSet:
    detector = {"kind": "ideas", "all_of": [["rewards"], ["telling_others"]], **settings}
    rule = {**RULE, **TEXTS, "detectors": [detector]}
    return RuleSet.model_validate({"marketplace": "test", "version": 1, "as_of": "2025", "rules": [rule]})


def found(text: str, rules: RuleSet, locale: str = "en") -> list[str]:
    return [text[slice(*violation.span)] for violation in check(text, locale=locale, rules=rules)]


def test_two_ideas_are_found_only_in_as_many_sentences_as_they_may_lie_apart():
    text = "Write a few lines about the lamp. There is a voucher for you."
    assert found(text, ideas()) == []
    assert found(text, ideas(sentences=2)) == ["few lines about the lamp. There is a voucher"]
    assert found(text.replace(". ", ". It is blue. "), ideas(sentences=2)) == []


def test_an_idea_that_is_denied_does_not_count():
    text = "We do not give a voucher for a few lines about the lamp."
    assert found(text, ideas()) != []
    assert found(text, ideas(negatable=["rewards"])) == []


def test_an_excuse_counts_in_the_sentences_of_the_finding_or_in_the_whole_message():
    text = "A voucher awaits your honest opinion. The lamp is blue. You get it whether or not you write."
    assert found(text, ideas(unless=["unconditional"])) != []
    assert found(text, ideas(unless=["unconditional"], unless_in="message")) == []


def test_one_word_does_not_say_two_things():
    rules = ideas(all_of=[["stars"], ["stars"]])
    assert found("It has five stars.", rules) == []
    assert found("It has five stars, not four or five stars.", rules) != []


def test_what_stands_in_the_gap_of_a_phrase_counts_beside_it():
    rules = ideas(all_of=[["written_by_buyer"], ["make_it_go"]])
    assert found("It would help to bring your rating up to date.", rules) != []


def test_ideas_are_read_in_the_language_of_the_message():
    text = "Schreiben Sie ein paar Zeilen zum Helm, dann gibt es einen Gutschein."
    assert found(text, ideas(), "de") != []
    assert found(text, ideas(), "en") == []


def test_a_phrase_that_begins_with_a_denial_is_not_denied_by_it():
    [found] = check("Ohne Umweg bei uns wird es günstiger.", locale="de")
    assert (found.rule, found.severity) == ("R26", Severity.WARN)


def test_a_hint_is_told_unless_its_sentence_is_blocked_anyway():
    hint = "Our hotline answers from nine to five."
    assert [(v.rule, v.severity) for v in check(hint, locale="en")] == [("R26", Severity.WARN)]
    blocked = "Ring our office on +49 30 901820 after nine."
    assert [(v.rule, v.severity) for v in check(blocked, locale="en")] == [("R04", Severity.BLOCK)]
    assert {v.rule for v in check(f"{hint} The fax is +49 30 901820.", locale="en")} == {"R04", "R26"}


def test_a_missing_order_id_hides_no_hint():
    found = check("Our hotline answers from nine to five.", locale="en", kind="proactive")
    assert {v.rule for v in found} == {"R12", "R26"}


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("The team of the lamp workshop sends regards.", "en"),
        ("Wie macht sich die Lampe?", "de"),
        ("Nous pensons à vous ce matin dans la forêt.", "fr"),
    ],
)
def test_a_short_unasked_message_without_substance_is_pointed_out(text, locale):
    text = f"123-1234567-1234567\n\n{text}"
    assert "R15" in {v.rule for v in check(text, kind="proactive", locale=locale)}
    assert "R15" not in {v.rule for v in check(text, kind="reply", locale=locale)}


def test_a_question_about_the_order_is_substance_and_small_talk_is_none():
    asked = "123-1234567-1234567\n\nThe plate has two holes; is the left side yours?"
    assert "R15" not in {v.rule for v in check(asked, kind="proactive", locale="en")}
    chat = "123-1234567-1234567\n\nHow is the new desk?"
    assert "R15" in {v.rule for v in check(chat, kind="proactive", locale="en")}


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Thank you for your review. Could you please delete it?", "en"),
        ("Merci pour votre avis. Pourriez-vous le supprimer ?", "fr"),
        ("Gracias por su reseña. ¿Podría borrarla?", "es"),
        ("La ringrazio per la recensione. Potrebbe cancellarla?", "it"),
    ],
)
def test_thanks_before_it_do_not_excuse_a_request_to_remove_a_review(text, locale):
    assert [v.rule for v in check(text, locale=locale) if v.blocks] == ["R07"]


def test_a_delay_elsewhere_does_not_excuse_an_incentive():
    text = "We are sorry for the delay. The lamp is blue. If you leave us a review, we will add a small gift."
    assert [v.rule for v in check(text, locale="en") if v.blocks] == ["R05"]


_WORDS = sorted({
    word.strip("?*")
    for lexicon in starter_lexicons()
    for phrases in lexicon.lists.values()
    for phrase in phrases
    for word in phrase.replace("|", " ").split()
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(_WORDS) | st.sampled_from([".", "%", "\n", ",", "–"]), max_size=30).map(" ".join),
    st.sampled_from(starter_lexicons()),
    st.data(),
)
def test_phrases_are_found_exactly_where_their_pattern_matches(text, lexicon, data):
    name = data.draw(st.sampled_from(sorted(name for name, phrases in lexicon.lists.items() if phrases)))
    folded = fold_with_origin(text)
    expected = [match.span() for match in phrase_pattern(lexicon.lists[name]).finditer(folded.text)]
    assert list(lexicon.find(name, folded)) == expected


def test_phrases_with_alternatives_or_an_optional_first_word_are_found_at_each_of_their_beginnings():
    lexicon = Lexicon(language="xx", lists={"list": ("your? review", "big|little gift", "% off")}, negators={})
    folded = fold_with_origin("Your review and a review, a little gift, 10% off")
    spans = [folded.text[slice(*span)] for span in lexicon.find("list", folded)]
    assert spans == ["your review", "review", "little gift", "% off"]


def test_a_denial_is_seen_at_the_edge_of_its_reach_and_not_beyond():
    lexicon = Lexicon(language="xx", lists={"gift": ("gift",)}, negators={3: ("no",)}, negators_after=("never",))
    for text, denied in (
        ("no a b c gift", True),
        ("no a b c d gift", False),
        ("no. a gift", False),
        ("gift a b never", True),
        ("gift a b c d e f g never", False),
    ):
        folded = fold_with_origin(text)
        [span] = lexicon.find("gift", folded)
        assert lexicon.negated(span, folded) is denied, text


def test_a_text_eight_times_as_long_takes_about_eight_times_as_long():
    def seconds(times: int) -> float:
        text = "please update your review to five stars, we would be grateful if you " * times
        took = []
        for _ in range(3):
            start = time.process_time()
            check(text, locale="en")
            took.append(time.process_time() - start)
        return min(took)

    assert seconds(240) < 25 * seconds(30)
