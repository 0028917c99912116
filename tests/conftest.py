"""What the tests of several packages share: the real encoder, the starter corpus, a small and the starter model."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from classifier.encoders import Encoder, UniversalEncoder
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ReasonModel
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, Taxonomy, starter_taxonomy
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import STARTER_CORPUS, Example, as_labelled, load_corpus
from training.fitting import Settings, fit
from training.retraining import Outcome, retrain

SMALL_REASONS = (
    "tracking_update",
    "return_request",
    "product_question",
    "invoice_request",
    "thanks",
    "safety_or_counterfeit",
    "legal_or_ip",
    "other",
)
SMALL_SHARE = 12


@dataclass(frozen=True)
class StarterStore:
    """Where the starter model lies, the key that it was signed with, and what retraining said of it."""

    store: Path
    key: Path
    outcome: Outcome


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return UniversalEncoder(threads=2)


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return starter_taxonomy()


@pytest.fixture(scope="session")
def human_only(taxonomy: Taxonomy) -> frozenset[str]:
    return taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)


@pytest.fixture(scope="session")
def corpus(taxonomy: Taxonomy) -> list[Example]:
    return load_corpus(STARTER_CORPUS, taxonomy)


@pytest.fixture(scope="session")
def small_examples() -> list[Example]:
    """The first English tickets of a few reasons; read by itself, so that a slip elsewhere costs nothing."""
    examples = []
    for reason in SMALL_REASONS:
        lines = (STARTER_CORPUS / "en" / f"{reason}.jsonl").read_text(encoding="utf-8").split("\n")
        for number, row in enumerate(map(json.loads, lines[:SMALL_SHARE])):
            channel, subject = row["channel"], row.get("subject") or ""
            name = f"{reason}-{number}"
            examples.append(Example(name, reason, "en", channel, subject, row["body"], name))
    assert set(Counter(example.reason for example in examples).values()) == {SMALL_SHARE}
    return examples


@pytest.fixture(scope="session")
def small_model(encoder: Encoder, small_examples: list[Example], human_only: frozenset[str]) -> ReasonModel:
    """Fitted on a hundred tickets; a third of its tags may be wrong, so that so few can certify it."""
    settings = Settings(target_error=0.3, human_only=human_only)
    return fit(as_labelled(small_examples), encoder, settings).model


@pytest.fixture(scope="session")
def small_tagger(taxonomy: Taxonomy, small_model: ReasonModel) -> Tagger:
    return Tagger(taxonomy, starter_guard(), language_identifier(), small_model, "reasons/small-1")


@pytest.fixture(scope="session")
def starter(
    corpus: list[Example], encoder: Encoder, human_only: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> StarterStore:
    """The whole starter training, about a minute: only for what a small model cannot show."""
    root = tmp_path_factory.mktemp("starter")
    store, key = root / "store", root / "signing.key"
    outcome = retrain(corpus, encoder, Registry(store), SigningKey.read_or_create(key), human_only=human_only)
    return StarterStore(store, key, outcome)


@pytest.fixture(scope="session")
def starter_store(starter: StarterStore) -> tuple[Path, Path]:
    """The store and the key file of the starter model."""
    return starter.store, starter.key


@pytest.fixture(scope="session")
def starter_model(starter: StarterStore) -> ReasonModel:
    return starter.outcome.fitted.model


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for the whole run: Playwright's sync API allows one instance at a time."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()
