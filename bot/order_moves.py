"""Turns about an order: asking for it, its proof, and what its facts allow to say."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.answers import is_opening
from bot.decision import Why
from bot.moves import Moves
from bot.order_details import OrderDetails, is_lone_postcode
from bot.phrases import Intent
from bot.reply import Reply, Resources, Topic
from bot.requests import Request
from bot.spoken_words import count_words
from bot.state import Phase, State
from bot.turn import NO_ORDER, Act, Choice
from bot.verification import Prover
from classifier.tagger import Tag
from desk.order_table import OrderFacts, OrderSourceDownError

log = logging.getLogger("paretodesk.bot")

_QUESTION_WORDS = 3
"""Fewer words beside a request for the order ask for nothing that a section could answer."""


class OrderMoves(Moves):
    """Moves for reasons whose answer depends on an order. ``prove`` judges the proofs of this message."""

    def __init__(
        self,
        resources: Resources,
        state: State,
        locale: str,
        tag: Tag,
        question_tag: Tag,
        requests: tuple[Request, ...],
        prove: Prover,
    ) -> None:
        super().__init__(resources, state, locale, tag, question_tag, requests)
        self._prover = prove

    def _verifying(self, words: str, intents: frozenset[Intent], details: OrderDetails) -> Reply | None:
        """The reply to an answer to `ask_order`; None when the customer talks of something else."""
        topic = self._topic()
        if details.any:
            return self._order(topic, details)
        if intents & {Intent.NO_ORDER, Intent.NO}:
            return self._without_order(topic)
        if intents & {Intent.THANKS, Intent.GREETING}:
            return None
        if self._tag.decision == "tagged" and self._tag.reason != topic.reason:
            return None
        return self._beside(topic, words) or self._order(topic, details)

    def _beside(self, topic: Topic, words: str) -> Reply | None:
        """A question on the same matter instead of the order: a section may answer it without."""
        if count_words(words) < _QUESTION_WORDS:
            return None
        answers, least = self._resources.answers, self._settings.passage_threshold
        if answers.agreement(words, topic.reason, self._locale) < least:
            return None
        found = answers.passage(words, topic.reason, self._locale, least)
        return None if found is None or is_opening(found) or self._was_said(found) else self._answer(found)

    def _wants_order(self, topic: Topic, details: OrderDetails) -> bool:
        """Whether the order is asked for, or looked at, before anything is said."""
        decision = self._resources.decision
        if self._state.no_order and not (details.order_id or self._state.verified):
            return False
        if decision.needs_order(topic.reason):
            return self._resources.orders.available()
        known = bool(details.order_id) or self._state.verified
        return known and decision.needs_order_if_named(topic.reason) and self._resources.orders.available()

    def _order(self, topic: Topic, details: OrderDetails) -> Reply:
        state = self._state
        if state.verified and state.order_id and _same(details.order_id or state.order_id, state.order_id):
            return self._facts(topic, self._proven_order())
        order_id, proof = details.order_id or state.order_id, details.proof or state.proof
        if state.verified:  # another order than the proven one
            order_id, proof = details.order_id, details.proof
        elif details.order_id and state.number and not (proof or is_lone_postcode(details.order_id)):
            proof = state.number  # what was taken for the order id was the postcode
        if order_id and proof:
            return self._prove(topic, order_id, proof)
        alone = details.order_id if details.order_id and not (details.proof or details.rest) else None
        number = alone if alone and is_lone_postcode(alone) else None
        self._state = replace(state, order_id=order_id, proof=proof, number=number, verified=False, email=None)
        return self._ask_order("ask_proof" if order_id else "ask_order_id" if proof else "ask_order", topic)

    def _prove(self, topic: Topic, order_id: str, proof: str) -> Reply:
        self._state = replace(self._state, number=None)
        try:
            order = self._prover(order_id, proof)
        except OrderSourceDownError as error:
            log.warning("%s", error)
            self._state = replace(self._state, order_id=order_id, proof=None, verified=False, email=None)
            return self.hand_off(Why.NO_FACTS)
        if order is not None:
            email = proof.strip() if "@" in proof else None
            self._state = replace(self._state, order_id=order.order_id, proof=None, verified=True, email=email)
            return self._facts(topic, order)
        failures = self._state.failures + 1
        self._state = replace(self._state, order_id=None, proof=None, verified=False, email=None, failures=failures)
        if failures >= self._settings.max_proof_failures:
            self._state = replace(self._state, order_id=order_id)
            return self.hand_off(Why.NOT_VERIFIED)
        # A wrong proof is bounded by its own count, not by the prompts.
        self._state = replace(self._state, order_prompts=0)
        return self._ask_order("order_not_verified", topic)

    def _ask_order(self, key: str, topic: Topic) -> Reply:
        if self._state.order_prompts >= self._settings.max_order_prompts:
            return self._without_order(topic)
        state = replace(self._state, phase=Phase.VERIFY, order_prompts=self._state.order_prompts + 1)
        buttons = (Choice(self._words.choices.no_order, NO_ORDER),)
        return self._say(state, Act.ASK_ORDER, key, buttons=buttons, reason=topic.reason)

    def _facts(self, topic: Topic, order: OrderFacts | None) -> Reply:
        if order is None:
            return self.hand_off(Why.NO_FACTS)
        filled = self._macro(topic.question, topic.reason, order)
        if filled.said:
            return self._asked_on(topic) if self._was_said(filled.said) else self._answer(filled.said)
        if filled.for_people:
            return self.hand_off(Why.ACTS)
        if self._resources.decision.needs_order(topic.reason) or self._is_amazons(topic.reason, order):
            return self.hand_off(Why.NO_FACTS)
        return self._general_article(topic)

    def _asked_on(self, topic: Topic) -> Reply:
        """Another question about an order whose facts were told: a section may answer it, the same words do not."""
        found = self._resources.answers.nearest(self._asking(topic), topic.reason, self._locale)
        if found is None or is_opening(found[0]) or self._was_said(found[0]):
            return self.hand_off(Why.NOT_SOLVED)  # the general question once more
        said, probability = found
        return self._answer(said) if probability >= self._settings.passage_threshold else self._ask_section(topic)

    def _without_order(self, topic: Topic) -> Reply:
        """The customer has no order number at hand, and is not asked for it again."""
        self._state = replace(self._state, no_order=True)
        return self._general_article(topic)


def _same(one: str, other: str) -> bool:
    """Whether two order ids are the same one as customers type it."""
    return one.lstrip("#").casefold() == other.lstrip("#").casefold()
