"""The ways in which a turn can end: an answer, a question back, a person, or goodbye."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from bot.answers import ARTICLE_PREFIX, MACRO_PREFIX, Filled
from bot.decision import Why
from bot.reply import PASSED_ON, HandOff, Reply, Resources, Topic
from bot.requests import Request, request_for
from bot.state import Phase, State
from bot.turn import NOT_SOLVED, PERSON, REASON_PREFIX, SECTION_PREFIX, SOLVED, Act, Choice, Said
from bot.wording import SOURCE, LocaleWording
from classifier.tagger import Alternative, Tag
from classifier.taxonomy import OTHER
from desk.order_table import OrderFacts, OrderSourceDownError

log = logging.getLogger("paretodesk.bot")

_BY_MESSAGE = frozenset({Why.GUARD, Why.UNAVAILABLE, Why.HUMAN_ONLY, Why.ASSISTED, Why.AUTO_CLOSE, Why.LANGUAGE})
"""Hand-offs that the last message alone led to; in the others it belongs to the open question."""
_MEANWHILE = frozenset({Why.ASSISTED, Why.NO_FACTS, Why.ACTS})
"""Hand-offs until which an article may already help."""


class Moves:
    """The ends of a turn. ``tag`` is the message's, ``question_tag`` that of the open question with it, ``requests``
    are its parts where it has several.
    """

    def __init__(
        self,
        resources: Resources,
        state: State,
        locale: str,
        tag: Tag,
        question_tag: Tag,
        requests: tuple[Request, ...] = (),
    ) -> None:
        self._resources = resources
        self._settings = resources.decision.settings
        self._state = state
        self._locale = locale
        self._tag = tag
        self._question_tag = question_tag
        self._requests = requests

    # -- a person ------------------------------------------------------------------------------------------

    def hand_off(self, why: Why, wording: str | None = None, *, language: str | None = None) -> Reply:
        """A person takes over, for good."""
        wording = wording or ("hand_off_asked" if why is Why.ASKED else "hand_off")
        tag = self._tag if why in _BY_MESSAGE else self._question_tag
        package = replace(
            self._package(why, tag, wording, self._state.reason or tag.reason),
            language=language or self._locale,
        )
        if why in _MEANWHILE:
            package = replace(package, meanwhile=self._meanwhile(package.reason, package.order))
        if why is Why.ASSISTED and self._resources.decision.drafts(package.reason):
            package = replace(package, draft=self._meanwhile(package.reason, package.order))
        reason = package.reason
        after = replace(self._state, phase=Phase.HANDED_OFF, reason=reason, choices=(), proof=None, also=())
        return Reply(after, self._locale, Act.HAND_OFF, reason, hand_off=package)

    def _package(self, why: Why, tag: Tag, wording: str, reason: str) -> HandOff:
        state = self._state
        found = self._resources.decision.further(tag, reason)
        return HandOff(
            why=why,
            tag=tag,
            reason=reason,
            language=self._locale,
            wording=wording,
            chosen_reason=state.reason if state.reason != tag.reason else None,
            further=tuple(also for also in dict.fromkeys((*state.also, *found)) if also not in (reason, *state.passed)),
            order_id=state.order_id,
            verified=state.verified,
            order=self._proven_order(),
            email=state.email,
            failures=state.failures,
        )

    def _proven_order(self) -> OrderFacts | None:
        if not (self._state.verified and self._state.order_id):
            return None
        try:
            return self._resources.orders.known(self._state.order_id)
        except OrderSourceDownError as error:
            log.warning("%s", error)
            return None

    def _meanwhile(self, reason: str, order: OrderFacts | None) -> Said | None:
        if order and self._is_amazons(reason, order):
            return self._macro(self._state.question, reason, order).said
        return self._passage(self._state.question, reason, self._settings.passage_threshold)

    # -- answers -------------------------------------------------------------------------------------------

    def _answer(self, said: Said) -> Reply:
        before = self._state
        state = replace(
            before,
            phase=Phase.CONFIRM,
            said=(*before.said, _once(said)),
            clarifications=0,
            order_prompts=0,
            offered=(),
            also=(),
            passed=(*before.passed, *before.also),
        )
        choices = self._words.choices
        buttons = (Choice(choices.solved, SOLVED), Choice(choices.not_solved, NOT_SOLVED))
        reply = self._say(state, Act.ANSWER, "confirm", before=(said,), buttons=buttons, reason=before.reason)
        return replace(reply, passes_on=self._rest()) if before.also else reply

    def _rest(self) -> HandOff:
        """What the answer leaves open, as a ticket of its own reason."""
        first, *others = self._state.also
        probable = {also.id: also.probability for also in (*self._tag.secondary, *self._question_tag.secondary)}
        probable |= {request.tag.reason: request.tag.confidence for request in self._requests}
        tag = replace(
            self._question_tag,
            reason=first,
            confidence=probable.get(first, 0.0),
            decision="undecided",
            autonomy=str(self._resources.taxonomy[first].autonomy),
            secondary=tuple(Alternative(also, probable.get(also, 0.0)) for also in others),
        )
        package = self._package(Why.SEVERAL, tag, PASSED_ON, first)
        return replace(package, chosen_reason=None, further=tuple(others))

    def _was_said(self, said: Said) -> bool:
        return _once(said) in self._state.said

    def _article(self, topic: Topic) -> Reply:
        chosen, settings = topic.chosen, self._settings
        threshold = settings.passage_threshold_chosen if chosen else settings.passage_threshold
        found = self._resources.answers.passage(self._asking(topic), topic.reason, self._locale, threshold)
        if found:
            # The same words again would be no answer, and the next best passage a worse one.
            return self._ask_section(topic) if self._was_said(found) else self._answer(found)
        return self._ask_section(topic) if chosen else self._clarify()

    def _general_article(self, topic: Topic) -> Reply:
        return self._article(replace(topic, chosen=True))

    def _passage(self, question: str, reason: str, threshold: float) -> Said | None:
        found = self._resources.answers.passage(self._asking(Topic(question, reason)), reason, self._locale, threshold)
        return None if found is None or self._was_said(found) else found

    def _asking(self, topic: Topic) -> str:
        """What search is asked: of a question that asks for several things, the part about this one."""
        several = self._resources.decision.asked(self._requests, topic.reason)
        part = request_for(self._requests, topic.reason) if several else None
        return part.text if part else topic.question

    def _macro(self, question: str, reason: str, order: OrderFacts) -> Filled:
        return self._resources.answers.macro(question, reason, self._facts_of(order, reason), self._locale)

    def _is_amazons(self, reason: str, order: OrderFacts) -> bool:
        return self._resources.answers.is_amazons(reason, self._facts_of(order, reason))

    def _facts_of(self, order: OrderFacts, reason: str) -> dict[str, object]:
        return self._resources.orders.facts(order, self._words.assistant_name, reason)

    # -- questions back ------------------------------------------------------------------------------------

    def _clarify(self) -> Reply:
        state, settings = self._state, self._settings
        if state.clarifications >= settings.max_clarifications:
            return self.hand_off(Why.UNCLEAR)
        if self._resources.decision.may_be_danger(self._question_tag):
            return self.hand_off(Why.HUMAN_ONLY)
        options = self._resources.decision.options(self._question_tag, state.offered)
        key = ("clarify_options" if options else "clarify_open") + ("_again" if state.clarifications else "")
        after = replace(
            state,
            phase=Phase.CLARIFY,
            reason=None,
            offered=(*state.offered, *options),
            clarifications=state.clarifications + 1,
        )
        names = self._resources.taxonomy
        buttons = tuple(Choice(names[reason].name(self._locale), f"{REASON_PREFIX}{reason}") for reason in options)
        return self._say(after, Act.CLARIFY, key, buttons=buttons)

    def _ask_section(self, topic: Topic) -> Reply:
        """The reason is known and no passage is near enough: the customer sees which questions are answered."""
        state, decision = self._state, self._resources.decision
        if any(value.startswith(SECTION_PREFIX) for value in state.offered):
            return self.hand_off(Why.NO_ANSWER)
        if decision.may_be_danger(self._question_tag):
            return self.hand_off(Why.HUMAN_ONLY)
        k = self._settings.max_sections
        near = self._resources.answers.sections(self._asking(topic), topic.reason, self._locale, k + len(state.said))
        fresh = [passage for passage in near if f"{ARTICLE_PREFIX}{passage.id}" not in state.said][:k]
        if not fresh and topic.chosen:
            return self.hand_off(Why.NO_ANSWER)
        if not fresh:
            self._state = replace(state, question="")  # it was answered; what comes next is another one
            return self._clarify()
        buttons = tuple(Choice(one.heading, f"{SECTION_PREFIX}{one.id.split('/', 1)[1]}") for one in fresh)
        after = replace(
            state,
            phase=Phase.CLARIFY,
            offered=(*state.offered, *(button.value for button in buttons)),
            clarifications=state.clarifications + 1,
        )
        return self._say(after, Act.CLARIFY, "clarify_sections", buttons=buttons, reason=topic.reason)

    # -- words ---------------------------------------------------------------------------------------------

    @property
    def _words(self) -> LocaleWording:
        return self._resources.wording[self._locale]

    def _topic(self) -> Topic:
        return Topic(self._state.question, self._state.reason or OTHER)

    def _close(self, key: str) -> Reply:
        state = replace(self._state, phase=Phase.CLOSED, order_prompts=0, clarifications=0, offered=(), proof=None)
        return self._say(state, Act.CLOSE, key, reason=self._state.reason)

    def _say(
        self,
        state: State,
        act: Act,
        key: str,
        *,
        before: tuple[Said, ...] = (),
        buttons: tuple[Choice, ...] = (),
        reason: str | None = None,
    ) -> Reply:
        person = Choice(self._words.choices.person, PERSON)
        state = replace(state, choices=(*buttons, person))
        own = Said(self._words.say(key), f"{SOURCE}:{key}")
        return Reply(state, self._locale, act, reason, (*before, own))


def _once(said: Said) -> str:
    """What must not be said a second time: a passage, or a macro with the same facts."""
    if not said.source.startswith(MACRO_PREFIX):
        return said.source
    return f"{said.source}#{hashlib.sha256(said.text.encode()).hexdigest()[:16]}"
