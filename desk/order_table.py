"""Order facts: the port, a table filled from CSV, and the proof without which no fact is told.

OrderSourceDownError
    │   another system does not answer; the message says what it did, never a secret or a fact
    └── OrderAnswerError
            it answers, yet what it says of this order cannot be used
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk import DeskError
from desk.database import Database
from desk.mapping import ColumnMapping, MappingError
from desk.rejects import RejectsFile, rejects_path_for
from desk.tables import insert_new, orders, storable
from desk.tabular import Problem, Row, open_table
from desk.ticket import MAX_FIELD

ORDER_ID = "order.id"
EMAIL, POSTCODE, AS_OF = "buyer.email", "buyer.postcode", "as_of"
FACT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
BATCH = 500
US_ZIP4 = re.compile(r"(\d{5})\d{4}")  # after separators are gone; customers type the first five


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What is known about one order: dotted fact names to text, never an empty one, as of a moment."""

    order_id: str
    facts: Mapping[str, str]
    as_of: datetime
    buyer_email: str | None = field(default=None, repr=False)
    postcode: str | None = field(default=None, repr=False)


class OrderSourceDownError(DeskError):
    """The other system gives no usable answer; what is said about an order must come from elsewhere, or wait."""


class OrderAnswerError(OrderSourceDownError):
    """The other system answers, yet not usably for this order; it may well know the next one."""


class OrderSource(Protocol):
    """Where order facts come from."""

    def facts(self, order_id: str) -> OrderFacts | None:
        """The facts for internal use, None for an unknown order.

        Raises `OrderSourceDownError` when the source is down, `DatabaseError` when it is a database that is.
        """

    def verify(self, order_id: str, email_or_postcode: str) -> OrderFacts | None:
        """The facts if the proof fits. None for an unknown order and for a wrong proof alike."""


class OrderTable:
    """`OrderSource` over the table `orders`. Raises `DatabaseError` when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def facts(self, order_id: str) -> OrderFacts | None:
        """The facts for internal use; None for an unknown order."""
        query = sa.select(orders).where(orders.c.order_id == order_id.strip())
        with self._database.session(read_only=True) as session:
            row = session.execute(query).one_or_none()
        return None if row is None else OrderFacts(row.order_id, row.facts, row.as_of, row.buyer_email, row.postcode)

    def verify(self, order_id: str, email_or_postcode: str) -> OrderFacts | None:
        """The facts if the e-mail address or the postcode is the buyer's, compared in constant time."""
        return prove(self.facts(order_id), email_or_postcode)


def prove(found: OrderFacts | None, email_or_postcode: str) -> OrderFacts | None:
    """``found`` if the proof fits it. An unknown order costs the same comparisons as a wrong proof."""
    email = _same(_email(email_or_postcode), _email(found.buyer_email if found else None))
    postcode = _same(_postcode(email_or_postcode), _postcode(found.postcode if found else None))
    return found if email | postcode else None


def known_order(session: Session, order_id: str) -> sa.Row[Any] | None:
    """The stored row of an order, held against other writers."""
    return session.execute(sa.select(orders).where(orders.c.order_id == order_id).with_for_update()).one_or_none()


def store_orders(session: Session, found: Sequence[OrderFacts]) -> int:
    """Store orders, each whole; one of which newer facts are known stays as it is. Returns how many were stored."""
    rows = [
        {
            "order_id": order.order_id,
            "facts": dict(order.facts),
            "buyer_email": order.buyer_email,
            "postcode": order.postcode,
            "as_of": order.as_of,
        }
        for order in found
    ]
    if not rows:
        return 0
    statement = insert_new(session, orders)
    statement = statement.on_conflict_do_update(
        index_elements=[orders.c.order_id],
        set_={column.name: statement.excluded[column.name] for column in orders.c if not column.primary_key},
        where=orders.c.as_of <= statement.excluded.as_of,
    ).returning(orders.c.order_id)
    return len(session.execute(statement, rows).all())


