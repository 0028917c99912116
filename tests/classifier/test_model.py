import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from classifier.encoders import Encoder
from classifier.features import LexicalFeatures
from classifier.folding import fold
from classifier.heads import KernelHead
from classifier.model import (
    ARRAYS,
    SETTINGS,
    ModelFormatError,
    ReasonModel,
    encoder_name,
)
from training.corpus import Example, as_labelled
from training.fitting import Settings, fit

TEXTS = ["Where is my parcel?", "the plug caught fire", "thanks, all good", "", "zzz qqq", "Où est ma facture ?"]


@pytest.fixture(scope="module")
def files(small_model: ReasonModel) -> dict[str, bytes]:
    return small_model.to_files()


def changed(files: dict[str, bytes], **settings: object) -> dict[str, bytes]:
    return {**files, SETTINGS: json.dumps(json.loads(files[SETTINGS]) | settings).encode()}


def arrays(**named: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def test_probabilities_sum_to_one_and_are_finite(small_model: ReasonModel) -> None:
    scores = small_model.scores(TEXTS)
    assert scores.probabilities.shape == (len(TEXTS), len(small_model.labels))
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1)
    assert np.isfinite(scores.familiarity).all()


def test_a_model_judges_the_same_after_it_was_stored(
    small_model: ReasonModel, files: dict[str, bytes], encoder: Encoder
) -> None:
    again = ReasonModel.from_files(files, encoder)
    assert again.labels == small_model.labels
    assert again.thresholds == small_model.thresholds
    assert again.fusion == small_model.fusion
    before, after = small_model.scores(TEXTS), again.scores(TEXTS)
    # Lexical coefficients are stored in 16 bits.
    np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-2)
    np.testing.assert_allclose(after.familiarity, before.familiarity, atol=1e-2)


def test_a_model_without_a_lexical_head_is_stored_too(small_model: ReasonModel, encoder: Encoder) -> None:
    dense = replace(small_model, lexical=None, lexical_features=None, fusion=small_model.fusion[:1])
    again = ReasonModel.from_files(dense.to_files(), encoder)
    assert again.lexical is None
    np.testing.assert_allclose(again.scores(TEXTS).probabilities, dense.scores(TEXTS).probabilities, atol=1e-4)


def test_a_threshold_that_nothing_reaches_survives(small_model: ReasonModel, encoder: Encoder) -> None:
    closed = replace(small_model, thresholds=replace(small_model.thresholds, human_only=float("inf")))
    assert ReasonModel.from_files(closed.to_files(), encoder).thresholds.human_only == float("inf")


def test_the_files_hold_plain_numbers_and_json_only(files: dict[str, bytes]) -> None:
    assert set(files) == {ARRAYS, SETTINGS}
    json.loads(files[SETTINGS])
    with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as archive:
        kinds = {archive[name].dtype.kind for name in archive.files}
    assert kinds == {"f"}


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("where", ["array", "archive"])
def test_a_pickle_is_refused_and_nothing_in_it_runs(
    files: dict[str, bytes], encoder: Encoder, tmp_path: Path, where: str
) -> None:
    trap = Trap(tmp_path / "sprung")
    poisoned = arrays(memory=np.array([trap], dtype=object)) if where == "array" else pickle.dumps(trap)
    with pytest.raises(ModelFormatError, match="train it again"):
        ReasonModel.from_files({**files, ARRAYS: poisoned}, encoder)
    assert not trap.path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        {ARRAYS: b""},
        {ARRAYS: b"PK\x03\x04 nonsense"},
        {ARRAYS: arrays(memory=np.zeros((1, 4)))},
        {SETTINGS: b"{"},
        {SETTINGS: b"[]"},
        {SETTINGS: b"\xff"},
        {SETTINGS: b"{}"},
    ],
)
def test_damaged_files_are_refused_with_a_remedy(
    files: dict[str, bytes], encoder: Encoder, damage: dict[str, bytes]
) -> None:
    with pytest.raises(ModelFormatError, match="train it again"):
        ReasonModel.from_files({**files, **damage}, encoder)


