import csv
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from desk.importer import ImportResult, import_file
from desk.ledger import Decision, EventKind, Status
from desk.mapping import MappingError, load_preset, preset_names
from desk.tabular import TableError
from desk.tagging import TaggerUnavailableError


@pytest.fixture
def file(tmp_path):
    def write(content, name="export.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rejects(result: ImportResult) -> list[dict[str, str]]:
    if result.rejects_file is None:
        return []
    with result.rejects_file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def bodies(desk) -> list[str]:
    return sorted(view.ticket.body for view in desk.open_tickets(1000))


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.read, result.imported, result.duplicates, result.rejected


def test_good_rows_are_loaded_and_bad_rows_go_to_a_file_with_line_field_and_reason(desk, file):
    big = "x" * (1024 * 1024 + 1)
    path = file(
        "id,created_at,body\n"
        '1,2026-07-01,"two\nlines, and a ""quote"""\n'
        "2,yesterday,bad date\n"
        "3,2026-07-01,  \n"
        f"4,2026-07-01,{big}\n"
        "5,2026-07-01,one,too many\n"
        "6,2026-07-01\n"
        "\n"
        "7,2026-07-02,last"
    )
    result = import_file(desk, path)
    assert counts(result) == (7, 2, 0, 5)
    assert bodies(desk) == ["last", 'two\nlines, and a "quote"']
    assert result.rejects_file == path.with_name("export.rejects.csv")
    assert [(row["line"], row["field"]) for row in rejects(result)] == [
        ("4", "created_at"),
        ("5", "body"),
        ("6", "body"),
        ("7", ""),
        ("8", ""),
    ]
    said = [row["reason"] for row in rejects(result)]
    assert "--date-format" in said[0]
    assert said[1] == "there is no text"
    assert "1,048,577 bytes" in said[2]
    assert "has 4 columns, the header has 3" in said[3]
    assert rejects(result)[3]["raw"] == "5,2026-07-01,one,too many"


def test_importing_twice_imports_nothing_twice(desk, file):
    path = file("id,created_at,body\n1,2026-07-01,a\n2,2026-07-01,b\n")
    assert counts(import_file(desk, path)) == (2, 2, 0, 0)
    assert counts(import_file(desk, path)) == (2, 0, 2, 0)


def test_rows_without_an_id_are_recognised_by_what_they_say(desk, file):
    path = file("created_at,body\n2026-07-01,a\n2026-07-01,b\n2026-07-02,a\n")
    assert import_file(desk, path).imported == 3
    assert counts(import_file(desk, path)) == (3, 0, 3, 0)


def test_a_file_without_dates_is_dated_now_and_says_so(desk, file):
    path = file("id,body\n1,a\n")
    result = import_file(desk, path)
    assert "no column with dates" in result.notices[0]
    assert (datetime.now(UTC) - desk.coverage().first).total_seconds() < 60
    assert counts(import_file(desk, path)) == (1, 0, 1, 0)


def test_ids_that_overlap_with_another_system_are_noticed(desk, file):
    import_file(desk, file("id,body\n1,from one system\n"))
    result = import_file(desk, file("id,body\n1,from another\n", "other.csv"))
    assert result.duplicates == 1
    assert any("--source NAME" in notice for notice in result.notices)
    assert import_file(desk, file("id,body\n1,from another\n", "other.csv"), source="other").imported == 1


def test_a_few_bad_bytes_cost_only_their_rows(desk, file):
    path = file("id,body\n1,déjà vu\n2,caf".encode() + b"\xe9\n3,nul\x00\n4,\xc3\xa9t\xc3\xa9\n")
    result = import_file(desk, path)
    assert bodies(desk) == ["déjà vu", "été"]
    assert [row["reason"] for row in rejects(result)] == [
        "the byte \\xe9 is not utf-8",
        "contains a NUL byte",
    ]
    assert rejects(result)[0]["raw"] == "2,caf\\xe9"
    assert "1 bytes are not UTF-8" in result.notices[0]


def test_an_encoding_can_be_given(desk, file):
    path = file("id,body\n1,Łódź\n".encode("cp1250"))
    assert import_file(desk, path, encoding="cp1250").notices[0].count("no column with dates") == 1
    assert bodies(desk) == ["Łódź"]
    with pytest.raises(TableError, match="'klingon' is not a text encoding"):
        import_file(desk, path, encoding="klingon")


def test_a_stray_quote_costs_one_row_not_the_rest_of_the_file(desk, file):
    rows = [f"{n},2026-07-01,text {n}" for n in range(8)]
    rows[2] = '2,2026-07-01,"never closed'
    rows[5] = '5,2026-07-01,"closed" and more'
    result = import_file(desk, file("id,created_at,body\n" + "\n".join(rows) + "\n"))
    assert (result.imported, result.rejected) == (7, 1)
    assert rejects(result)[0]["line"] == "4"
    assert "never closed" in rejects(result)[0]["reason"]
    unclosed = file('id,created_at,body\n1,2026-07-01,a\n2,2026-07-01,"open\n3,2026-07-01,b\n', "end.csv")
    assert counts(import_file(desk, unclosed, source="end")) == (3, 2, 0, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n \n", "is empty"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (bytes(range(256)) * 20, "looks binary"),
        (
            b"col,words\n1,2\n",
            "no column for the required field 'body'.*Found: col, words.*Wanted.*--map \"body=words\"",
        ),
    ],
)
def test_a_file_that_is_no_table_is_an_error_that_says_why(desk, file, content, said):
    with pytest.raises((TableError, MappingError), match=said):
        import_file(desk, file(content))
    assert desk.coverage().tickets == 0


