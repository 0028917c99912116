from datetime import UTC, datetime

import pytest

from desk.mapping import MappingError
from desk.order_table import OrderTable, load_orders

HEADER = "order.id,shipment.carrier,shipment.status,refund.status,buyer.email,buyer.postcode,as_of\n"


@pytest.fixture
def load(database, tmp_path):
    def write(text):
        path = tmp_path / "orders.csv"
        path.write_text(text, encoding="utf-8")
        return load_orders(database, path)

    return write


@pytest.fixture
def table(database, load):
    load(
        HEADER
        + "111-1,DHL,in transit,,Ann@Example.com,sw1a 1aa,2026-07-01T08:00:00Z\n222-2,UPS,,,,94105-1234,\n333-3,,,,,,\n"
    )
    return OrderTable(database)


def test_facts_have_no_blanks_and_no_proofs_and_say_how_old_they_are(table):
    found = table.facts(" 111-1 ")
    assert found.facts == {"order.id": "111-1", "shipment.carrier": "DHL", "shipment.status": "in transit"}
    assert found.as_of == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert "Example.com" not in repr(found)
    assert table.facts("999-9") is None


def test_the_buyers_email_or_postcode_opens_the_facts(table):
    for order, proof in (
        ("111-1", "ann@example.com "),
        ("111-1", "SW1A1AA"),
        ("222-2", "94105"),
        ("222-2", "94105 1234"),
    ):
        assert table.verify(order, proof).order_id == order


def test_a_wrong_proof_and_an_unknown_order_look_the_same(table):
    for order, proof in (
        ("111-1", "bob@example.com"),
        ("111-1", "94105"),
        ("111-1", ""),
        ("111-1", "  - "),
        ("333-3", ""),  # no proof is stored: nothing opens it
        ("333-3", "None"),
        ("999-9", "ann@example.com"),
        ("999-9", ""),
    ):
        assert table.verify(order, proof) is None, (order, proof)


def test_loading_again_brings_the_facts_up_to_date(table, load):
    result = load("order.id,shipment.status,buyer.email\n111-1,delivered,ann@example.com\n")
    assert (result.read, result.loaded, result.rejected) == (1, 1, 0)
    assert table.facts("111-1").facts["shipment.status"] == "delivered"


def test_older_rows_change_nothing_and_a_clock_that_runs_ahead_keeps_no_later_news_out(table, load):
    older = load("order.id,shipment.status,as_of\n111-1,label printed,2026-06-30T08:00:00Z\n")
    assert (older.read, older.loaded, older.older, older.rejected) == (1, 0, 1, 0)
    assert table.facts("111-1").facts["shipment.status"] == "in transit"
    load("order.id,shipment.status,as_of\n111-1,out for delivery,2999-01-01T00:00:00Z\n")
    assert table.facts("111-1").as_of <= datetime.now(UTC)
    assert load("order.id,shipment.status\n111-1,delivered\n").loaded == 1
    assert table.facts("111-1").facts["shipment.status"] == "delivered"


def test_rows_that_cannot_be_read_go_to_the_rejects_file(load):
    result = load(HEADER + ",DHL,,,,,\n5,DHL,,,,,soon\n6,DHL,,,,,\n6,UPS,,,,,\n7,x\n")
    assert (result.read, result.loaded, result.rejected) == (5, 1, 4)
    said = result.rejects_file.read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[:2] for line in said] == [
        ["2", "order.id"],
        ["3", "as_of"],
        ["5", "order.id"],
        ["6", ""],
    ]
    assert "already in line 4" in said[2]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("order,carrier\n1,2\n", "no column 'order.id'; found: order, carrier"),
        ("order.id,Carrier\n1,2\n", "'Carrier'"),
    ],
)
def test_a_header_that_names_no_facts_is_explained(load, header, said):
    with pytest.raises(MappingError, match=said):
        load(header)
