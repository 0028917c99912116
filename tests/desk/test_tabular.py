import pytest

from desk.tabular import Table, open_table


@pytest.fixture
def table(tmp_path):
    def write(content: bytes) -> Table:
        path = tmp_path / "export.csv"
        path.write_bytes(content)
        return open_table(path, known_columns=("id", "body"))

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(table, delimiter):
    rows = [["id", "created_at", "body"], ["1", "2026-07-01", "a, b; c"]]
    text = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    assert [row.values["body"] for row in table(text.encode()).rows()] == ["a, b; c"]


def test_excels_hint_about_the_delimiter_is_no_row(table):
    opened = table(b"sep=;\nid;body\n1;a\n")
    assert opened.columns == ("id", "body")
    assert [(row.line, row.values) for row in opened.rows()] == [(3, {"id": "1", "body": "a"})]


@pytest.mark.parametrize(
    ("encoding", "noticed"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("utf-16-le", True), ("cp1252", True)],
)
def test_encodings_are_recognised_and_a_guess_is_said(table, encoding, noticed):
    texts = [
        "Où est mon colis ? Très déçu, ça fait 10 €",
        "Die Größe passt nicht, bitte zurück",
        "El señor no vino",
    ]
    rows = "".join(f'{n},"{text}"\n' for n, text in enumerate(texts))
    opened = table(("id,body\n" + rows).encode(encoding))
    assert [row.values["body"] for row in opened.rows()] == texts
    assert bool(opened.notices) is noticed


def test_a_stray_quote_that_swallowed_good_rows_gives_them_back(table):
    rows = list(table(b'id,body\n1,"open\n2,b\n3,c\n4,"d",5\n6,e\n').rows())
    assert [(row.line, row.problem is None) for row in rows] == [
        (2, False),
        (3, True),
        (4, True),
        (5, False),
        (6, True),
    ]


def test_trailing_empty_columns_are_no_mistake(table):
    assert [row.values for row in table(b"id,body,,\n1,a,,\n2,b\n,,,\n").rows()] == [
        {"id": "1", "body": "a"},
        {"id": "2", "body": "b"},
    ]