def test_a_missing_file_and_a_folder_are_errors(desk, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(TableError, match=r"no such file|cannot be read"):
            import_file(desk, path)


def test_a_json_array_is_refused_with_a_remedy(desk, file):
    with pytest.raises(TableError, match="jq -c"):
        import_file(desk, file('[{"body": "a"}]', "export.json"))


def test_a_json_document_over_many_lines_is_refused(desk, file):
    with pytest.raises(TableError, match="one object per line"):
        import_file(desk, file('{\n "body": "a"\n}\n', "export.json"))


def test_columns_are_mapped_by_hand_and_wrong_mappings_are_explained(desk, file):
    path = file("tweet_id,when,brand,text\n9,2026-07-01T10:00:00Z,AmazonHelp,where is it\n")
    mapped = {"id": "tweet_id", "created_at": "WHEN", "channel": "brand"}
    assert import_file(desk, path, columns=mapped).imported == 1
    ticket = desk.open_tickets()[0].ticket
    assert (ticket.external_id, ticket.channel, ticket.created_at.hour) == ("9", "AmazonHelp", 10)
    with pytest.raises(MappingError, match="no such column; found: tweet_id, when, brand, text"):
        import_file(desk, path, columns={"body": "Text2"})
    with pytest.raises(MappingError, match="no such field; the fields are id, subject"):
        import_file(desk, path, columns={"bodyy": "text"})


def test_dates_in_the_desks_own_format_and_zone(desk, file):
    path = file("id,created_at,body\n1,03/04/2026 08:00,a\n2,1767225600,b\n3,03/04/0026 08:00,c\n")
    assert import_file(desk, path, source="generic").rejected == 2
    mapping = load_preset("generic").with_date_formats(["%d/%m/%Y %H:%M"], "Europe/Paris")
    import_file(desk, path, mapping, source="paris")
    moments = {view.ticket.body: view.ticket.created_at for view in desk.open_tickets()}
    assert moments["a"] == datetime(2026, 4, 3, 6, tzinfo=UTC)
    assert moments["b"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert "c" not in moments
    for formats, zone in ((["%Q"], None), ([], "Mars/Base")):
        with pytest.raises(MappingError, match="--date-format or --timezone"):
            mapping.with_date_formats(formats, zone)


def test_what_had_happened_before_becomes_events_at_their_own_times(desk, file):
    path = file(
        "id,created_at,body,reason,first_reply_at,resolved_at,agent,csat,handle_seconds,macro,language\n"
        "1,2026-07-01 08:00,a,Tracking-Update,2026-07-01 09:30,2026-07-02 10:00,anna,5,00:04:10,where_is_it,fr-FR\n"
        "2,2026-07-01 08:00,b,,,,,,,,\n"
        "3,2026-07-01 08:00,c,parcels,,,,,,,\n"
        "4,2026-07-01 08:00,d,,2026-06-30,,,,,,\n"
        "5,2026-07-01 08:00,e,,,,,6,,,\n"
        "6,2026-07-01 08:00,f,,,,,,soon,,\n"
    )
    result = import_file(desk, path)
    assert [row["field"] for row in rejects(result)] == ["reason", "first_reply_at", "csat", "handle_seconds"]
    assert "'parcels'; the reasons are: tracking_update" in rejects(result)[0]["reason"]
    view = desk.confirmed_tickets()[0]
    state = view.state
    assert (state.reason, state.confirmed_by, state.status) == (
        "tracking_update",
        "agent:anna",
        Status.RESOLVED,
    )
    assert state.first_reply_at == datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
    assert state.resolved_at == datetime(2026, 7, 2, 10, tzinfo=UTC)
    assert (state.csat, state.handle_seconds, state.macros) == (5, 250.0, ("where_is_it",))
    assert (view.ticket.language, state.assignee) == ("fr", "anna")
    assert [event.kind for event in desk.events(view.ticket.id)] == [
        EventKind.RECEIVED,
        EventKind.ASSIGNED,
        EventKind.MACRO_SENT,
        EventKind.TAG_CONFIRMED,
        EventKind.HANDLED,
        EventKind.RESOLVED,
        EventKind.RATED,
    ]


def test_a_macro_without_a_time_does_not_invent_a_first_response(desk, file):
    import_file(desk, file("id,created_at,body,macro\n1,2026-07-01,a,m\n"))
    state = desk.open_tickets()[0].state
    assert (state.first_reply_at, state.replies, state.macros) == (None, 1, ("m",))


def test_json_lines(desk, file):
    lines = [
        json.dumps({"id": 1, "description": "é", "created_at": "2026-07-01T00:00:00Z", "requester": {"name": "Ann"}}),
        json.dumps({"id": 2, "description": None, "created_at": "2026-07-01T00:00:00Z"}),
        "{broken",
        "[1]",
        "[" * 100_000,
        json.dumps({"id": 3, "description": "b", "created_at": "2026-07-01T00:00:00Z", "via": {"channel": "mail"}}),
    ]
    result = import_file(desk, file("\n".join(lines), "tickets.jsonl"), "zendesk", channel="web")
    assert counts(result) == (6, 2, 0, 4)
    assert [row["line"] for row in rejects(result)] == ["2", "3", "4", "5"]
    tickets = {view.ticket.external_id: view.ticket for view in desk.open_tickets()}
    assert (tickets["1"].customer_name, tickets["1"].channel, tickets["3"].channel) == ("Ann", "web", "mail")


def test_fresh_tickets_are_tagged_and_confirmed_ones_are_left_alone(desk, file, tagger):
    path = file(
        "id,created_at,body,reason\n1,2026-07-01,my parcel,\n2,2026-07-01,hm,\n3,2026-07-01,parcel,refund_status\n"
    )
    assert import_file(desk, path, tagger=tagger).tagged == 2
    states = {view.ticket.external_id: view.state for view in desk.open_tickets()}
    assert (states["1"].reason, states["1"].decision) == ("tracking_update", Decision.TAGGED)
    assert states["2"].decision is Decision.UNDECIDED
    assert (states["3"].reason, states["3"].model) == ("refund_status", None)


def test_an_unavailable_tagger_does_not_stop_an_import(desk, file):
    class Broken:
        def tag_many(self, texts):
            raise TaggerUnavailableError("no model")

    result = import_file(desk, file("id,body\n1,a\n"), tagger=Broken())
    assert (result.imported, result.tagged) == (1, 0)
    assert any("wait as undecided" in notice and "no model" in notice for notice in result.notices)


def test_progress_reaches_the_end(desk, file):
    seen = []
    import_file(desk, file("id,body\n" + "".join(f"{n},text\n" for n in range(1200))), progress=seen.append)
    assert [step.read for step in seen] == [500, 1000, 1200]
    assert seen[-1].bytes_done == seen[-1].bytes_total
    assert seen[-1].imported == 1200


def test_the_rejects_file_never_overwrites_the_import(desk, file):
    path = file("id,body\n1,\n", "x.rejects.csv")
    with pytest.raises(TableError, match="would overwrite"):
        import_file(desk, path, rejects_path=path)
    with pytest.raises(TableError, match="choose another --rejects"):
        import_file(desk, path, rejects_path=path.parent / "missing" / "r.csv")


def test_every_preset_loads_and_can_map_a_body():
    assert preset_names() == ("edesk", "freshdesk", "generic", "gorgias", "sample", "zendesk")
    for name in preset_names():
        assert load_preset(name).columns["body"]
    with pytest.raises(MappingError, match=r"no preset 'desk\.com'; use one of edesk"):
        load_preset("desk.com")


CELL = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b'"', b'""', b'"a\nb"', b'"a', b"\r", b"2026-07-01", b"\xff", b"\x00", b"{}", b"caf\xc3\xa9"]),
)
ROW = st.lists(CELL, min_size=1, max_size=5).map(b",".join)
HEADER = st.sampled_from(
    [b"id,created_at,body", b"body", b"\xef\xbb\xbfid;body", b"id,body,reason,csat", b"sep=,\nid,body"]
)
DIRTY = st.tuples(HEADER, st.lists(ROW, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"])).map(
    lambda parts: parts[2].join([parts[0], *parts[1]])
)


@given(content=st.one_of(DIRTY, st.binary(max_size=300)), name=st.sampled_from(["x.csv", "x.jsonl"]))
@example(content=b'body\n"a\n"b\n"', name="x.csv")
@example(content=b"\xff\xfe", name="x.csv")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_bytes_every_row_is_accounted_for(desk, file, content, name):
    path = file(content, name)
    path.with_name("x.rejects.csv").unlink(missing_ok=True)
    before = desk.coverage().tickets
    try:
        result = import_file(desk, path)
    except (TableError, MappingError):
        assert desk.coverage().tickets == before
        return
    assert result.read == result.imported + result.duplicates + result.rejected
    assert desk.coverage().tickets == before + result.imported
    assert len(rejects(result)) == result.rejected
    again = import_file(desk, path)
    assert (again.read, again.imported, again.rejected) == (result.read, 0, result.rejected)
