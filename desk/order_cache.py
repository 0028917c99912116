"""Order facts kept for a while in memory, and several order sources asked one after the other."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desk import DeskError
from desk.order_table import OrderAnswerError, OrderFacts, OrderSource, prove

MAX_KEPT = 10_000
"""Orders; about 20 MB."""
DOWN_FOR = 10.0
"""Seconds in which a source that was down is not asked again, so that its timeouts do not add up for those who wait."""


@dataclass(frozen=True, slots=True)
class _Kept:
    found: OrderFacts | None
    at: float


class CachedOrders:
    """An `OrderSource` that remembers another's answers, an unknown order as long as a known one: they look the same.

    An answer is used again for ``fresh`` seconds. While the source is down, an answer of up to ``stale`` seconds stands
    in; its ``as_of`` says how old it is. ``clock`` counts seconds. Safe between threads.
    """

    def __init__(
        self, source: OrderSource, *, fresh: float, stale: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._fresh, self._stale, self._clock = source, fresh, stale, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._down: tuple[float, DeskError] | None = None
        self._entry = threading.Lock()

    def facts(self, order_id: str) -> OrderFacts | None:
        """The facts for internal use, None for an unknown order. Raises as the source does, where nothing stands in."""
        found, problem = self._ask(order_id.strip())
        if found is None and problem is not None:
            raise problem
        return found

    def verify(self, order_id: str, email_or_postcode: str) -> OrderFacts | None:
        """The facts if the e-mail address or the postcode is the buyer's.

        Raises as the source does where it is down and nothing is proven, be the order remembered or not.
        """
        found, problem = self._ask(order_id.strip())
        proven = prove(found, email_or_postcode)
        if proven is None and problem is not None:
            raise problem
        return proven

    def _ask(self, order_id: str) -> tuple[OrderFacts | None, DeskError | None]:
        now = self._clock()
        with self._entry:
            kept, down = self._kept.get(order_id), self._down
        if kept is not None and now - kept.at < self._fresh:
            return kept.found, None
        if down is not None and now - down[0] < DOWN_FOR:
            problem = down[1]
        else:
            try:
                found = self._source.facts(order_id)
            except DeskError as error:
                problem = error.with_traceback(None)
                if not isinstance(error, OrderAnswerError):
                    with self._entry:
                        self._down = (now, problem)
            else:
                self._keep(order_id, found, now)
                return found, None
        usable = kept is not None and now - kept.at < self._stale
        return (kept.found if kept is not None and usable else None), problem

    def _keep(self, order_id: str, found: OrderFacts | None, now: float) -> None:
        with self._entry:
            self._down = None
            self._kept[order_id] = _Kept(found, now)
            self._kept.move_to_end(order_id)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)


class OrderSources:
    """An `OrderSource` that asks several in order; the first that knows the order answers.

    A source that is down is passed over. Raises its error when no other knows the order: it might have.
    """

    def __init__(self, sources: Sequence[OrderSource]) -> None:
        self._sources = tuple(sources)

    def facts(self, order_id: str) -> OrderFacts | None:
        """The facts for internal use; None for an order that every source does not know."""
        problem: DeskError | None = None
        for source in self._sources:
            try:
                found = source.facts(order_id)
            except DeskError as error:
                problem = problem or error
            else:
                if found is not None:
                    return found
        if problem is not None:
            raise problem
        return None

    def verify(self, order_id: str, email_or_postcode: str) -> OrderFacts | None:
        """The facts if the e-mail address or the postcode is the buyer's.

        Every source is asked, so that a known order with a wrong proof takes the same work as an unknown one.
        """
        problem: DeskError | None = None
        proven: OrderFacts | None = None
        for source in self._sources:
            try:
                found = source.verify(order_id, email_or_postcode)
                proven = proven or found
            except DeskError as error:
                problem = problem or error
        if proven is None and problem is not None:
            raise problem
        return proven
