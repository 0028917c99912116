"""The sentence model beside the rules: what it finds, what it leaves alone, and which files it refuses."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from classifier.datafile import DataFileError
from kb.content import STARTER_CONTENT
from kb.macro_verdict import Verdict, judge
from kb.macros import load_macros
from kb.policy import FoundBy, PolicyContext, SentenceJudge, SentenceModelError, Severity, check, check_file
from kb.policy.examples import examples_hash, load_examples
from kb.policy.readings import lexicons_hash
from kb.policy.sentence_fitting import Approved, fit
from kb.policy.sentence_model import STARTER_MODEL, load, save, starter_model
from kb.policy.thresholds import SURE, WARNED, HeldOut, chosen
from service.cli import app

PARAPHRASES = [
    (
        "en",
        "R05",
        "We have put a little something aside for everybody who writes a kind paragraph about the lamp on its page; "
        "just say when yours is up and it goes in the post.",
    ),
    ("fr", "R23", "Il faudrait peut-être savoir lire avant de vouloir assembler une simple étagère."),
    ("de", "R23", "Vielleicht sollte jemand die Anleitung lesen, der auch lesen kann."),
    ("es", "R23", "A lo mejor hace falta saber leer para montar una estantería tan sencilla."),
    ("it", "R23", "Forse per montare questa mensola bisognerebbe prima saper leggere."),
]
LOOK_ALIKES = [
    ("en", "You asked whether a discount applies: it ended in May, and we cannot bring it back."),
    ("en", "The blade is very sharp, please keep it away from children and wash it by hand."),
    ("fr", "Vous écrivez que la notice est incompréhensible : nous joignons une version plus claire."),
    ("fr", "Nous avons annulé nous-mêmes votre commande, car la théière n'est plus disponible."),
    (
        "de",
        "Wir haben die Bestellung selbst storniert, weil der Toaster nicht mehr lieferbar ist, und "
        "erstatten den vollen Betrag.",
    ),
    ("es", "Sentimos que la estantería llegara rota; le enviamos hoy la balda que falta."),
    ("it", "Abbiamo annullato noi l'ordine perché la teiera è esaurita, e il rimborso è già partito."),
]
RUDE = PARAPHRASES[3][2]


@pytest.fixture(scope="module")
def sentences(encoder):
    return SentenceJudge(lambda: encoder)


@pytest.mark.parametrize(("locale", "rule", "text"), PARAPHRASES)
def test_a_paraphrase_that_no_word_list_knows_is_found(sentences, locale, rule, text):
    assert check(text, locale=locale) == []
    found = {violation.rule: violation for violation in check(text, locale=locale, sentences=sentences)}
    assert found[rule].found_by is FoundBy.MODEL
    assert 0 < found[rule].probability <= 1
    assert found[rule].remedy


@pytest.mark.parametrize(("locale", "text"), LOOK_ALIKES)
def test_a_look_alike_is_left_alone(sentences, locale, text):
    assert check(text, locale=locale, sentences=sentences) == []


def test_the_span_is_the_sentences_that_are_meant_and_the_rest_of_the_message_is_not(sentences):
    before = (
        "Guten Tag Frau Adler, das Ersatzteil ist heute unterwegs. Die Sendungsnummer finden Sie bei der Bestellung. "
    )
    rude = PARAPHRASES[2][2]
    after = " Wir melden uns, sobald das Paket zugestellt ist. Mit freundlichen Grüßen, Jonas Brandt"
    text = before + rude + after
    assert check(before + after, locale="de", sentences=sentences) == []
    [found] = check(text, locale="de", sentences=sentences)
    start, end = found.span
    assert text[start:end] == rude


def test_the_model_adds_nothing_where_a_rule_has_found_the_same(sentences):
    text = "Leave us a five-star review and we will send you a voucher."
    ruled = check(text, locale="en")
    assert "R05" in {violation.rule for violation in ruled}
    both = check(text, locale="en", sentences=sentences)
    assert [violation for violation in both if violation.found_by is FoundBy.RULE] == ruled
    assert max(Counter(violation.rule for violation in both).values()) == 1


def test_rules_for_messages_that_the_seller_starts_say_nothing_of_a_reply(sentences):
    text = "Thank you so much for choosing our little shop, it made our day to pack it!"
    assert "R15" in {v.rule for v in check(text, kind="proactive", locale="en", sentences=sentences)}
    assert "R15" not in {v.rule for v in check(text, kind="reply", locale="en", sentences=sentences)}


def test_what_amazon_ships_is_no_matter_where_the_seller_ships(sentences):
    text = "Amazon holds the stock, but I shall fetch the parcel back and pay you out of my own till tomorrow."

    def found(fulfilment):
        context = PolicyContext(fulfilment=fulfilment)
        return {v.rule for v in check(text, locale="en", context=context, sentences=sentences) if v.found_by == "model"}

    assert "R27" in found("amazon") | found(None)
    assert "R27" not in found("merchant")


def test_a_marketplace_without_a_rule_is_not_told_of_it(sentences):
    assert {v.rule for v in check(RUDE, locale="es", marketplace="generic", sentences=sentences)} == {"R23"}
    rules = {v.rule for v in check(PARAPHRASES[0][2], locale="en", marketplace="generic", sentences=sentences)}
    assert rules <= {"R04", "R05", "R06", "R07", "R13", "R16", "R21", "R23", "R24", "R26", "R28"}


@pytest.mark.parametrize("text", ["", " \n\n ", "?", "😀", "Subject only", "a" * 5_000])
def test_texts_without_sentences_are_read_without_complaint(sentences, text):
    for kind in ("reply", "proactive"):
        for violation in check(text, kind=kind, locale="en", sentences=sentences):
            assert 0 <= violation.span[0] <= violation.span[1] <= len(text)


def test_no_starter_macro_is_flagged_by_the_model(sentences):
    flagged = {
        (macro.id, macro.locale, found.rule): found.text
        for macro in load_macros(STARTER_CONTENT / "macros")
        for found in judge(macro, sentences).broken
        if found.found_by == "model"
    }
    assert flagged == {}


def test_a_macro_is_judged_by_the_model_and_its_verdict_survives_storage(sentences, write_macro, tmp_path):
    write_macro(locale="es", body=f"Hola, {{{{ buyer.name }}}}:\n\n{RUDE}")
    [macro] = load_macros(tmp_path / "macros")
    assert judge(macro).passed
    verdict = judge(macro, sentences)
    assert "model" in {found.found_by for found in verdict.broken if found.rule == "R23"}
    stored = json.loads(json.dumps(verdict.to_json()))
    assert Verdict.from_json(stored) == verdict
    for found in stored["broken"]:
        del found["found_by"], found["probability"]
    assert {found.found_by for found in Verdict.from_json(stored).broken} == {"rule"}


def test_the_json_says_who_found_it_and_how_sure(sentences, tmp_path):
    path = tmp_path / "reply.txt"
    path.write_text(f"Subject: su estantería\n\n{RUDE}", encoding="utf-8")
    [entry] = check_file(path, locale="es", sentences=sentences).to_json()
    assert (entry["rule"], entry["found_by"]) == ("R23", "model")
    assert 0 < entry["probability"] <= 1
    assert check_file(path, locale="es").to_json() == []


def test_the_command_blocks_on_what_the_model_is_sure_of_and_can_do_without(tmp_path):
    path = tmp_path / "reply.txt"
    path.write_text(RUDE, encoding="utf-8")
    command = ["macros", "check", str(path), "--locale", "es", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    [entry] = json.loads(done.stdout)
    assert (entry["rule"], entry["severity"], entry["found_by"]) == ("R23", "block", "model")
    alone = CliRunner().invoke(app, [*command, "--rules-only"])
    assert (alone.exit_code, json.loads(alone.stdout)) == (0, [])


def test_the_shipped_model_was_made_of_the_shipped_examples_and_word_lists(encoder):
    about = starter_model().about
    assert about.examples == examples_hash(load_examples()), "run `paretodesk macros fit-policy` again"
    assert about.lexicons == lexicons_hash(), "run `paretodesk macros fit-policy` again"
    assert about.encoder == encoder.name
    for rule in about.rules:
        assert rule.precision >= WARNED
        assert rule.sure_precision >= SURE
        assert rule.sure_recall <= rule.recall
        assert rule.warn_from <= rule.sure_from
    assert STARTER_MODEL.stat().st_size < 4_000_000


def test_a_file_that_is_no_model_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "policy.npz"
    with pytest.raises(SentenceModelError, match=r"there is no policy model.*fit-policy"):
        load(path)
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(SentenceModelError, match=r"is no policy model.*fit-policy"):
        load(path)
    path.write_bytes(STARTER_MODEL.read_bytes()[:-2_000])
    with pytest.raises(SentenceModelError, match="is no policy model"):
        load(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(SentenceModelError, match="is no policy model"):
        load(path)


def test_a_pickle_inside_a_model_file_is_never_opened(tmp_path):
    path = tmp_path / "policy.npz"
    np.savez(path, about=np.array([{"code": "runs"}], dtype=object))
    with pytest.raises(SentenceModelError, match="is no policy model"):
        load(path)


def _with(about, tmp_path):
    path = tmp_path / "policy.npz"
    save(type(starter_model())(**{**starter_model().__dict__, "about": about}), path)
    return path


def test_another_format_encoder_or_word_lists_are_refused(encoder, tmp_path):
    about = starter_model().about
    with pytest.raises(SentenceModelError, match="has format 99"):
        load(_with(about.model_copy(update={"format": 99}), tmp_path))
    for changed, said in (({"encoder": "another"}, "encoder 'another'"), ({"lexicons": "0"}, "other word lists")):
        path = _with(about.model_copy(update=changed), tmp_path)
        with pytest.raises(SentenceModelError, match=said):
            SentenceJudge(lambda: encoder, lambda path=path: load(path)).open()


def test_a_model_is_the_same_after_saving_and_saved_twice_gives_the_same_bytes(tmp_path):
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    save(starter_model(), one)
    save(load(one), other)
    assert one.read_bytes() == other.read_bytes() == STARTER_MODEL.read_bytes()


def test_fitting_the_same_examples_gives_the_same_model(encoder, tmp_path):
    examples = [e for e in load_examples() if e.rule in {"R23", "R05", "none"} and e.locale in {"en", "de", "fr"}]
    approved = [Approved("one", "Your parcel left us today. The carrier brings it on Friday.", "en", "reply")]
    first, second = (fit(examples, approved, encoder) for _ in range(2))
    assert [rule.id for rule in first.about.rules] == ["R05", "R23"]
    assert first.about == second.about
    assert np.array_equal(first.coefficients, second.coefficients)


def test_too_few_examples_teach_nothing(encoder):
    with pytest.raises(SentenceModelError, match="40 examples"):
        fit(load_examples()[:50], [], encoder)


def test_mistakes_in_examples_are_all_named_with_file_and_line(tmp_path):
    good = {"id": "a", "rule": "R05", "violates": True, "kind": "reply", "text": "Stars for sweets."}
    lines = [
        good,
        {**good, "text": "Other"},
        {**good, "id": "b", "rule": "none", "text": "x"},
        {**good, "kind": "call"},
    ]
    (tmp_path / "en.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{broken", encoding="utf-8")
    with pytest.raises(DataFileError) as error:
        load_examples([tmp_path])
    said = str(error.value).splitlines()
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in said] == ["2", "3", "4", "5"]
    assert "id 'a' is there already" in said[0]


def test_thresholds_are_the_lowest_that_keep_their_precision():
    likely = np.array([0.99] * 40 + [0.9] * 40 + [0.88] * 2 + [0.6] * 15 + [0.5] * 20 + [0.1] * 50)
    breaks = np.array([True] * 80 + [False] * 2 + [True] * 15 + [False] * 20 + [False] * 50)
    rule = chosen("R05", HeldOut(likely, breaks, False, 1.0, 0.0))
    assert (rule.warn_from, rule.sure_from) == (0.6, 0.9)
    assert (rule.recall, rule.sure_recall) == (1.0, round(80 / 95, 3))


def test_a_rule_that_only_warns_never_blocks_by_the_model(sentences):
    text = "Amazon holds the stock, but I shall fetch the parcel back and pay you out of my own till tomorrow."
    severities = {v.severity for v in check(text, locale="en", sentences=sentences) if v.rule == "R27"}
    assert severities <= {Severity.WARN}
