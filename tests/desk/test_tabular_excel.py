"""Workbooks as people send them. `workbooks/` holds one in each format that no installed library writes."""

import csv
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.database import open_database
from desk.importer import import_file
from desk.inbox import Desk
from desk.mapping import load_preset
from desk.order_table import OrderTable, load_orders
from desk.table_rows import Problem
from desk.tabular import TableError, open_table
from desk.workbook import text_of_cell
from service.commands import deskwork
from service.settings import load_settings

WORKBOOKS = Path(__file__).parent / "workbooks"
HEADER = ["Ticket ID", "Message", "Created", "Order ID"]
KNOWN = load_preset("generic").known_columns


@pytest.fixture
def book(tmp_path):
    def make(sheets, name="export.xlsx", arrange=lambda book: None):
        made = openpyxl.Workbook()
        made.remove(made.active)
        for title, rows in sheets.items():
            sheet = made.create_sheet(title)
            for row in rows:
                sheet.append(row)
        arrange(made)
        made.save(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def sqlite_desk(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/desk.db")
    yield Desk(database)
    database.close()


def rows(path, **options):
    return list(open_table(path, known_columns=KNOWN, **options).rows())


@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_old_excel_and_open_document_are_read_like_excel(suffix, sqlite_desk, tmp_path):
    path = WORKBOOKS / f"tickets.{suffix}"
    result = import_file(sqlite_desk, path, rejects_path=tmp_path / "rejects.csv")
    assert (result.read, result.imported, result.rejected) == (2, 2, 0)
    found = [view.ticket for view in sqlite_desk.open_tickets()]
    assert [(ticket.external_id, ticket.body, ticket.order_id) for ticket in found] == [
        ("1001", "Où est mon colis ?", "5551234"),
        ("1002", "Broken", "026-1234567-1234567"),
    ]
    assert [ticket.created_at.isoformat() for ticket in found] == [
        "2026-03-01T09:30:00+00:00",
        "2026-03-02T00:00:00+00:00",
    ]


def test_a_workbook_is_imported_once_on_both_databases_and_refused_rows_name_sheet_and_row(desk, book):
    path = book({"Tickets": [HEADER, [1, "Where is it?", datetime(2026, 3, 1, 9, 30), 123], [],
                             [2, "", datetime(2026, 3, 1), 124], [3, "Broken", "yesterday", None]]})  # fmt: skip
    result = import_file(desk, path)
    assert (result.read, result.imported, result.rejected) == (3, 1, 2)
    with result.rejects_file.open(newline="", encoding="utf-8") as file:
        refused = list(csv.DictReader(file))
    assert [(row["line"], row["field"]) for row in refused] == [("Tickets!4", "body"), ("Tickets!5", "created_at")]
    assert refused[1]["raw"].split("\t")[:3] == ["3", "Broken", "yesterday"]
    again = import_file(desk, path)
    assert (again.imported, again.duplicates) == (0, 1)


def test_numbers_dates_times_and_truth_are_typed_as_the_parsers_expect(book):
    cells = [12345678, 7.5, True, datetime(2026, 3, 1, 9, 30, 15), date(2026, 3, 2), time(1, 2, 3),
             timedelta(hours=30, minutes=5), "  text\nof two lines", "00123"]  # fmt: skip
    path = book({"S": [["Body", *[f"c{n}" for n in range(9)]], ["x", *cells]]})
    [row] = rows(path)
    assert list(row.values.values()) == [
        "x", "12345678", "7.5", "true", "2026-03-01 09:30:15", "2026-03-02", "01:02:03", "30:05:00",
        "  text\nof two lines", "00123",
    ]  # fmt: skip
    assert row.place == "S!2"


def test_the_sheet_with_the_fitting_header_is_read_below_its_title_and_beside_empty_columns(book):
    cover, table = (
        [["Support report"], ["March"]],
        [["Report of March"], [], [None, *HEADER], [None, 1, "Hi", "2026-03-01", 5]],
    )
    path = book({"Cover": cover, "Data": table, "Notes": [["Message"], ["see above"]]})
    opened = open_table(path, known_columns=KNOWN)
    assert opened.columns == tuple(HEADER)
    [row] = opened.rows()
    assert (row.place, row.values["Message"], row.values["Order ID"]) == ("Data!4", "Hi", "5")
    assert "'Data'" in opened.notices[0]
    assert "Cover, Notes (--sheet NAME)" in opened.notices[0]
    assert [row.values for row in rows(path, sheet="Notes")] == [{"Message": "see above"}]
    with pytest.raises(TableError, match="its sheets are: Cover, Data, Notes"):
        open_table(path, sheet="Sheet1")


def test_a_hidden_sheet_is_read_only_when_it_is_named(book):
    def hide(made):
        made["Old"].sheet_state = "hidden"

    path = book({"Old": [HEADER, [1, "old", None, None]], "New": [HEADER, [2, "new", None, None]]}, arrange=hide)
    assert [row.values["Message"] for row in rows(path)] == ["new"]
    assert [row.values["Message"] for row in rows(path, sheet="Old")] == ["old"]


def test_a_cell_merged_over_rows_holds_for_each_and_a_merged_title_is_no_ticket(book, sqlite_desk):
    def merge(made):
        made["S"].merge_cells("D2:D3")
        made["S"].merge_cells("A4:D4")

    table = [HEADER, [1, "a", "2026-03-01", 77], [2, "b", "2026-03-01", None], ["April"], [3, "c", "2026-03-01", 78]]
    path = book({"S": table}, arrange=merge)
    assert [row.values["Order ID"] for row in rows(path)] == ["77", "77", "", "78"]
    result = import_file(sqlite_desk, path)
    assert (result.imported, result.rejected) == (3, 1)


def test_the_value_of_a_formula_is_taken_and_its_error_refused_where_the_column_counts(book):
    def errors(made):
        for cell in ("B3", "E2"):
            made["S"][cell] = "#N/A"
            made["S"][cell].data_type = "e"

    table = [[*HEADER, "margin"], [1, "a", None, 5, 0], [2, "b", None, 6, 0.5]]
    first, second = rows(book({"S": table}, arrange=errors))
    assert (first.problem, first.values["Message"]) == (None, "a")
    assert second.problem == Problem("Message", "holds #N/A, the error of a formula")
    assert second.place == "S!3"


def test_an_id_that_lost_digits_as_a_number_is_refused_not_guessed(book):
    [row] = rows(book({"S": [HEADER, [1, "a", None, 12345678901234567]]}))
    assert row.problem is not None
    assert row.problem.field == "Order ID"
    assert "15 digits" in row.problem.reason
    assert rows(book({"S": [HEADER, [1, "a", None, 123456789012345]]}))[0].values["Order ID"] == "123456789012345"


def test_orders_are_loaded_from_a_workbook(book, database, tmp_path):
    table = [["order.id", "shipment.carrier", "buyer.postcode", "as_of"], [1001, "DHL", 10115, datetime(2026, 3, 1)]]
    load = load_orders(database, book({"Orders": table}))
    assert (load.loaded, load.rejected) == (1, 0)
    found = OrderTable(database).verify("1001", "10115")
    assert found is not None
    assert (found.facts["shipment.carrier"], found.as_of.isoformat()) == ("DHL", "2026-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook"),
        (b"PK\x05\x06" + bytes(18), "binary|Excel|NUL"),
    ],
)
def test_a_damaged_workbook_is_an_error_that_says_what_to_do(tmp_path, content, said):
    path = tmp_path / "export.xlsx"
    path.write_bytes(content)
    with pytest.raises(TableError, match=said) as refused:
        open_table(path)
    assert "CSV" in str(refused.value)


