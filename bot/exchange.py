"""One exchange: what the bot does with a message that was understood so far, and the state that follows."""

from __future__ import annotations

from dataclasses import replace

from bot.decision import Danger, Way, Why
from bot.order_details import OrderDetails, read_details, stated_order
from bot.order_moves import OrderMoves
from bot.phrases import Intent
from bot.reply import Reply, Topic
from bot.state import Phase, State
from bot.turn import NO_ORDER, NOT_SOLVED, REASON_PREFIX, SOLVED, Act
from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE

_QUESTION_CHARACTERS = 4_000


class Exchange(OrderMoves):
    """The moves of the bot; each public method finishes the turn."""

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
        question = self._state.question
        return self._known(Topic(question, reason, chosen=True), _first_details(question))

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

    def _clarified(self, words: str) -> Reply:
        together = f"{self._state.question}\n{words}"[-_QUESTION_CHARACTERS:]
        for tag, question in ((self._tag, words), (self._question_tag, together)):
            if tag.decision == "tagged":
                self._tag = tag
                return self._known(Topic(question, tag.reason), _first_details(words))
        self._state = replace(self._state, question=together)
        return self._clarify()

    def _known(self, topic: Topic, details: OrderDetails) -> Reply:
        way, why = self._resources.decision.way(topic.reason)
        self._state = replace(
            self._state,
            reason=topic.reason,
            question=topic.question[:_QUESTION_CHARACTERS],
            also=self._also(topic),
        )
        match way:
            case Way.PERSON:
                return self.hand_off(why or Why.ASSISTED)
            case Way.THANKS | Way.CLOSE if self._state.also:
                # 'Thank you' or an offer with a request beside it: the request is what counts.
                return self.hand_off(Why.SEVERAL)
            case Way.THANKS:
                return self._close("close_thanks")
            case Way.CLOSE:
                return self._close("close_offer")
            case Way.SELF_SERVICE:
                return self._order(topic, details) if self._wants_order(topic, details) else self._article(topic)

    def _also(self, topic: Topic) -> tuple[str, ...]:
        """What else was asked for and nobody has been told yet, this message's first."""
        tag = self._question_tag if topic.chosen else self._tag
        found = (*self._resources.decision.passed_on(tag, topic.reason), *self._state.also)
        told = (topic.reason, *self._state.passed)
        return tuple(dict.fromkeys(reason for reason in found if reason not in told))


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
