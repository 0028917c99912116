"""One exchange: what the bot does with a message that was understood so far, and the state that follows."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.decision import Danger, Way, Why
from bot.order_details import OrderDetails, read_details, stated_order
from bot.phrases import Intent
from bot.reply import HandOff, Reply, Resources, Topic
from bot.state import Phase, State
from bot.turn import NO_ORDER, NOT_SOLVED, PERSON, REASON_PREFIX, SOLVED, Act, Choice, Said
from bot.wording import SOURCE, LocaleWording
from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE
from classifier.tagger import Tag
from classifier.taxonomy import OTHER
from desk.order_http import OrderSourceDownError
from desk.order_table import OrderFacts

log = logging.getLogger("paretodesk.bot")

_QUESTION_CHARACTERS = 4_000
_BY_MESSAGE = frozenset({Why.GUARD, Why.UNAVAILABLE, Why.HUMAN_ONLY, Why.ASSISTED, Why.AUTO_CLOSE, Why.LANGUAGE})
"""Hand-offs that the last message alone led to; in the others it belongs to the open question."""
_MEANWHILE = frozenset({Why.ASSISTED, Why.NO_FACTS})
"""Hand-offs until which an article may already help."""


class Exchange:
    """The moves of the bot; each public method finishes the turn. ``tag`` is the message's, for the hand-off."""

    def __init__(self, resources: Resources, state: State, locale: str, tag: Tag, question_tag: Tag) -> None:
        self._resources = resources
        self._settings = resources.decision.settings
        self._state = state
        self._locale = locale
        self._tag = tag
        self._question_tag = question_tag

    # -- moves ---------------------------------------------------------------------------------------------

    def endangered(self, danger: Danger, *, asked: bool) -> Reply:
        """Only a person may answer; ``asked``: the customer wants one anyway."""
        self._tag, self._state = danger.tag, replace(self._state, reason=None)
        if asked:
            return self.hand_off(danger.why, "hand_off_asked")
        # The model is raised by vague words too; only a rule knows that something serious was said.
        serious = set(danger.tag.guard) - {MODEL_RULE, UNAVAILABLE_RULE}
        return self.hand_off(danger.why, "hand_off_person" if serious else "hand_off")

    def foreign(self, language: str) -> Reply:
        """The customer writes a language that the bot does not speak."""
        self._locale = self._settings.fallback_locale
        return self.hand_off(Why.LANGUAGE, "hand_off_language", language=language)

    def press(self, choice: str) -> Reply:
        """The customer pressed a button of the last turn."""
        if choice == SOLVED:
            return self._close("close_solved")
        if choice == NOT_SOLVED:
            return self.hand_off(Why.NOT_SOLVED)
        if choice == NO_ORDER:
            return self._general_article(self._topic())
        reason = choice.removeprefix(REASON_PREFIX)
        return self._known(Topic(self._state.question, reason, chosen=True), OrderDetails())

    def understand(self, words: str, intents: frozenset[Intent], details: OrderDetails) -> Reply:
        """The customer wrote something harmless in a language that the bot speaks."""
        phase = self._state.phase
        if phase is Phase.VERIFY and (reply := self._verifying(intents, details)):
            return reply
        if phase is Phase.CONFIRM and Intent.YES in intents:
            return self._close("close_solved")
        if phase is Phase.CONFIRM and Intent.NO in intents:
            return self.hand_off(Why.NOT_SOLVED)
        if Intent.THANKS in intents:
            return self._close("close_thanks")
        if Intent.GREETING in intents and not self._state.greeted:
            return self._say(replace(self._state, greeted=True), Act.CLARIFY, "greet_back")
        if phase is Phase.CLARIFY:
            return self._clarified(words)
        self._state = _fresh(self._state, words)
        if self._tag.decision == "tagged":
            return self._known(Topic(words, self._tag.reason), _first_details(words))
        return self._clarify()

    def hand_off(self, why: Why, wording: str | None = None, *, language: str | None = None) -> Reply:
        """A person takes over, for good."""
        wording = wording or ("hand_off_asked" if why is Why.ASKED else "hand_off")
        state = self._state
        tag = self._tag if why in _BY_MESSAGE else self._question_tag
        reason = state.reason or tag.reason
        package = HandOff(
            why=why,
            tag=tag,
            reason=reason,
            language=language or self._locale,
            wording=wording,
            chosen_reason=state.reason if state.reason != tag.reason else None,
            order_id=state.order_id,
            verified=state.verified,
            meanwhile=self._meanwhile(reason) if why in _MEANWHILE else None,
        )
        after = replace(state, phase=Phase.HANDED_OFF, reason=reason, choices=(), proof=None)
        return Reply(after, self._locale, Act.HAND_OFF, reason, hand_off=package)

    # -- reasons -------------------------------------------------------------------------------------------

    def _known(self, topic: Topic, details: OrderDetails) -> Reply:
        way, why = self._resources.decision.way(topic.reason)
        self._state = replace(self._state, reason=topic.reason, question=topic.question[:_QUESTION_CHARACTERS])
        match way:
            case Way.THANKS:
                return self._close("close_thanks")
            case Way.CLOSE:
                return self._close("close_offer")
            case Way.PERSON:
                return self.hand_off(why or Why.ASSISTED)
            case Way.SELF_SERVICE:
                if self._resources.decision.needs_order(topic.reason) and self._resources.orders.available():
                    return self._order(topic, details)
                return self._article(topic)

    def _article(self, topic: Topic) -> Reply:
        chosen, settings = topic.chosen, self._settings
        threshold = settings.passage_threshold_chosen if chosen else settings.passage_threshold
        found = self._passage(topic.question, topic.reason, threshold)
        if found:
            return self._answer(found)
        return self.hand_off(Why.NO_ANSWER) if chosen else self._clarify()

    def _general_article(self, topic: Topic) -> Reply:
        return self._article(replace(topic, chosen=True))

    def _answer(self, said: Said) -> Reply:
        before = self._state
        state = replace(
            before,
            phase=Phase.CONFIRM,
            said=(*before.said, said.source),
            clarifications=0,
            order_prompts=0,
            offered=(),
        )
        choices = self._words.choices
        buttons = (Choice(choices.solved, SOLVED), Choice(choices.not_solved, NOT_SOLVED))
        return self._say(state, Act.ANSWER, "confirm", before=(said,), buttons=buttons, reason=before.reason)

    def _meanwhile(self, reason: str) -> Said | None:
        return self._passage(self._state.question, reason, self._settings.passage_threshold)

    def _passage(self, question: str, reason: str, threshold: float) -> Said | None:
        return self._resources.answers.passage(question, reason, self._locale, threshold, self._state.said)

    # -- clarifying ----------------------------------------------------------------------------------------

    def _clarified(self, words: str) -> Reply:
        together = f"{self._state.question}\n{words}"[-_QUESTION_CHARACTERS:]
        for tag, question in ((self._tag, words), (self._question_tag, together)):
            if tag.decision == "tagged":
                self._tag = tag
                return self._known(Topic(question, tag.reason), _first_details(words))
        self._state = replace(self._state, question=together)
        return self._clarify()

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

    # -- orders --------------------------------------------------------------------------------------------

    def _verifying(self, intents: frozenset[Intent], details: OrderDetails) -> Reply | None:
        """The reply to an answer to `ask_order`; None when the customer talks of something else."""
        topic = self._topic()
        if details.any:
            return self._order(topic, details)
        if intents & {Intent.NO_ORDER, Intent.NO}:
            return self._general_article(topic)
        if intents & {Intent.THANKS, Intent.GREETING}:
            return None
        if self._tag.decision == "tagged" and self._tag.reason != topic.reason:
            return None
        return self._order(topic, details)

    def _order(self, topic: Topic, details: OrderDetails) -> Reply:
        state = self._state
        if state.verified and state.order_id and details.order_id in (None, state.order_id):
            try:
                known = self._resources.orders.known(state.order_id)
            except OrderSourceDownError as error:
                log.warning("%s", error)
                known = None
            return self._facts(topic, known)
        order_id, proof = details.order_id or state.order_id, details.proof or state.proof
        if state.verified:  # another order than the proven one
            order_id, proof = details.order_id, details.proof
        if order_id and proof:
            return self._prove(topic, order_id, proof)
        self._state = replace(state, order_id=order_id, proof=proof, verified=False)
        return self._ask_order("ask_proof" if order_id else "ask_order_id" if proof else "ask_order", topic)

    def _prove(self, topic: Topic, order_id: str, proof: str) -> Reply:
        try:
            order = self._resources.orders.proven(order_id, proof)
        except OrderSourceDownError as error:
            log.warning("%s", error)
            self._state = replace(self._state, order_id=order_id, proof=None, verified=False)
            return self.hand_off(Why.NO_FACTS)
        if order is not None:
            self._state = replace(self._state, order_id=order.order_id, proof=None, verified=True)
            return self._facts(topic, order)
        failures = self._state.failures + 1
        self._state = replace(self._state, order_id=None, proof=None, verified=False, failures=failures)
        if failures >= self._settings.max_proof_failures:
            self._state = replace(self._state, order_id=order_id)
            return self.hand_off(Why.NOT_VERIFIED)
        # A wrong proof is bounded by its own count, not by the prompts.
        self._state = replace(self._state, order_prompts=0)
        return self._ask_order("order_not_verified", topic)

    def _ask_order(self, key: str, topic: Topic) -> Reply:
        if self._state.order_prompts >= self._settings.max_order_prompts:
            return self._general_article(topic)
        state = replace(self._state, phase=Phase.VERIFY, order_prompts=self._state.order_prompts + 1)
        buttons = (Choice(self._words.choices.no_order, NO_ORDER),)
        return self._say(state, Act.ASK_ORDER, key, buttons=buttons, reason=topic.reason)

    def _facts(self, topic: Topic, order: OrderFacts | None) -> Reply:
        if order is None:
            return self.hand_off(Why.NO_FACTS)
        facts = self._resources.orders.facts(order, self._words.assistant_name)
        said = self._resources.answers.macro(topic.question, topic.reason, facts, self._locale)
        return self._answer(said) if said else self.hand_off(Why.NO_FACTS)

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


def _fresh(state: State, words: str) -> State:
    """The state for a new question; an order proven earlier stays proven."""
    return replace(
        state,
        question=words[:_QUESTION_CHARACTERS],
        reason=None,
        offered=(),
        clarifications=0,
        order_prompts=0,
        proof=None,
        order_id=state.order_id if state.verified else None,
    )


def _first_details(words: str) -> OrderDetails:
    """Details in a message that was not asked for them: only what cannot be anything else."""
    order_id = stated_order(words)
    return OrderDetails(order_id, read_details(words, order_id).email) if order_id else OrderDetails()
