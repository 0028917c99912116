from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import UNIVERSAL, Encoder, encoder_by_name
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ReasonModel
from classifier.tagger import Tagger
from classifier.taxonomy import Taxonomy
from models.bundle import CARD, BundleError
from models.registry import CHAMPION, Registry
from models.signing import SigningKey
from training.corpus import Example
from training.fitting import FitError
from training.retraining import (
    REASONS_MODEL,
    Outcome,
    champion_encoder,
    data_hash,
    load_model,
    retrain,
    train_any,
)

SAFETY = "safety_or_counterfeit"


class Shop:
    """A registry with a key, retrained on request."""

    def __init__(self, root: Path, encoder: Encoder, human_only: frozenset[str]) -> None:
        self.registry = Registry(root / "store")
        self.key = SigningKey.read_or_create(root / "signing.key")
        self.encoder, self.human_only = encoder, human_only

    def retrain(self, examples: list[Example], replace_unreadable: bool = False) -> Outcome:
        return retrain(
            examples, self.encoder, self.registry, self.key,
            human_only=self.human_only, replace_unreadable=replace_unreadable,
        )  # fmt: skip

    @property
    def serving(self) -> str | None:
        champion = self.registry.champion(REASONS_MODEL)
        return champion.version if champion else None

    def card(self, version: str) -> str:
        return (self.registry.folder(REASONS_MODEL, version) / CARD).read_text(encoding="utf-8")


@pytest.fixture
def shop(tmp_path: Path, encoder: Encoder, human_only: frozenset[str]) -> Shop:
    return Shop(tmp_path, encoder, human_only)


def mislabelled(examples: list[Example]) -> list[Example]:
    """Safety tickets that are learned from carry other reasons, the frozen ones stay right."""
    reasons = sorted({example.reason for example in examples} - {SAFETY})
    chosen = np.random.default_rng(3).choice(reasons, len(examples))
    spared = [example.id for example in examples if example.reason == SAFETY and not example.frozen][:2]
    return [
        replace(example, reason=str(chosen[i]))
        if example.reason == SAFETY and not example.frozen and example.id not in spared
        else example
        for i, example in enumerate(examples)
    ]


def test_the_better_model_serves_the_worse_does_not_and_one_may_go_back(shop: Shop, some: list[Example]) -> None:
    assert shop.serving is None
    first = shop.retrain(mislabelled(some))
    assert shop.serving == first.version
    assert "Promoted." in shop.card(first.version)
    assert "there is no champion yet" in shop.card(first.version)

    second = shop.retrain(some)
    assert second.verdict.promote, second.verdict.because
    assert shop.serving == second.version != first.version

    third = shop.retrain(mislabelled(some))
    assert not third.verdict.promote
    assert third.version in shop.registry.versions(REASONS_MODEL)
    assert shop.serving == second.version
    assert "Refused." in shop.card(third.version)
    assert f"- {SAFETY} (human-only) recall falls" in shop.card(third.version)

    model, name = load_model(shop.registry, shop.key, REASONS_MODEL)
    assert name == f"{REASONS_MODEL}/{second.version}"
    texts = [example.text for example in some[:20]]
    np.testing.assert_allclose(
        model.scores(texts).probabilities, second.fitted.model.scores(texts).probabilities, atol=1e-2
    )
    assert shop.registry.rollback(REASONS_MODEL).version == first.version
    assert load_model(shop.registry, shop.key, REASONS_MODEL)[1] == f"{REASONS_MODEL}/{first.version}"


def test_a_version_says_what_it_is(shop: Shop, some: list[Example]) -> None:
    outcome = shop.retrain(some)
    assert outcome.verdict.promote
    assert shop.serving == outcome.version
    manifest = shop.registry.read(REASONS_MODEL, shop.key, outcome.version).manifest
    assert manifest.data_hash == data_hash(some)
    assert manifest.metrics["accuracy"] == outcome.verdict.challenger.accuracy
    assert {"numpy", "scikit-learn"} <= set(manifest.libraries)
    assert manifest.certificates["risk_control"][0]["target"] == 0.02
    card = shop.card(outcome.version)
    frozen = sum(example.frozen for example in some)
    assert f"- learned from: {len(some) - frozen} tickets, 6 labels" in card
    assert f"- frozen, only measured on: {frozen} tickets" in card
    assert f"- sha256 of the data: {data_hash(some)}" in card


def test_a_champion_that_does_not_open_is_told_of_and_replaced_only_when_asked(shop: Shop, some: list[Example]) -> None:
    broken = shop.registry.store / REASONS_MODEL / CHAMPION
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    refused = shop.retrain(some)
    assert not refused.verdict.promote
    assert "could not be opened and was not compared" in refused.verdict.because[0]
    assert "Refused." in shop.card(refused.version)
    outcome = shop.retrain(some, replace_unreadable=True)
    assert outcome.note is not None
    assert shop.serving == outcome.version


