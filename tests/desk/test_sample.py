import csv
import io
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from desk.database import open_database
from desk.importer import import_file
from desk.inbox import Desk
from desk.mapping import load_preset
from desk.order_table import OrderTable, load_orders
from desk.sample.broken_rows import KINDS
from desk.sample.catalogue import FOLDER, load_catalogue
from desk.sample.make_sample import Sample, main, make_sample

ROOT = Path(__file__).parents[2]
DEMO = (
    ("026-1234567-1234567", "anna@example.com", "10115", {"shipment.status": "in_transit"}),
    ("026-2345678-2345678", "ben@example.com", "BS1 4DJ", {"shipment.status": "delayed"}),
    ("171-3456789-3456789", "claire@example.com", "69003", {"shipment.status": "delivered"}),
    ("404-4567890-4567890", "diego@example.com", "28013", {"refund.status": "issued"}),
    ("#15099", "emma@example.com", "20121", {"shipment.state": "not_shipped"}),
)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample()


@pytest.fixture(scope="module")
def tickets() -> list[dict[str, str]]:
    return table("tickets.csv")


@pytest.fixture(scope="module")
def orders() -> dict[str, dict[str, str]]:
    return {row["order.id"]: row for row in table("orders.csv")}


@pytest.fixture
def sqlite(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield database
    database.close()


def table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((FOLDER / name).read_text(encoding="utf-8"))))


def quarter(row: dict[str, str]) -> str:
    return "Q2" if row["Created At"] < "2026-07-01" else "Q3"


def test_the_shipped_files_are_what_the_script_writes(tmp_path, capsys):
    random.seed(3)  # a composition that leaned on the global generator would differ
    main([str(tmp_path)])
    for name in ("tickets.csv", "orders.csv", "dirty.csv"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    assert "1,314 tickets" in capsys.readouterr().out


def test_another_seed_composes_other_tickets_of_the_same_reasons(sample):
    other = make_sample(7)
    assert other.tickets != sample.tickets
    assert Counter(other.reasons) == Counter(sample.reasons)


def test_both_quarters_are_there_and_every_ticket_lies_in_them(tickets):
    counts = Counter(map(quarter, tickets))
    assert len(tickets) >= 1200
    assert min(counts["Q2"], counts["Q3"]) > 550
    assert all("2026-04-01" <= row["Created At"] < "2026-10-01" for row in tickets)


def test_the_tickets_do_not_show_their_reasons(tickets):
    assert not [column for column in tickets[0] if "reason" in column.lower() or "tag" in column.lower()]
    assert "reason" not in load_preset("sample").columns


def test_tickets_and_orders_load_without_rejects(sqlite, tmp_path):
    result = import_file(Desk(sqlite), FOLDER / "tickets.csv", "sample", rejects_path=tmp_path / "t.csv")
    assert (result.read, result.imported, result.rejected, result.notices) == (1314, 1314, 0, ())
    load = load_orders(sqlite, FOLDER / "orders.csv", rejects_path=tmp_path / "o.csv")
    assert (load.rejected, load.loaded) == (0, load.read)
    for order, email, postcode, facts in DEMO:
        for proof in (email, postcode):
            found = OrderTable(sqlite).verify(order, proof)
            assert found is not None
            assert facts.items() <= found.facts.items()


def test_every_field_of_the_preset_is_a_column_of_the_export(tickets, tmp_path):
    mapping = load_preset("sample")
    assert set(mapping.resolve(list(tickets[0]), {}, tmp_path)) == set(mapping.columns)


def test_each_kind_of_broken_row_is_refused_and_the_good_ones_load(sqlite, tmp_path):
    rejects = tmp_path / "rejects.csv"
    result = import_file(Desk(sqlite), FOLDER / "dirty.csv", "sample", rejects_path=rejects)
    assert (result.imported, result.rejected) == (len(KINDS), len(KINDS))
    with rejects.open(encoding="utf-8", newline="") as file:
        fields = {row["field"] for row in csv.DictReader(file)}
    assert fields == {"", "created_at", "body", "resolved_at", "first_reply_at", "csat", "handle_seconds"}


def test_the_story_of_the_readme_is_in_the_data(sample, tickets):
    told = list(zip(sample.reasons, tickets, strict=True))

    def count(reason: str, period: str, **columns: str) -> int:
        return sum(kind == reason and quarter(row) == period and columns.items() <= row.items() for kind, row in told)

    carrier, jars, dock = {"Carrier": "DPD"}, {"ASIN": "B0JR6GLS08"}, {"ASIN": "B0DC11USBC"}
    assert count("tracking_update", "Q3", **carrier) > 3 * count("tracking_update", "Q2", **carrier)
    rise = count("tracking_update", "Q3") - count("tracking_update", "Q2")
    assert rise >= 60
    assert (count("damaged_in_transit", "Q2", **jars), count("damaged_in_transit", "Q3", **jars)) == (15, 45)
    assert (count("product_question", "Q2", **dock), count("product_question", "Q3", **dock)) == (47, 14)
    assert (count("invoice_request", "Q2"), count("invoice_request", "Q3")) == (40, 13)
    moved = {"tracking_update", "damaged_in_transit", "product_question", "invoice_request"}
    for reason in set(sample.reasons) - moved:
        assert abs(count(reason, "Q2") - count(reason, "Q3")) <= 2, reason


def test_a_message_is_used_at_most_three_times_and_no_slot_stays_open(tickets):
    wordings = Counter(message.body for message in load_catalogue().messages)
    assert max(wordings.values()) == 1
    slotless = Counter(row["Message"] for row in tickets if row["Message"] in wordings)
    assert max(slotless.values()) <= 3
    assert not [row for row in tickets if {"{", "}"} & set(row["Subject"] + row["Message"])]


def test_orders_are_consistent_with_their_tickets(sample, tickets, orders):
    named = {row["Order ID"] for row in tickets} - {""}
    assert set(orders) == named | {order for order, *_ in DEMO}
    for reason, row in zip(sample.reasons, tickets, strict=True):
        if not row["Order ID"]:
            continue
        order = orders[row["Order ID"]]
        assert order["order.date"] <= row["Created At"][:10]
        assert (order["buyer.name"], order["item.asin"]) == (row["Customer Name"], row["ASIN"])
        assert order["shipment.carrier"] == row["Carrier"]
        assert order["shipment.shipped_at"] <= (order["shipment.delivered_at"] or "9")
        if reason in ("damaged_in_transit", "not_received", "return_request"):
            assert order["shipment.state"] == "delivered"
            assert order["shipment.delivered_at"] <= row["Created At"][:10]
        if reason == "refund_status":
            assert order["refund.status"] in ("pending", "issued")


def test_order_facts_use_the_vocabulary_of_the_macros(orders):
    text = (ROOT / "kb" / "placeholders.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)["placeholders"]
    for order in orders.values():
        for name, value in order.items():
            if name in ("as_of", "buyer.email", "buyer.postcode"):
                continue
            words = known[name].get("words")
            assert not value or words is None or value in words, (name, value)


def test_macros_are_those_that_ship(tickets):
    shipped = {path.stem for path in (ROOT / "kb" / "starter" / "macros" / "en").glob("*.md")}
    used = {row["Macro"] for row in tickets} - {""}
    assert len(used) > 10
    assert used <= shipped
