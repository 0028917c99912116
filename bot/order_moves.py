"""Turns about an order: asking for it, its proof, and what its facts allow to say."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.decision import Why
from bot.moves import Moves
from bot.order_details import OrderDetails
from bot.phrases import Intent
from bot.reply import Reply, Resources, Topic
from bot.state import Phase, State
from bot.turn import NO_ORDER, Act, Choice
from bot.verification import Prover
from classifier.tagger import Tag
from desk.order_table import OrderFacts, OrderSourceDownError

log = logging.getLogger("paretodesk.bot")


class OrderMoves(Moves):
    """Moves for reasons whose answer depends on an order. ``prove`` judges the proofs of this message."""

    def __init__(
        self, resources: Resources, state: State, locale: str, tag: Tag, question_tag: Tag, prove: Prover
    ) -> None:
        super().__init__(resources, state, locale, tag, question_tag)
        self._prover = prove

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

    def _wants_order(self, topic: Topic, details: OrderDetails) -> bool:
        """Whether the order is asked for, or looked at, before anything is said."""
        decision = self._resources.decision
        if decision.needs_order(topic.reason):
            return self._resources.orders.available()
        known = bool(details.order_id) or self._state.verified
        return known and decision.needs_order_if_named(topic.reason) and self._resources.orders.available()

    def _order(self, topic: Topic, details: OrderDetails) -> Reply:
        state = self._state
        if state.verified and state.order_id and details.order_id in (None, state.order_id):
            return self._facts(topic, self._proven_order())
        order_id, proof = details.order_id or state.order_id, details.proof or state.proof
        if state.verified:  # another order than the proven one
            order_id, proof = details.order_id, details.proof
        if order_id and proof:
            return self._prove(topic, order_id, proof)
        self._state = replace(state, order_id=order_id, proof=proof, verified=False, email=None)
        return self._ask_order("ask_proof" if order_id else "ask_order_id" if proof else "ask_order", topic)

    def _prove(self, topic: Topic, order_id: str, proof: str) -> Reply:
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
            return self._general_article(topic)
        state = replace(self._state, phase=Phase.VERIFY, order_prompts=self._state.order_prompts + 1)
        buttons = (Choice(self._words.choices.no_order, NO_ORDER),)
        return self._say(state, Act.ASK_ORDER, key, buttons=buttons, reason=topic.reason)

    def _facts(self, topic: Topic, order: OrderFacts | None) -> Reply:
        if order is None:
            return self.hand_off(Why.NO_FACTS)
        filled = self._macro(topic.question, topic.reason, order)
        if filled.said:
            # The same words again would be no new answer.
            return self.hand_off(Why.NOT_SOLVED) if self._was_said(filled.said) else self._answer(filled.said)
        if filled.for_people:
            return self.hand_off(Why.ACTS)
        if self._resources.decision.needs_order(topic.reason) or self._is_amazons(topic.reason, order):
            return self.hand_off(Why.NO_FACTS)
        return self._general_article(topic)
