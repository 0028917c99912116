import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest

from classifier.encoders import Encoder
from classifier.taxonomy import starter_taxonomy
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from desk.order_table import OrderSourceDownError, OrderTable
from kb.knowledge import KnowledgeBase
from training.corpus import Example
from training.packs import PackError, PackSources, compose, render_html, render_markdown
from training.packs.compose import Volume
from training.packs.page import typeset

START, END = date(2026, 7, 1), date(2026, 10, 1)
AT = datetime(2026, 8, 3, 9, tzinfo=UTC)

Stored = Callable[..., list[str]]


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.load()


@pytest.fixture
def sources(tmp_path, knowledge, corpus: list[Example], encoder: Encoder) -> Iterator[PackSources]:
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield PackSources(
        Desk(database), OrderTable(database), knowledge.macros, knowledge.articles, lambda: corpus, lambda: encoder
    )
    database.close()


@pytest.fixture
def store(sources: PackSources) -> Stored:
    """Resolved tickets of a reason, one per text, with further facts; their ids."""
    number = 0

    def resolved(
        texts: Sequence[str], reason: str = "tracking_update", *facts: tuple[EventKind, dict], **fields: str
    ) -> list[str]:
        nonlocal number
        batch = []
        for text in texts:
            number += 1
            told = [(EventKind.TAG_CONFIRMED, {"reason": reason}), *facts, (EventKind.RESOLVED, {})]
            events = [Event("", kind, AT + timedelta(minutes=place), "agent:Maya", data)
                      for place, (kind, data) in enumerate(told)]  # fmt: skip
            batch.append(
                (IncomingTicket("t", str(number), text, created_at=AT, **{"language": "en", **fields}), events)
            )
        return [one.ticket_id for one in sources.desk.receive_many(batch)]

    return resolved


def pack_of(sources, reason="tracking_update", language="en", **more):
    return compose(sources, reason, language, START, END, **more)


def test_the_answer_that_was_sent_is_shown_without_names(sources, store):
    store(["Where is my parcel 203-1234567-7654321?"], "tracking_update",
          (EventKind.REPLIED, {"text": "Dear Ms Keller, it comes on Friday. Maya"}),
          customer_name="Jana Keller", channel="amazon")  # fmt: skip
    case = pack_of(sources).cases[0]
    assert (case.body, case.answer_is) == ("Where is my parcel [order number]?", "sent")
    assert "it comes on Friday" in case.answer
    assert not {"Keller", "Maya"} & set(re.findall(r"\w+", case.answer))


def test_a_desk_with_too_few_tickets_is_filled_up_and_says_so(sources, store):
    store(["Where is my parcel, please?", "Still no parcel here, what now?"])
    pack = pack_of(sources)
    assert [case.from_desk for case in pack.cases] == [True, True, False, False, False]
    assert "2 of the 5 tickets are real ones" in render_markdown(pack)
    assert "starter corpus" in render_html(pack)
    alone = pack_of(sources, "refund_status", "fr")
    assert "n'avait aucun ticket résolu" in unescape(render_html(alone))


def test_a_macro_whose_text_is_not_known_is_shown_with_plausible_facts(sources, store):
    store(["It was due yesterday and did not come."], "tracking_update",
          (EventKind.MACRO_SENT, {"macro": "tracking-overdue", "text": ""}),
          customer_name="Jana Keller", order_id="203-1234567-7654321", carrier="Evri")  # fmt: skip
    case = pack_of(sources).cases[0]
    assert (case.answer_is, case.macro) == ("macro", "Parcel later than expected")
    assert "Evri" in case.answer
    assert "August 1, 2026" in case.answer  # two days before the customer wrote: overdue
    assert "Hello [name]" in case.answer
    assert "203-1234567" not in case.answer
    assert "plausible facts" in render_markdown(pack_of(sources))


def test_an_order_source_that_is_down_does_not_stop_the_pack(sources, store):
    class Down(OrderTable):
        def facts(self, order_id):
            raise OrderSourceDownError("down for the test")

    store(["Where is my parcel, please?"], order_id="203-1234567-7654321")
    pack = pack_of(replace(sources, orders=Down(sources.desk.database)))
    assert pack.cases[0].answer


def test_a_hostile_ticket_stays_words_in_both_forms(sources, store):
    store(["<script>alert(1)</script>\n# Heading\n![x](http://evil.example/x.png) | `code` {{ shop.name }}"])
    pack = pack_of(sources)
    page, text = render_html(pack), render_markdown(pack)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\n> \\# Heading" in text
    assert "<script>" not in text
    assert "![x](" not in text


