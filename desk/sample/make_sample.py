"""Compose the sample's tickets and orders from its parts: ``python -m desk.sample.make_sample [FOLDER]``.

The same seed and parts give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from desk.sample.broken_rows import dirty_csv
from desk.sample.catalogue import FOLDER, PARTS, load_catalogue
from desk.sample.tickets import TicketDesk

SEED = 20260401
TICKET_COLUMNS = (
    "Ticket ID", "Created At", "Channel", "Marketplace", "Customer Name", "Customer Email", "Order ID", "ASIN",
    "Product", "Carrier", "Subject", "Message", "First Response At", "Resolved At", "Agent", "CSAT",
    "Handle Time (s)", "Macro",
)  # fmt: skip
ORDER_COLUMNS = (
    "order.id", "buyer.name", "buyer.email", "buyer.postcode", "order.date", "order.fulfilment", "order.country",
    "item.title", "item.asin", "item.sku", "item.price", "item.warranty_end", "shipment.carrier",
    "shipment.tracking", "shipment.status", "shipment.state", "shipment.shipped_at", "shipment.eta",
    "shipment.delivered_at", "shipment.proof", "return.window_end", "return.rma", "refund.status",
    "refund.amount", "refund.date", "invoice.number", "payment.status", "as_of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """The composed files as bytes, and the reason of each ticket in the order of the rows, which no file shows."""

    tickets: bytes
    orders: bytes
    dirty: bytes
    reasons: tuple[str, ...]

    @property
    def files(self) -> dict[str, bytes]:
        """File name to content."""
        return {"tickets.csv": self.tickets, "orders.csv": self.orders, "dirty.csv": self.dirty}


def make_sample(seed: int = SEED) -> Sample:
    """Compose the sample. Raises ValueError when the messages do not suffice for the volumes."""
    desk = TicketDesk(load_catalogue(), random.Random(seed))  # noqa: S311  # invents people, hides no secret
    tickets = desk.compose()
    rows = [ticket.row for ticket in tickets]
    demo = _demo_orders()
    orders = [*demo, *(order.row() for order in desk.orders.values())]
    return Sample(
        tickets=_csv(TICKET_COLUMNS, rows),
        orders=_csv(ORDER_COLUMNS, orders),
        dirty=dirty_csv(TICKET_COLUMNS, rows),
        reasons=tuple(ticket.reason for ticket in tickets),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sample's files into a folder, by default the shipped one."""
    parser = argparse.ArgumentParser(prog="python -m desk.sample.make_sample", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    given = parser.parse_args(arguments)
    sample = make_sample(given.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, content in sample.files.items():
        (given.folder / name).write_bytes(content)
    print(f"{given.folder}: {len(sample.reasons):,} tickets and their orders")


def _demo_orders() -> list[dict[str, str]]:
    with (PARTS / "demo_orders.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    main()
