import re


def test_the_report_shows_the_shift_that_the_sample_tells(client):
    quarters = [
        client.get("/v1/reports/top-reasons", params={"from": start, "to": end}).json()
        for start, end in (("2026-04-01", "2026-07-01"), ("2026-07-01", "2026-10-01"))
    ]
    shares = [{line["reason"]: line["share"] for line in quarter["reasons"]} for quarter in quarters]
    assert shares[1]["tracking_update"] > 1.3 * shares[0]["tracking_update"]
    assert shares[1]["invoice_request"] < 0.6 * shares[0]["invoice_request"]
    for quarter in quarters:
        assert quarter["total"] == quarter["with_reason"] + quarter["other"] + quarter["undecided"]
        assert quarter["undecided"] < 0.5 * quarter["total"]


def test_a_window_that_ends_before_it_starts_is_explained(client):
    answer = client.get("/v1/reports/top-reasons", params={"from": "2026-05-01", "to": "2026-04-01"})
    assert answer.status_code == 422
    assert "ends on 2026-04-01" in answer.json()["detail"]
    assert client.get("/v1/reports/top-reasons", params={"from": "yesterday"}).status_code == 422
    for window in ({"from": "9999-12-31"}, {"to": "0001-01-01"}, {"from": "0001-01-01", "to": "9999-12-31"}):
        assert client.get("/v1/reports/top-reasons", params=window).status_code in {200, 422}
    assert client.get("/v1/console/tickets", params={"offset": 10**30}).status_code == 422


def test_pages_load_nothing_from_elsewhere(client):
    for path in ("/", "/console", "/report", "/docs"):
        page = client.get(path)
        assert page.status_code == 200, path
        sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert not [
            source for source in sources if source.startswith(("http", "//")) and "//testserver/" not in source
        ], path
        assert "content-security-policy" in page.headers or path == "/docs"


def test_the_openapi_document_describes_the_public_routes(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path in (
        "/v1/tag", "/v1/tickets", "/v1/tickets/{ticket_id}/suggestions", "/v1/chat/sessions",
        "/v1/chat/sessions/{session_id}/messages", "/v1/reports/top-reasons",
    ):  # fmt: skip
        assert path in paths


def test_ready_names_the_model(client):
    ready = client.get("/readyz").json()
    assert ready["status"] == "ready"
    assert ready["model"].startswith("reasons/")
