"""Rasa's shapes over a small real model: what clients that were written for Rasa send and read."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from models.registry import Registry
from service.current_model import CurrentTagger
from service.wiring import Services

TOKEN = "a-secret-of-24-characters"
GUIDE = Path(__file__).parents[2] / "docs" / "rasa.md"
PARCEL = "Where is my parcel? Order 402-1739284-5582931, UPS 1Z999AA10123456784, it should be here by now."


@pytest.fixture
def client(client_of, small_services: Services) -> Iterator[TestClient]:
    with client_of(small_services) as opened:
        yield opened


@pytest.fixture
def guarded(client_of, small_services: Services) -> Iterator[TestClient]:
    """The service behind a token."""
    settings = small_services.settings.model_copy(update={"console_token": TOKEN})
    with client_of(replace(small_services, settings=settings)) as opened:
        yield opened


@pytest.fixture
def modelless(client_of, small_services: Services, tmp_path: Path) -> Iterator[TestClient]:
    encoder, taxonomy = small_services.encoder, small_services.taxonomy
    tagger = CurrentTagger(Registry(tmp_path / "none"), tmp_path / "no.key", encoder, taxonomy)
    with client_of(replace(small_services, tagger=tagger)) as opened:
        yield opened


def test_a_message_gets_intent_ranking_and_entities_as_rasa_gives_them(client):
    answer = client.post("/model/parse", json={"text": PARCEL, "message_id": "b2831e73"})
    assert answer.status_code == 200
    parsed = answer.json()
    assert list(parsed) == ["text", "intent", "intent_ranking", "entities", "paretodesk"]
    assert parsed["text"] == PARCEL
    assert parsed["intent"]["name"] == "tracking_update"
    assert parsed["intent"] == parsed["intent_ranking"][0]
    confidences = [intent["confidence"] for intent in parsed["intent_ranking"]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)


def test_entities_stand_where_they_are_said_to_stand(client):
    text = f"<p>Hello&nbsp;🙂,</p>\r\n\u200b {PARCEL}"
    entities = client.post("/model/parse", json={"text": text}).json()["entities"]
    assert {entity["entity"]: entity["value"] for entity in entities} == {
        "order_id": "402-1739284-5582931",
        "tracking": "1Z999AA10123456784",
    }
    for entity in entities:
        assert text[entity["start"] : entity["end"]] == entity["value"]
        assert entity["extractor"] == "paretodesk"
    assert next(entity["role"] for entity in entities if entity["entity"] == "tracking") == "ups"


def test_the_tag_stands_beside_rasas_fields_with_its_decision_and_guard(client):
    text = "The charger caught fire and burned my hand, my lawyer will sue you."
    parsed = client.post("/model/parse", json={"text": text}).json()
    tag = client.post("/v1/tag", json={"body": text}).json()
    assert parsed["paretodesk"] == {key: value for key, value in tag.items() if key != "id"}
    assert parsed["paretodesk"]["guard"]
    assert parsed["intent"] == {"name": tag["reason"], "confidence": tag["confidence"]}


def test_an_undecided_message_keeps_its_best_guess_and_says_so_beside_it(client):
    parsed = client.post("/model/parse", json={"text": "注文した商品がまだ届きません。どこにありますか?"}).json()
    assert parsed["intent"]["name"]
    assert parsed["paretodesk"]["decision"] == "undecided"


def test_the_content_type_does_not_matter_as_in_rasas_own_guides(client):
    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers in (form, {"content-type": "text/plain"}, {}):
        answer = client.post("/model/parse", content=b'{"text": "where is my parcel"}', headers=headers)
        assert answer.json()["intent"]["name"] == "tracking_update"


def test_what_rasas_http_interpreter_sends_is_taken(client):
    sent = {"token": None, "text": "where is my parcel", "message_id": None, "metadata": {"channel": "rest"}}
    assert client.post("/model/parse", json=sent).status_code == 200


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_text_gets_the_intent_null(client, text: str):
    answer = client.post("/model/parse", json={"text": text})
    assert answer.status_code == 200
    assert answer.json() == {
        "text": text,
        "intent": {"name": None, "confidence": 0.0},
        "intent_ranking": [],
        "entities": [],
        "paretodesk": None,
    }


def test_a_megabyte_of_text_is_parsed_and_more_is_refused(client):
    assert client.post("/model/parse", json={"text": "Where is my parcel? " * 50_000}).status_code == 200
    refused = client.post("/model/parse", json={"text": "x" * 1_100_000})
    assert refused.status_code == 422
    assert "text" in refused.json()["detail"]
    declared = {"content-length": str(17 * 1024 * 1024)}
    assert client.post("/model/parse", content=b"x", headers=declared).status_code == 413


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "body"),
        (b"not json", "body"),
        (b"\xff\xfe\x00binary", "body"),
        (b'{"text": "\\ud800"}', "body"),
        (b"[]", "body"),
        (b'"hello"', "body"),
        (b"{}", "body.text"),
        (b'{"q": "the parameter of older Rasa"}', "body.text"),
        (b'{"text": null}', "body.text"),
        (b'{"text": ["a", "b"]}', "body.text"),
        (b'{"text": "a", "message_id": 7}', "body.message_id"),
    ],
)
def test_what_is_no_message_is_a_problem_document_that_names_the_field(client, content: bytes, named: str):
    answer = client.post("/model/parse", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["where"] == named
    assert problem["detail"].startswith(named)


def test_other_services_shapes_are_refused_and_not_answered_in_rasas(client):
    answer = client.post("/model/parse", params={"emulation_mode": "LUIS"}, json={"text": "hello"})
    assert answer.status_code == 400
    assert "LUIS" in answer.json()["detail"]


def test_status_names_the_serving_model(client):
    assert client.get("/status").json() == {
        "model_file": "reasons/small",
        "model_id": "reasons/small",
        "num_active_training_jobs": 0,
    }


def test_without_a_model_status_conflicts_and_nothing_is_understood(modelless):
    status = modelless.get("/status")
    assert status.status_code == 409
    assert "paretodesk train" in status.json()["detail"]
    parsed = modelless.post("/model/parse", json={"text": PARCEL}).json()
    assert parsed["intent"] == {"name": None, "confidence": 0.0}
    assert parsed["intent_ranking"] == []
    assert [entity["entity"] for entity in parsed["entities"]] == ["order_id", "tracking"]
    assert parsed["paretodesk"]["decision"] == "undecided"
    assert parsed["paretodesk"]["guard"]


def test_version_is_open_and_one_that_clients_of_rasa_3_accept(guarded):
    said = guarded.get("/version").json()
    assert tuple(map(int, said["version"].split("."))) >= (3, 0, 0)
    assert tuple(map(int, said["minimum_compatible_version"].split("."))) >= (3, 0, 0)
    assert said["paretodesk"]


@pytest.mark.parametrize(
    "shown",
    [
        {"params": {"token": TOKEN}},
        {"headers": {"authorization": f"Bearer {TOKEN}"}},
        {"auth": ("rasa", TOKEN)},
    ],
    ids=["query", "bearer", "basic"],
)
def test_the_token_is_taken_where_clients_show_it(guarded, shown):
    assert guarded.get("/status", **shown).status_code == 200
    assert guarded.post("/model/parse", json={"text": "hello"}, **shown).status_code == 200


def test_rasas_http_interpreter_may_show_its_token_in_the_body(guarded):
    assert guarded.post("/model/parse", json={"text": "hello", "token": TOKEN}).status_code == 200
    assert guarded.post("/model/parse", json={"text": "hello", "token": "wrong"}).status_code == 401


@pytest.mark.parametrize("shown", [{}, {"params": {"token": "wrong"}}, {"headers": {"authorization": "Bearer wrong"}}])
def test_without_the_token_nothing_is_said(guarded, shown):
    for answer in (
        guarded.get("/status", **shown),
        guarded.post("/model/parse", json={"text": "hello"}, **shown),
        guarded.post("/model/parse", content=b"not json", **shown),
    ):
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_token_in_the_query_opens_rasas_routes_only(guarded):
    assert guarded.post("/v1/tag", params={"token": TOKEN}, json={"body": "hello"}).status_code == 401
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/v1/tag", headers=bearer, json={"body": "hello"}).status_code == 200


def test_another_web_page_may_not_ask(client):
    answer = client.post("/model/parse", json={"text": "hello"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_the_openapi_document_shows_rasas_routes_with_the_request_body(client):
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/model/parse"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["text"]
    assert "/status" in paths
    assert "/version" in paths


def requests_of(guide: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every curl command of a guide as method, path and what goes with it."""
    asked = []
    for line in guide.splitlines():
        if not line.startswith("curl "):
            continue
        words = shlex.split(line.replace("$PARETODESK_CONSOLE_TOKEN", TOKEN))[1:]
        url = next(word for word in words if word.startswith("http"))
        options = dict(pairwise(words))
        more: dict[str, Any] = {"headers": {}}
        if "-d" in options:
            more["content"] = options["-d"].encode()
            more["headers"]["content-type"] = "application/x-www-form-urlencoded"
        if "-H" in options:
            name, _, value = options["-H"].partition(": ")
            more["headers"][name] = value
        if "-u" in options:
            more["auth"] = tuple(options["-u"].split(":", 1))
        asked.append(("POST" if "-d" in options else "GET", url.removeprefix("http://127.0.0.1:8000"), more))
    return asked


def test_the_commands_of_the_guide_are_answered(client, guarded):
    asked = requests_of(GUIDE.read_text(encoding="utf-8"))
    assert len(asked) == 6
    for number, (method, path, more) in enumerate(asked):
        # the last three show the token
        answer = (client if number < 3 else guarded).request(method, path, **more)
        assert answer.status_code == 200, path


def test_the_answer_shown_in_the_guide_has_the_shape_of_a_real_one(client):
    shown = json.loads(GUIDE.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0])
    real = client.post("/model/parse", json={"text": shown["text"]}).json()
    assert list(shown) == list(real)
    assert shown["entities"] == real["entities"]
    assert set(shown["intent"]) == set(real["intent"]) == set(real["intent_ranking"][0])
    assert set(shown["paretodesk"]) - {"..."} <= set(real["paretodesk"])
