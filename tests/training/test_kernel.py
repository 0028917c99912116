import numpy as np
import pytest

from classifier.encoders import Encoder
from training import kernel
from training.corpus import Example
from training.kernel import fit_kernel


@pytest.fixture(scope="module")
def tickets(small_examples: list[Example], encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    _, y = np.unique([example.reason for example in small_examples], return_inverse=True)
    return encoder.encode([example.text for example in small_examples]), y


def folds_of(n: int, parts: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.flatnonzero(np.arange(n) % parts != part), np.flatnonzero(np.arange(n) % parts == part))
            for part in range(parts)]  # fmt: skip


def test_held_out_evidence_is_that_of_a_fit_without_the_fold(tickets: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, y = tickets
    folds = folds_of(len(y), 4)
    whole = fit_kernel(vectors, y, int(y.max()) + 1, folds, seed=1)
    train, held = folds[2]
    # The projection knows no label and stays that of all vectors.
    memory = whole.head.memory[train]
    system = kernel.gaussian(memory, memory) + kernel.RIDGE * np.eye(len(train), dtype=np.float32)
    dual = np.linalg.solve(system.astype(np.float64), np.eye(int(y.max()) + 1)[y[train]])
    expected = kernel.gaussian(whole.head.memory[held], memory) @ dual
    np.testing.assert_allclose(whole.held_out[held], expected, atol=2e-3)


def test_rows_beyond_the_memory_are_judged_without_their_fold_too(
    tickets: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, y = tickets
    monkeypatch.setattr(kernel, "MAX_MEMORY", len(y) // 2)
    fitted = fit_kernel(vectors, y, int(y.max()) + 1, folds_of(len(y), 3), seed=1)
    assert len(fitted.kept) == len(y) // 2 == len(fitted.head.memory)
    # Rare labels keep all they have before common ones keep more.
    counts, kept = np.bincount(y), np.bincount(y[fitted.kept])
    assert (kept >= np.minimum(counts, kept.max() - 1)).all()
    held = folds_of(len(y), 3)[1][1]
    away = np.setdiff1d(held, fitted.kept)
    others = ~np.isin(fitted.kept, held)
    memory, targets = fitted.head.memory[others], np.eye(int(y.max()) + 1)[y[fitted.kept[others]]]
    system = kernel.gaussian(memory, memory) + kernel.RIDGE * np.eye(len(memory), dtype=np.float32)
    expected = kernel.gaussian(fitted.head.projection(vectors[away]), memory) @ np.linalg.solve(system, targets)
    np.testing.assert_allclose(fitted.held_out[away], expected, atol=2e-3)
    assert (fitted.held_out.argmax(axis=1) == y).mean() > 0.3


def test_a_labels_own_name_teaches_it(encoder: Encoder) -> None:
    texts = ["where is my parcel", "has it been shipped", "thanks a lot", "you were kind"]
    y = np.array([0, 0, 1, 1])
    names = encoder.encode(["tracking", "gratitude", "invoice"])
    fitted = fit_kernel(encoder.encode(texts), y, 3, folds_of(4, 2), seed=1, names=names)
    evidence = fitted.head.judge(encoder.encode(["please send me the invoice"]))[0][0]
    assert evidence.argmax() == 2


def test_familiarity_fades_away_from_the_training_tickets(tickets: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, y = tickets
    head = fit_kernel(vectors, y, int(y.max()) + 1, folds_of(len(y), 3), seed=1).head
    noise = np.random.default_rng(1).normal(size=(50, vectors.shape[1])).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    assert np.median(head.judge(noise)[1]) < np.quantile(head.judge(vectors)[1], 0.02)