def test_pages_request_nothing_and_put_the_answers_on_a_sheet_of_their_own(sources):
    page = render_html(pack_of(sources))
    assert not re.search(r"<(script|link|img|iframe|object)\b", page)
    assert not re.search(r"""(src|href)\s*=\s*['"]?(?!#|['"]#)|url\(|@import""", page)
    assert ".answersheet { break-before: page; }" in page
    assert page.index('id="quiz"') < page.index('id="answers"')


def test_what_agents_need_is_there_in_order(sources, store):
    store(["Where is my parcel, please?"])
    text = render_markdown(pack_of(sources, volume=Volume(117, 0.216, 1), uses={"fba-tracking": 3}))
    heads = re.findall(r"^## (.*)$", text, re.M)
    assert heads == ["What it is", "What we do, and what we do not do", "The macros and how to make them personal",
                     "Five tickets and their answers", "Common mistakes", "Quiz", "Answers"]  # fmt: skip
    assert "117 tickets in this period, 21.6% of those with a reason, number 1 by volume." in text
    assert text.index("`fba-tracking`") < text.index("`tracking-update`")  # the most used first
    assert "*sent 3 times in this period*" in text
    questions, answers = text.split("## Quiz")[1].split("## Answers")
    assert len(re.findall(r"^\d+\. ", questions, re.M)) == len(re.findall(r"^\d+\. \*\*", answers, re.M)) == 10


def test_corrections_and_reopens_of_the_desk_are_in_the_pack(sources, store):
    store(["Parcel says delivered, nothing here."] * 2, "tracking_update",
          (EventKind.RETAGGED, {"reason": "tracking_update", "instead_of": "not_received"}))  # fmt: skip
    store(["Where is my parcel?"], "tracking_update", (EventKind.RESOLVED, {}),
          (EventKind.CUSTOMER_WROTE, {"text": "It never came. Jana"}), (EventKind.REOPENED, {}),
          customer_name="Jana Keller")  # fmt: skip
    pack = pack_of(sources)
    text = render_markdown(pack)
    assert "| tagged “Marked delivered but not received”, was “Where is my parcel” | 2 |" in text
    assert "1 of 3 resolved tickets were opened again (33.3%; 95% interval" in text
    assert "It never came. \\[name\\]" in text


def test_a_human_only_pack_teaches_to_hand_over(sources):
    page = render_html(pack_of(sources, "safety_or_counterfeit"))
    assert "Recognise it, do not answer alone, hand it over at once." in page
    assert "Do not send them yourself" in page
    assert page.count("Handed over. The customer does not get an answer from you.") == 5


def test_a_reason_that_nobody_answers_needs_no_macro(sources):
    text = render_markdown(pack_of(sources, "phishing", "fr"))
    assert "Aucune macro n'est nécessaire" in text
    assert text.count("Fermé sans réponse.") == 5


def test_a_reason_without_an_approved_macro_says_what_to_do(sources):
    text = render_markdown(pack_of(replace(sources, macros=[])))
    assert "There is no approved macro for this reason in this language yet" in text
    assert "No answer is recorded, and there is no macro for it." in text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_reason_has_a_complete_pack(sources, corpus, language):
    plain = [one for one in corpus if not one.indirect and 60 <= len(one.body) <= 900]
    by_reason = {(one.reason, one.locale): [] for one in plain}
    for one in plain:
        by_reason[one.reason, one.locale].append(one)
    few = [one for of_one in by_reason.values() for one in of_one[:5]]  # nothing to choose, so nothing to encode
    sources = replace(sources, examples=lambda: few)
    for reason in starter_taxonomy().ids:
        if reason == "other":
            continue
        pack = pack_of(sources, reason, language)
        text, page = render_markdown(pack), render_html(pack)
        assert len(pack.quiz) == 10, reason
        assert len(pack.cases) == 5, reason
        assert pack.name in unescape(page), reason
        assert "None" not in text, reason
        assert "{{" not in re.sub(r"```text.*?```", "", text, flags=re.S), reason
        assert f'<html lang="{language}">' in page
        json.dumps(pack.to_json())


@pytest.mark.parametrize("reason", ["other", "nonsense"])
def test_what_is_no_reason_is_refused_with_those_there_are(sources, reason):
    with pytest.raises(PackError, match=r"tracking_update, not_received"):
        pack_of(sources, reason)
    with pytest.raises(PackError, match="choose one of: en, fr"):
        pack_of(sources, "thanks", "de")


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("Pourquoi ?", "Pourquoi\u202f?"),
        ("« Colis »", "«\u00a0Colis\u00a0»"),
        ("Réponse : non", "Réponse\u00a0: non"),
        ("avant 14 h", "avant 14\u00a0h"),
        ("90 %", "90\u00a0%"),
        ("2 000 caractères", "2\u00a0000 caractères"),
    ],
)
def test_french_signs_never_begin_a_line(plain, set_):
    assert typeset(plain, "fr") == set_
    assert typeset(plain, "en") == plain
