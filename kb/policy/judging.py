"""What the sentence model finds in a message that the rules have found nothing in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import FEW, Encoder
from kb.policy.kinds import Phrases, Severity
from kb.policy.message import Message
from kb.policy.readings import Piece, Span, ideas, parts, whole
from kb.policy.rules import Applies, Rule, RuleSet
from kb.policy.sentence_model import LearnedRule, SentenceModel, starter_model
from kb.policy.violation import FoundBy, Violation

PROACTIVE = Applies.PROACTIVE.value


class SentenceJudge:
    """A sentence model with the encoder that it was made for; both are opened when first asked."""

    def __init__(self, encoder: Callable[[], Encoder], model: Callable[[], SentenceModel] = starter_model) -> None:
        self._encoder_of = encoder
        self._model_of = model

    @cached_property
    def _opened(self) -> tuple[Encoder, SentenceModel]:
        encoder, model = self._encoder_of(), self._model_of()
        model.check_fits(encoder)
        return encoder, model

    def open(self) -> SentenceJudge:
        """Read the model now. Raises `SentenceModelError` where it cannot be used with the encoder."""
        _ = self._opened
        return self

    def findings(self, message: Message, rules: RuleSet, told: Sequence[Violation]) -> list[Violation]:
        """What the model finds of those ``rules`` that it has learned, except where ``told`` has the same rule.

        Above a rule's upper threshold a finding is as severe as the rule, from the lower one on a warning.
        """
        _, model = self._opened
        asked = [
            (column, learned, rule)
            for column, learned in enumerate(model.about.rules)
            for rule in rules.rules
            if rule.id == learned.id and _is_for(rule, message)
        ]
        pieces = parts(message)
        if not asked or not pieces:
            return []
        entire = [whole(message)] if any(learned.whole for _, learned, _ in asked) else []
        likely = self._likely(message, [*pieces, *entire])
        found: list[Violation] = []
        for column, learned, rule in asked:
            known = [violation.span for violation in told if violation.rule == rule.id]
            rows = slice(len(pieces), None) if learned.whole else slice(len(pieces))
            judged = zip(entire if learned.whole else pieces, likely[rows, column], strict=True)
            heard = [(piece.span, float(p)) for piece, p in judged if p >= learned.warn_from]
            for span, probability in _places([(span, p) for span, p in heard if not _touches(span, known)]):
                found.append(_violation(rule, rules.name, learned, span, probability))
        return found

    def _likely(self, message: Message, pieces: list[Piece]) -> NDArray[np.float64]:
        encoder, model = self._opened
        # A message of one sentence is its own only part: no text is encoded twice.
        texts = list(dict.fromkeys(piece.text for piece in pieces))
        # So few at a time that the encoder takes one thread: see `classifier.encoders.blas_threads_for`.
        vectors = np.concatenate([encoder.encode(texts[at : at + FEW]) for at in range(0, len(texts), FEW)])
        rows = vectors[[texts.index(piece.text) for piece in pieces]]
        return model.probabilities(rows, ideas(message, pieces), message.kind == PROACTIVE)


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)


def _is_for(rule: Rule, message: Message) -> bool:
    if rule.applies is Applies.PROACTIVE and message.kind != PROACTIVE:
        return False
    fulfilled = {found.fulfilment for found in rule.detectors if isinstance(found, Phrases) and found.fulfilment}
    return not fulfilled or message.context.fulfilment is None or message.context.fulfilment in fulfilled


def _places(heard: list[tuple[Span, float]]) -> Iterator[tuple[Span, float]]:
    """The shortest of the overlapping pieces that were found, each with the highest probability among them."""
    for span, _ in sorted(heard, key=lambda one: one[0][1] - one[0][0]):
        around = [other for other in heard if _touches(other[0], [span])]
        if not any(other[1] - other[0] < span[1] - span[0] for other, _ in around):
            yield span, max(probability for _, probability in around)


def _violation(rule: Rule, judged_by: str, learned: LearnedRule, span: Span, probability: float) -> Violation:
    sure = probability >= learned.sure_from
    return Violation(
        rule.id,
        rule.severity if sure else Severity.WARN,
        span,
        rule.message if sure else f"This reads as if it broke the rule '{rule.statement}' Have a look.",
        rule.remedy,
        judged_by,
        FoundBy.MODEL,
        probability,
    )