@dataclass(frozen=True, slots=True)
class OrderLoad:
    """What loading an orders file did.

    ``read == loaded + older + rejected``: of ``older`` ones newer facts are known, so they changed nothing.
    ``rejects_file`` is None without rejects.
    """

    read: int
    loaded: int
    older: int
    rejected: int
    rejects_file: Path | None
    notices: tuple[str, ...]


def load_orders(
    database: Database, path: Path, *, encoding: str | None = None, rejects_path: Path | None = None
) -> OrderLoad:
    """Load a CSV or JSON Lines file of orders; an order that is already there gets the new facts, if they are newer.

    The header names the facts (``order.id``, ``shipment.carrier``, ...); ``buyer.email`` and
    ``buyer.postcode`` are the proofs, and ``as_of`` (ISO 8601, default and at most now) says how old a row is.
    Empty cells are no facts. Raises `TableError`, `MappingError` or `DatabaseError`.
    """
    table = open_table(path, encoding=encoding, known_columns=(ORDER_ID,))
    columns = ", ".join(table.columns)
    if ORDER_ID not in table.columns:
        raise MappingError(f"{path}: no column {ORDER_ID!r}; found: {columns}. Rename the column with the order ids")
    if odd := [name for name in table.columns if name != AS_OF and not FACT_NAME.fullmatch(name)]:
        raise MappingError(
            f"{path}: {', '.join(map(repr, odd))}: not a fact name; use dotted lower-case names such as "
            "'shipment.carrier'"
        )
    dates = ColumnMapping(name="orders", columns={})
    read, loaded = 0, 0
    first_lines: dict[str, int] = {}
    batch: list[OrderFacts] = []

    def store() -> int:
        found, batch[:] = tuple(batch), ()
        return database.write(partial(store_orders, found=found)) if found else 0

    with RejectsFile(rejects_path or rejects_path_for(path), path) as rejects:
        for row in table.rows():
            read += 1
            order = row.problem or _order(row, dates, first_lines)
            if isinstance(order, Problem):
                rejects.add(row, order)
                continue
            batch.append(order)
            if len(batch) >= BATCH:
                loaded += store()
        loaded += store()
    file = rejects.path if rejects.count else None
    return OrderLoad(read, loaded, read - loaded - rejects.count, rejects.count, file, table.notices)


def _order(row: Row, dates: ColumnMapping, first_lines: dict[str, int]) -> OrderFacts | Problem:
    facts: dict[str, str] = {name: text.strip() for name, text in storable(dict(row.values)).items() if text.strip()}
    order_id = facts.get(ORDER_ID)
    if order_id is None:
        return Problem(ORDER_ID, "is empty")
    if len(order_id) > MAX_FIELD:
        return Problem(ORDER_ID, f"has {len(order_id):,} characters; the limit is {MAX_FIELD}")
    if order_id in first_lines:
        return Problem(ORDER_ID, f"the order is already in line {first_lines[order_id]}")
    try:
        now = datetime.now(UTC)
        # a clock that runs ahead must not keep later news out
        as_of = min(dates.moment(facts.pop(AS_OF)), now) if AS_OF in facts else now
    except (ValueError, OverflowError) as error:
        return Problem(AS_OF, str(error))
    first_lines[order_id] = row.line
    email, postcode = facts.pop(EMAIL, None), facts.pop(POSTCODE, None)
    return OrderFacts(order_id, facts, as_of, email, postcode)


def _email(text: str | None) -> str:
    return (text or "").strip().casefold()


def _postcode(text: str | None) -> str:
    plain = "".join(ch for ch in (text or "").casefold() if ch.isalnum())
    zip4 = US_ZIP4.fullmatch(plain)
    return zip4.group(1) if zip4 else plain


def _same(offered: str, known: str) -> bool:
    """Constant time in the length of what is known; nothing never equals nothing."""
    digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (offered, known)]
    return hmac.compare_digest(*digests) & bool(offered) & bool(known)
