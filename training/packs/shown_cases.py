"""The five tickets of a pack with their answers: the desk's own, then tickets of the starter corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from classifier.encoders import Encoder
from classifier.taxonomy import Taxonomy
from desk.inbox import Desk
from desk.order_table import OrderSource, OrderSourceDownError
from kb.articles import Article
from kb.macros import Macro
from training.corpus import Example
from training.packs.anonymity import anonymous
from training.packs.bank import Wording
from training.packs.cases import Answered, good_tickets
from training.packs.choice import most_diverse
from training.packs.macros import PackMacro
from training.packs.plausible import Occasion, shown_for

CASES = 5
"""Real tickets in a pack."""
WRITTEN = 60
"""Tickets of the starter corpus among which the missing ones are chosen."""


@dataclass(frozen=True)
class PackSources:
    """Where a pack takes its parts from. ``examples`` and ``encoder`` are asked for only when they are needed."""

    desk: Desk
    orders: OrderSource
    macros: Sequence[Macro]
    articles: Sequence[Article]
    examples: Callable[[], Sequence[Example]]
    encoder: Callable[[], Encoder]

    @property
    def taxonomy(self) -> Taxonomy:
        """The contact reasons of the desk."""
        return self.desk.taxonomy


@dataclass(frozen=True)
class Case:
    """One anonymised ticket with its answer.

    ``answer_is`` says what the answer is: ``sent`` by a colleague, ``macro`` (the one that was sent, with plausible
    facts), ``example`` (a macro that fits, with plausible facts) or ``none``. ``macro`` is its title. ``from_desk``:
    else of the starter corpus.
    """

    subject: str
    body: str
    channel: str
    answer: str
    answer_is: str
    macro: str | None
    csat: int | None
    from_desk: bool


def cases_of(
    sources: PackSources,
    reason: str,
    language: str,
    start: date,
    end: date,
    macros: Sequence[PackMacro],
    words: Wording,
) -> tuple[Case, ...]:
    """Five tickets: the desk's own as far as there are any, those with a known answer first, then the corpus's."""
    found = good_tickets(sources.desk, reason, language, start, end)
    known = [one for one in found if one.answer or one.macro]
    found = known if len(known) >= CASES else found
    said = [f"{one.ticket.subject} {one.ticket.body}" for one in found]
    encoder = sources.encoder() if len(found) > CASES else None
    chosen = most_diverse(found, said, CASES, encoder, _quality) if encoder else found
    cases = [_desk_case(sources, one, macros, words) for one in chosen]
    if len(cases) < CASES:
        cases += _corpus_cases(sources, reason, language, CASES - len(cases), macros, words, start)
    return tuple(cases)


def _quality(one: Answered) -> float:
    """A ticket whose answer is known teaches most, then one that the customer praised or a person tagged."""
    return 4.0 * bool(one.answer) + 2.0 * bool(one.macro) + (one.csat or 3) / 5 + one.confirmed / 2


def _desk_case(sources: PackSources, one: Answered, macros: Sequence[PackMacro], words: Wording) -> Case:
    def clean(text: str) -> str:
        return anonymous(text, one.language, one.ticket, one.people, words.placeholders)

    ticket = one.ticket
    sent = next((macro for macro in macros if macro.id == one.macro), None)
    if one.answer:
        answer, kind, title = clean(one.answer), "sent", sent.title if sent else None
    else:
        occasion = Occasion(ticket.created_at.date(), _order_facts(sources, one))
        answer, kind, title = _example(sent or _first(macros), "macro" if sent else "example", occasion, words)
    return Case(clean(ticket.subject), clean(ticket.body), ticket.channel, answer, kind, title, one.csat, True)


def _order_facts(sources: PackSources, one: Answered) -> dict[str, str]:
    """What the desk knows of the ticket's order; an order source that is down only makes the example plainer."""
    known = {"shipment.carrier": one.ticket.carrier} if one.ticket.carrier else {}
    try:
        order = sources.orders.facts(one.ticket.order_id) if one.ticket.order_id else None
    except OrderSourceDownError:
        order = None
    return {**known, **(order.facts if order else {})}


def _corpus_cases(
    sources: PackSources,
    reason: str,
    language: str,
    number: int,
    macros: Sequence[PackMacro],
    words: Wording,
    day: date,
) -> list[Case]:
    fitting = [
        one
        for one in sources.examples()
        if one.reason == reason and one.locale == language and not one.indirect and 60 <= len(one.body) <= 900
    ][:WRITTEN]
    chosen = most_diverse(fitting, [one.text for one in fitting], number, sources.encoder(), lambda one: len(one.body))
    answer, kind, title = _example(_first(macros), "example", Occasion(day, {}), words)
    return [
        Case(
            anonymous(one.subject, language, None, (), words.placeholders),
            anonymous(one.body, language, None, (), words.placeholders),
            one.channel, answer, kind, title, None, False,
        )
        for one in chosen
    ]  # fmt: skip


def _first(macros: Sequence[PackMacro]) -> PackMacro | None:
    """The macro that fits most tickets: one without conditions, else the most used."""
    return next((macro for macro in macros if not macro.when), macros[0] if macros else None)


def _example(macro: PackMacro | None, kind: str, occasion: Occasion, words: Wording) -> tuple[str, str, str | None]:
    if macro is None:
        return "", "none", None
    return shown_for(macro.macro, occasion, words.placeholders), kind, macro.title
