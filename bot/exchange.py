"""One exchange: what the bot does with a message that was understood so far, and the state that follows."""

from __future__ import annotations

from dataclasses import replace

from bot.decision import Danger, Way, Why
from bot.order_details import OrderDetails, first_details, read_details
from bot.order_moves import OrderMoves
from bot.phrases import Intent
from bot.reply import Reply, Topic
from bot.spoken_words import count_words
from bot.state import Phase, State
from bot.turn import NO_ORDER, NOT_SOLVED, REASON_PREFIX, SECTION_PREFIX, SOLVED, Act
from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE
from classifier.tagger import Tag

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
            return self._without_order(self._topic())
        if choice.startswith(SECTION_PREFIX):
            name = choice.removeprefix(SECTION_PREFIX)
            section = self._resources.answers.section(name, self._topic().reason, self._locale)
            return self._answer(section) if section else self.hand_off(Why.NO_ANSWER)
        reason = choice.removeprefix(REASON_PREFIX)
        question = self._state.question
        return self._known(Topic(question, reason, chosen=True), self._first_details(question, reason))

    def understand(self, words: str, intents: frozenset[Intent], details: OrderDetails) -> Reply:
        """The customer wrote something harmless in a language that the bot speaks."""
        phase = self._state.phase
        if reply := self._details_alone(words):
            return reply
        if phase is Phase.VERIFY and (reply := self._verifying(words, intents, details)):
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
        before = self._state
        self._state = _fresh(before, words)
        if reason := self._understood(words, before):
            return self._known(Topic(words, reason), self._first_details(words, reason))
        return self._clarify()

    def _details_alone(self, words: str) -> Reply | None:
        """The reply to nothing but order details that nobody asked for at this moment; None for anything else."""
        state, decision = self._state, self._resources.decision
        possible = {Phase.CLARIFY: state.offered, Phase.CONFIRM: (state.reason,)}.get(state.phase, ())
        reason = next((one for one in possible if one and decision.needs_order(one)), None)
        if reason is None:
            return None
        before = self._first_details(state.question, reason)
        details = read_details(words, before.order_id or state.order_id)
        if not details.any or count_words(details.rest) or (state.verified and details.order_id is None):
            return None
        if details.order_id is None:
            details = replace(details, order_id=before.order_id)
        return self._known(Topic(state.question, reason, chosen=True), details)

    def _understood(self, words: str, before: State) -> str | None:
        """The reason of a new question, as far as it may be answered without asking back."""
        if self._tag.decision == "tagged":
            return self._tag.reason
        if request := self._resources.decision.sure_request(self._tag, self._requests):
            self._tag = request.tag
            return request.tag.reason
        if self._agrees(words, self._tag):
            return self._tag.reason
        # 'And if I am not at home?' after an answer belongs to what was answered, if search says so.
        asks_on = before.phase is Phase.CONFIRM and before.reason is not None
        if asks_on and before.reason and self._finds(words, before.reason) >= self._settings.passage_threshold:
            return before.reason
        return None

    def _agrees(self, words: str, tag: Tag) -> bool:
        """Whether search by itself finds the best guess of a ``tag`` that is not sure."""
        return self._resources.decision.agrees(tag, self._finds(words, tag.reason))

    def _finds(self, words: str, reason: str) -> float:
        return self._resources.answers.agreement(words, reason, self._locale)

    def _clarified(self, words: str) -> Reply:
        together = f"{self._state.question}\n{words}"[-_QUESTION_CHARACTERS:]
        for tag, question in ((self._tag, words), (self._question_tag, together)):
            if tag.decision == "tagged" or self._agrees(question, tag):
                self._tag = tag
                # A part of the earlier question is no further request beside what this message says by itself.
                self._requests = tuple(one for one in self._requests if one.text in question)
                said = together if self._resources.decision.needs_order(tag.reason) else words
                return self._known(Topic(question, tag.reason), self._first_details(said, tag.reason))
        if request := self._resources.decision.sure_request(self._question_tag, self._requests):
            self._tag = request.tag
            reason = request.tag.reason
            return self._known(Topic(together, reason), self._first_details(together, reason))
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
                if self._wants_order(topic, details):
                    return self._order(topic, details)
                without = self._state.no_order and self._resources.decision.needs_order(topic.reason)
                return self._general_article(topic) if without else self._article(topic)

    def _also(self, topic: Topic) -> tuple[str, ...]:
        """What else was asked for and nobody has been told yet, this message's first."""
        tag = self._question_tag if topic.chosen else self._tag
        decision = self._resources.decision
        asked = decision.asked(self._requests, topic.reason)
        found = (*asked, *decision.passed_on(tag, topic.reason), *self._state.also)
        told = (topic.reason, *self._state.passed)
        return tuple(dict.fromkeys(reason for reason in found if reason not in told))

    def _first_details(self, words: str, reason: str) -> OrderDetails:
        return first_details(words, coded=self._resources.decision.needs_order(reason))


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
        number=None,
        order_id=state.order_id if state.verified else None,
    )