def test_too_few_tickets_to_measure_on_are_refused_before_anything_is_written(
    shop: Shop, learned: list[Example]
) -> None:
    with pytest.raises(FitError, match=f"no ticket of {len(learned)} falls into the frozen set"):
        shop.retrain(learned)
    assert not shop.registry.store.exists()


def test_the_hash_names_the_data_whatever_its_order(some: list[Example]) -> None:
    assert data_hash(some) == data_hash(some[::-1])
    assert data_hash(some) != data_hash(some[1:])
    assert data_hash(some) != data_hash([replace(some[0], reason="other"), *some[1:]])


def test_any_labelled_set_can_be_learned(shop: Shop) -> None:
    words = {"greet": "hello there my friend", "leave": "goodbye and see you later"}
    examples = [
        Example(f"{label}{i}", label, "", "", "", f"{text} {i}", f"{label}{i}")
        for i in range(12)
        for label, text in words.items()
    ]
    outcome = train_any(examples, shop.encoder, shop.registry, shop.key, "small-talk")
    model, name = load_model(shop.registry, shop.key, "small-talk")
    assert name == f"small-talk/{outcome.version}"
    assert model.labels == ("greet", "leave")
    assert outcome.verdict.challenger.accuracy == 1.0
    with pytest.raises(BundleError, match="has no version"):
        shop.registry.promote("small-talk", "none")


# -- the starter model ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter_tagger(starter_model: ReasonModel, taxonomy: Taxonomy) -> Tagger:
    return Tagger(taxonomy, starter_guard(), language_identifier(), starter_model, "starter")


def test_the_starter_model_is_good_enough_on_tickets_it_never_saw(starter_store: tuple[Path, Path]) -> None:
    store, key = starter_store
    bundle = Registry(store).read(REASONS_MODEL, SigningKey.read(key))
    figures = bundle.manifest.metrics
    assert figures["accuracy"] > 0.75
    assert figures["ece"] < 0.06
    assert figures["guard_recall"] > 0.95
    assert figures["selective_error"] < 0.08
    assert figures["coverage"] > 0.3
    assert set(figures["per_language"]) == {"en", "fr", "de", "es", "it"}
    assert min(language["accuracy"] for language in figures["per_language"].values()) > 0.65
    model, name = load_model(Registry(store), SigningKey.read(key), REASONS_MODEL)
    assert name.endswith(bundle.manifest.version)
    assert len(model.labels) == 29


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Where is my parcel? It should have been here on Tuesday.", "tracking_update"),
        ("Comment renvoyer cet article ? Je voudrais une étiquette de retour.", "return_request"),
        ("Ich brauche bitte eine Rechnung mit ausgewiesener Mehrwertsteuer.", "invoice_request"),
        ("No puedo entrar en mi cuenta, he olvidado la contraseña", "account_access"),
        ("Mi avete addebitato due volte lo stesso ordine", "payment_issue"),
    ],
)
def test_the_starter_model_knows_plain_cases_in_five_languages(starter_tagger: Tagger, text: str, reason: str) -> None:
    assert starter_tagger.tag("", text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "Oh thank you so much for ruining my daughter's birthday, what a disgrace of a shop",
        "Merci beaucoup pour cette catastrophe, quelle honte, bravo",
        "Vielen Dank für nichts, so eine Frechheit, nie wieder",
        "Muchas gracias por la estafa, qué vergüenza",
        "Grazie mille per la truffa, servizio pessimo",
    ],
)
def test_the_starter_model_closes_no_sarcastic_thanks(starter_tagger: Tagger, text: str) -> None:
    tag = starter_tagger.tag("", text)
    assert tag.decision == "undecided" or tag.autonomy != "auto_close"


def test_a_challenger_is_fitted_on_the_champions_encoder(tmp_path: Path, encoder: Encoder) -> None:
    registry, key = Registry(tmp_path / "store"), SigningKey.read_or_create(tmp_path / "key")
    assert champion_encoder(registry, key, "colours") is None
    texts = [f"{colour} {thing}" for colour in ("red", "blue") for thing in ("hat", "car", "sky", "door")]
    examples = [Example(text, text.split()[0], "", "", "", text, text) for text in texts]
    both = encoder_by_name(f"{UNIVERSAL}+{UNIVERSAL}")
    train_any(examples, both, registry, key, "colours")
    assert champion_encoder(registry, key, "colours") == both.name