@pytest.mark.parametrize("name", [ARRAYS, SETTINGS])
def test_a_missing_file_is_named(files: dict[str, bytes], encoder: Encoder, name: str) -> None:
    with pytest.raises(ModelFormatError, match=name):
        ReasonModel.from_files({key: data for key, data in files.items() if key != name}, encoder)


def test_a_model_of_another_format_or_encoder_is_refused(files: dict[str, bytes], encoder: Encoder) -> None:
    with pytest.raises(ModelFormatError, match="format 3 is none of 1 and 2"):
        ReasonModel.from_files(changed(files, format=3), encoder)
    with pytest.raises(ModelFormatError, match=f"fitted on encoder 'another', given '{encoder.name}'"):
        ReasonModel.from_files(changed(files, encoder="another"), encoder)


def test_a_model_names_its_encoder(files: dict[str, bytes], encoder: Encoder) -> None:
    assert encoder_name(files) == encoder.name
    for broken in ({}, {SETTINGS: b"{}"}, {SETTINGS: b"no"}, {SETTINGS: b"[]"}):
        with pytest.raises(ModelFormatError, match="does not name its encoder"):
            encoder_name(broken)


def test_a_bundle_of_format_1_still_judges_as_it_did(encoder: Encoder) -> None:
    folder = Path(__file__).parent / "format_1"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    model = ReasonModel.from_files({name: (folder / name).read_bytes() for name in (ARRAYS, SETTINGS)}, encoder)
    assert list(model.labels) == expected["labels"]
    scores = model.scores(expected["texts"])
    np.testing.assert_allclose(scores.probabilities, expected["probabilities"], atol=2e-3)
    np.testing.assert_allclose(scores.familiarity, expected["familiarity"], atol=2e-3)
    with pytest.raises(ModelFormatError, match="can be read but not written"):
        model.to_files()


def test_every_remembered_ticket_has_its_row_in_the_memory(small_model: ReasonModel, encoder: Encoder) -> None:
    assert isinstance(small_model.dense, KernelHead)
    assert 0 < len(small_model.remembered) <= len(small_model.dense.memory)
    row = len(small_model.remembered) // 2
    nearest = small_model.dense.similarities(encoder.encode([small_model.remembered[row].text]))[0].argmax()
    assert small_model.remembered[nearest].label == small_model.remembered[row].label


def test_known_tickets_are_more_familiar_than_nonsense(small_model: ReasonModel) -> None:
    known, strange = small_model.scores(["where is my parcel", "lorem ipsum dolor sit amet 7 x = y"]).familiarity
    assert known > strange


def test_lexical_features_are_the_same_after_they_were_stored(small_examples: list[Example]) -> None:
    texts = [example.text for example in small_examples]
    fitted = LexicalFeatures().fit(texts)
    again = LexicalFeatures.from_state(*fitted.state())
    before, after = fitted.transform(texts), again.transform(texts)
    assert sparse.issparse(after)
    assert before.dtype == np.float32
    assert abs(before - after).max() < 1e-6


def test_folding_makes_accents_case_and_spaces_equal() -> None:
    assert fold("Ça  N’EST\u00a0pas\nŒuvre Straße") == "ca n'est pas oeuvre strasse"
    assert fold("law\u00adyer \u200bａ𝐋awyer `") == "lawyer alawyer '"


def test_fitting_twice_gives_the_same_model(small_examples: list[Example], encoder: Encoder) -> None:
    data = as_labelled([example for example in small_examples if example.reason in ("thanks", "return_request")])
    vectors = encoder.encode(data.texts)
    first, second = (fit(data, encoder, Settings(target_error=0.3), vectors=vectors).model for _ in range(2))
    assert first.to_files()[SETTINGS] == second.to_files()[SETTINGS]
    np.testing.assert_array_equal(first.dense.coefficients, second.dense.coefficients)
