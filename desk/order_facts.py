"""Order facts out of another system's JSON: which path is which fact is the seller's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from desk import DeskError
from desk.json_path import NotTextError, PathText, first_text
from desk.mapping import ColumnMapping
from desk.order_table import AS_OF, EMAIL, FACT_NAME, ORDER_ID, POSTCODE, OrderFacts
from desk.tables import storable
from desk.ticket import MAX_FIELD


class OrderDataError(DeskError):
    """Another system's answer about an order cannot be used; the message names the path."""


class FactPaths(BaseModel):
    """How an order is read from JSON.

    ``paths``: candidates per fact (``order.id``, ``shipment.carrier``, ``buyer.email``, ...; ``as_of`` for the moment
    that the facts are of), the first that is there wins. ``values``: per fact, their word (any case) to ours; an empty
    one drops it. ``date_formats`` and ``timezone`` are for ``as_of``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: dict[str, tuple[PathText, ...]]
    values: dict[str, dict[str, str]] = {}
    date_formats: tuple[str, ...] = ()
    timezone: str = "UTC"

    @field_validator("paths", "values")
    @classmethod
    def _fact_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        if odd := [name for name in value if name != AS_OF and not FACT_NAME.fullmatch(name)]:
            raise ValueError(f"{', '.join(odd)}: not a fact name; use dotted lower-case names such as shipment.carrier")
        return value

    @field_validator("paths", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: (paths,) if isinstance(paths, str) else paths for name, paths in value.items()}

    def read(self, document: Any, order_id: str | None = None) -> OrderFacts:
        """The order in ``document``. ``order_id`` is the one asked for, where the document need not name it.

        Raises `OrderDataError`.
        """
        try:
            told = {name: first_text(document, paths) for name, paths in self.paths.items()}
        except NotTextError as error:
            raise OrderDataError(f"{error.path}: {error}") from error
        facts = {name: self._word(name, text) for name, text in storable(told).items() if text}
        facts = {name: text for name, text in facts.items() if text}
        found_id = order_id or facts.get(ORDER_ID)
        if not found_id:
            wanted = ", ".join(self.paths.get(ORDER_ID, ())) or f"no path is given for {ORDER_ID}"
            raise OrderDataError(f"the order has no id ({wanted})")
        if len(found_id) > MAX_FIELD:
            raise OrderDataError(f"{ORDER_ID} has {len(found_id):,} characters; the limit is {MAX_FIELD}")
        as_of = self._as_of(facts.pop(AS_OF, None))
        email, postcode = facts.pop(EMAIL, None), facts.pop(POSTCODE, None)
        return OrderFacts(found_id, facts | {ORDER_ID: found_id}, as_of, email, postcode)

    def _word(self, name: str, text: str) -> str:
        words = {theirs.casefold(): ours for theirs, ours in self.values.get(name, {}).items()}
        return words.get(text.casefold(), text)

    def _as_of(self, text: str | None) -> datetime:
        if text is None:
            return datetime.now(UTC)
        dates = ColumnMapping(name="orders", columns={}, date_formats=self.date_formats, timezone=self.timezone)
        try:
            return min(dates.moment(text), datetime.now(UTC))
        except (ValueError, OverflowError) as error:
            raise OrderDataError(f"{AS_OF} ({', '.join(self.paths[AS_OF])}): {error}") from error
