"""What an agent may answer with: macros filled for this order, and passages that explain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kb.articles import Audience
from kb.content import ANY_MARKETPLACE, suits_marketplace
from kb.macros import Macro, MacroKind
from kb.placeholders import FactType, Vocabulary, as_day, fact_key, starter_vocabulary
from kb.policy import PolicyContext, Violation, check_rendered
from kb.policy.rules import STRICTEST
from kb.rendering import Missing, render
from kb.search import HybridSearch
from kb.search_result import SearchResult
from kb.usefulness import Usefulness, expected_resolution


@dataclass(frozen=True)
class RenderedSuggestion:
    """A macro for this order: its text, or the facts that are missing for it. One of the two is there."""

    macro_id: str
    version: int
    title: str
    text: str | None
    missing: tuple[str, ...]
    warnings: tuple[Violation, ...]
    why: str

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "macro_id": self.macro_id,
            "version": self.version,
            "title": self.title,
            "text": self.text,
            "missing": list(self.missing),
            "warnings": [f"{violation.rule}: {violation.message}" for violation in self.warnings],
            "why": self.why,
        }


@dataclass(frozen=True)
class Hidden:
    """A macro that is not offered, and why."""

    macro_id: str
    why: str
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Suggestions:
    """Macros and passages for one ticket, best first; `why` says in sentences how they were chosen."""

    macros: tuple[RenderedSuggestion, ...]
    passages: tuple[SearchResult, ...]
    hidden: tuple[Hidden, ...] = ()
    why: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "macros": [macro.to_json() for macro in self.macros],
            "passages": [passage.to_json() for passage in self.passages],
            "hidden": [{"macro_id": hidden.macro_id, "why": hidden.why} for hidden in self.hidden],
            "why": list(self.why),
        }


class MacroSource(Protocol):
    """Where the macros that serve come from while they may change."""

    def locked(self) -> Sequence[Macro]:
        """The locked macros now: the same object as before while nothing changed. Never raises."""

    def usefulness(self) -> Mapping[str, Usefulness]:
        """What is measured about macros, by id; empty where nothing is. Never raises."""


class Suggester:
    """Chooses and fills the macros of a reason; finds passages where a search is given."""

    def __init__(
        self,
        macros: Sequence[Macro],
        search: HybridSearch | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._search = search
        self._vocabulary = vocabulary or starter_vocabulary()
        self._by_reason: dict[tuple[str, str], list[Macro]] = {}
        for macro in macros:
            if macro.locked and macro.fields.kind is MacroKind.REPLY:
                self._by_reason.setdefault((macro.reason, macro.locale), []).append(macro)

    def suggest(
        self,
        ticket_text: str,
        tag_reason: str | None,
        facts: Mapping[str, object],
        locale: str,
        marketplace: str | None = None,
        k: int = 3,
        *,
        context: PolicyContext | None = None,
        measured: Mapping[str, Usefulness] | None = None,
    ) -> Suggestions:
        """Up to ``k`` macros of ``tag_reason`` rendered with ``facts``, and up to ``k`` passages for the text.

        Only locked macros are offered. One whose condition the facts do not meet, or whose text breaks a blocking
        rule, is hidden with the reason. Macros that fit equally well are ordered by what is ``measured`` about them. A
        `tag_reason` of None (undecided) gives passages only.
        """
        passages = self._passages(ticket_text, tag_reason, locale, marketplace, k)
        if tag_reason is None:
            return Suggestions((), tuple(passages), why=("The ticket has no reason yet, so no macro was chosen.",))
        known = self._vocabulary.with_derived(facts)
        context = context or policy_context(known, self._vocabulary)
        measured = measured or {}
        offered: list[tuple[Macro, RenderedSuggestion]] = []
        hidden: list[Hidden] = []
        candidates = self._by_reason.get((tag_reason, locale), [])
        for macro in candidates:
            if not suits_marketplace(macro.fields.marketplace, marketplace):
                hidden.append(Hidden(macro.id, f"is for {', '.join(macro.fields.marketplace)} only"))
            elif unmet := macro.unmet(known):
                hidden.append(Hidden(macro.id, f"its condition on {', '.join(unmet)} is not met"))
            else:
                chosen = self._fill(macro, known, locale, marketplace, context, measured.get(macro.id))
                if isinstance(chosen, Hidden):
                    hidden.append(chosen)
                else:
                    offered.append((macro, chosen))
        offered.sort(key=lambda pair: _rank(pair[0], pair[1], measured))
        why = [f"{len(offered)} of {len(candidates)} locked macros for {tag_reason} in '{locale}' fit this order."]
        if passages and passages[0].fallback:
            why.append(f"No article answers in '{locale}'; the passages are in '{passages[0].fallback}'.")
        return Suggestions(tuple(s for _, s in offered[:k]), tuple(passages), tuple(hidden), tuple(why))

    def _passages(
        self, text: str, reason: str | None, locale: str, marketplace: str | None, k: int
    ) -> list[SearchResult]:
        """Those of the reason first, then what the text finds; the agent judges, so nothing is held back."""
        if self._search is None:
            return []
        found: list[SearchResult] = []
        if reason is not None:
            found = self._search.of_reason(text, reason, locale, audience=Audience.AGENT, marketplace=marketplace, k=k)
        if len(found) < k:
            shown = {result.passage.id for result in found}
            more = self._search.search(text, locale, audience=Audience.AGENT, marketplace=marketplace, k=k)
            found += [result for result in more if result.passage.id not in shown]
        return found[:k]

    def _fill(
        self,
        macro: Macro,
        facts: Mapping[str, object],
        locale: str,
        marketplace: str | None,
        context: PolicyContext,
        measured: Usefulness | None,
    ) -> RenderedSuggestion | Hidden:
        fields = macro.fields
        matched = ", ".join(f"{name} is {fact_key(facts[name])}" for name in fields.when)
        why = f"for {macro.reason}" + (f" where {matched}" if matched else "") + (f"; {measured}" if measured else "")
        rendered = render(macro, facts, locale, self._vocabulary)
        if isinstance(rendered, Missing):
            return RenderedSuggestion(macro.id, fields.version, fields.title, None, rendered.facts, (), why)
        violations = check_rendered(
            macro,
            rendered,
            marketplace=marketplace or STRICTEST,
            locale=locale,
            context=context,
            vocabulary=self._vocabulary,
        )
        if blocks := [violation for violation in violations if violation.blocks]:
            reasons = "; ".join(dict.fromkeys(f"{violation.rule}: {violation.message}" for violation in blocks))
            return Hidden(macro.id, f"its text may not be sent: {reasons}", tuple(blocks))
        return RenderedSuggestion(macro.id, fields.version, fields.title, rendered.text, (), tuple(violations), why)


def policy_context(facts: Mapping[str, object], vocabulary: Vocabulary | None = None) -> PolicyContext:
    """What order facts tell the policy check: order, fulfilment, completion, identifiers, names and titles."""
    placeholders = (vocabulary or starter_vocabulary()).placeholders
    order_id, fulfilment = facts.get("order.id"), facts.get("order.fulfilment")
    delivered = as_day(facts.get("shipment.delivered_at"))

    def of_type(*types: FactType) -> tuple[str, ...]:
        return tuple(str(v) for name, v in facts.items() if name in placeholders and placeholders[name].type in types)

    return PolicyContext(
        order_id=str(order_id) if order_id else None,
        fulfilment=fact_key(fulfilment) if fulfilment else None,
        completed_at=dt.datetime.combine(delivered, dt.time(), dt.UTC) if delivered else None,
        sent_at=dt.datetime.now(dt.UTC),
        not_phones=of_type(FactType.ID),
        other_language=of_type(FactType.ID, FactType.TEXT),
    )


def _rank(
    macro: Macro, suggestion: RenderedSuggestion, measured: Mapping[str, Usefulness]
) -> tuple[bool, int, bool, float, str]:
    """Complete before incomplete, then the most specific condition and marketplace, then what helps most."""
    return (
        suggestion.text is None,
        -len(macro.fields.when),
        ANY_MARKETPLACE in macro.fields.marketplace,
        -expected_resolution(measured, macro.id),
        macro.id,
    )