def test_a_workbook_without_a_value_and_a_sheet_of_a_text_file_are_errors(book, tmp_path):
    with pytest.raises(TableError, match="no header row"):
        open_table(book({"S": []}))
    text = tmp_path / "t.csv"
    text.write_text("id,body\n1,x\n")
    with pytest.raises(TableError, match="--sheet"):
        open_table(text, sheet="S")


def test_a_workbook_that_unpacks_to_more_than_fits_is_refused(book, monkeypatch):
    path = book({"S": [HEADER, *[[n, "x" * 200, None, None] for n in range(300)]]})
    monkeypatch.setattr("desk.workbook.MAX_BYTES", 50_000)
    assert path.stat().st_size < 50_000
    with pytest.raises(TableError, match="the limit is 50,000"):
        open_table(path)


def test_the_command_reads_the_sheet_that_is_named(book, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PARETODESK_HOME", str(tmp_path / "home"))
    assert load_settings().home == tmp_path / "home"
    path = book({"A": [HEADER, [1, "a", None, None]], "B": [HEADER, [2, "b", "2026-03-01", None]]})
    deskwork.import_tickets(path, sheet="B", tags=False, json=True)
    assert '"imported": 1' in capsys.readouterr().out


CELLS = st.one_of(
    st.integers(-(10**14), 10**14), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans(),
    st.datetimes(), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=999)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_every_cell_becomes_text_and_whole_numbers_have_no_point(cell):
    text = text_of_cell(float(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell)
    assert isinstance(text, str)
    if isinstance(cell, int) and not isinstance(cell, bool):
        assert text == str(cell)
