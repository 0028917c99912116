"""Order facts for the chat: only with proof, and with what a macro needs beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from desk.database import Database
from desk.order_table import OrderFacts, OrderSource, OrderTable
from desk.tables import orders
from kb.placeholders import starter_vocabulary


class OrderLookup:
    """Asks the `OrderSource`. An unknown order and a wrong proof are the same None, after the same work.

    ``answer_by`` tells by when somebody with a contact reason is owed an answer.
    """

    def __init__(
        self,
        source: OrderSource,
        shop: str,
        answer_by: Callable[[str], datetime],
        holds_orders: Callable[[], bool],
    ) -> None:
        self._source = source
        self._shop = shop
        self._answer_by = answer_by
        self._holds_orders = holds_orders

    def available(self) -> bool:
        """Whether it makes sense to ask a customer for an order."""
        return self._holds_orders()

    def proven(self, order_id: str, proof: str) -> OrderFacts | None:
        """The order if e-mail address or postcode is its buyer's."""
        return self._source.verify(order_id, proof)

    def known(self, order_id: str) -> OrderFacts | None:
        """An order whose proof was given earlier in the same session."""
        return self._source.facts(order_id)

    def facts(self, order: OrderFacts, signature: str, reason: str) -> dict[str, object]:
        """The order's facts, what follows from them today, who answers and by when."""
        known: dict[str, object] = {
            "agent.name": signature,
            "shop.name": self._shop,
            "reply.deadline": self._answer_by(reason).date().isoformat(),
            **order.facts,
            "order.id": order.order_id,
        }
        return starter_vocabulary().with_derived(known)


def holds_orders(database: Database, source: OrderSource) -> bool:
    """Whether ``source`` may know any order: the table when one is loaded, others always. Raises `DatabaseError`."""
    if not isinstance(source, OrderTable):
        return True
    with database.session(read_only=True) as session:
        return session.execute(sa.select(orders.c.order_id).limit(1)).first() is not None
