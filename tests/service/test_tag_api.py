TAG_KEYS = {
    "id", "reason", "confidence", "decision", "autonomy", "reasons",
    "guard", "language", "sentiment", "entities", "model", "urgency", "secondary",
}  # fmt: skip


def test_one_text_gets_one_tag_with_exactly_the_fields_of_the_contract(client):
    body = {"id": "7", "subject": "402-1739284-5582931", "body": "Where is my parcel? It should be here by now."}
    tag = client.post("/v1/tag", json=body).json()
    assert set(tag) == TAG_KEYS
    assert (tag["id"], tag["reason"], tag["decision"], tag["autonomy"]) == (
        "7",
        "tracking_update",
        "tagged",
        "self_service",
    )
    assert tag["entities"]["order_id"] == ["402-1739284-5582931"]
    assert tag["language"] == "en"
    assert tag["reasons"][0] == {"id": "tracking_update", "probability": tag["confidence"]}
    assert tag["model"].startswith("reasons/")


def test_many_texts_are_answered_in_order(client):
    texts = [
        {"id": "a", "body": "Ich möchte den Artikel zurückschicken, wie bekomme ich ein Retourenlabel?"},
        {"id": "b", "body": "Il caricabatterie ha preso fuoco e mi sono bruciato la mano"},
    ]
    tags = client.post("/v1/tag", json={"texts": texts}).json()["tags"]
    assert [tag["id"] for tag in tags] == ["a", "b"]
    assert [tag["language"] for tag in tags] == ["de", "it"]
    assert tags[0]["reason"] == "return_request"
    assert tags[1]["guard"]
    assert tags[1]["autonomy"] == "human_only"


def test_a_message_in_an_unsupported_language_is_undecided(client):
    tag = client.post("/v1/tag", json={"body": "注文した商品がまだ届きません。どこにありますか?"}).json()
    assert tag["decision"] == "undecided"


def test_a_megabyte_of_text_is_tagged_and_more_is_refused_with_the_field(client):
    assert client.post("/v1/tag", json={"body": "Where is my parcel? " * 50_000}).status_code == 200
    refused = client.post("/v1/tag", json={"body": "x" * 1_100_000})
    assert refused.status_code == 422
    assert "body" in refused.json()["detail"]


def test_empty_and_misspelt_requests_are_problem_documents_that_name_the_field(client):
    for request in ({"body": "  \n "}, {"text": "hello"}, {"texts": []}, {"texts": [{"body": "x"}] * 1001}):
        answer = client.post("/v1/tag", json=request)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert {"type", "title", "status", "detail"} <= set(problem)
        assert "body" in str(problem) or "texts" in str(problem)


def test_a_request_that_is_too_large_is_refused_before_it_is_read(client):
    answer = client.post("/v1/tag", content=b"x", headers={"content-length": str(17 * 1024 * 1024)})
    assert answer.status_code == 413


def test_binary_instead_of_json_is_a_problem_document(client):
    answer = client.post("/v1/tag", content=b"\xff\xfe\x00binary", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
