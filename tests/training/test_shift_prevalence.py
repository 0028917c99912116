"""Shares estimated from what a real model says out of fold, against QuaPy and against the truth."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from classifier.model import ModelFormatError, ReasonModel
from models.registry import Registry
from models.signing import SigningKey
from training.corpus import Example, as_labelled
from training.fitting import Fitted, fit
from training.retraining import train_any
from training.shift.accuracy import estimate_accuracy
from training.shift.evidence import EVIDENCE, Evidence, evidence_of, packed, read_evidence, unpacked
from training.shift.prevalence import (
    Tickets,
    draw_scales,
    draw_shares,
    emq,
    interval,
    learned_shares,
    turned,
)
from training.shift.significance import real_changes

DRAWS = 25


@pytest.fixture(scope="module")
def fitted(learned: list[Example], encoder: Encoder, vectors: Vectors) -> Fitted:
    return fit(as_labelled(learned), encoder, vectors=vectors)


@pytest.fixture(scope="module")
def halves(fitted: Fitted) -> tuple[Evidence, Evidence]:
    """Every second ticket of each reason is evidence, the others are drawn from."""
    posteriors, truth = fitted.out_of_fold.probabilities.astype(np.float32), fitted.truth
    order = np.argsort(truth, kind="stable")
    return tuple(Evidence(fitted.model.labels, posteriors[rows], truth[rows]) for rows in (order[::2], order[1::2]))  # type: ignore[return-value]


def draw(pool: Evidence, shares: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    labels = random.choice(len(shares), n, p=shares)
    return np.array([random.choice(np.flatnonzero(pool.truth == label)) for label in labels])


def test_shares_are_those_of_quapy(halves: tuple[Evidence, Evidence]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the oracle's own dependencies, at import
        from quapy.method.aggregative import EMQ
    evidence, pool = halves
    shares = np.array([0.5, 0.3, 0.1, 0.05, 0.05, 0.0])
    rows = draw(pool, shares, 400, np.random.default_rng(1))
    learned = learned_shares(evidence)
    expected, rates = EMQ.EM(learned, pool.posteriors[rows].astype(np.float64), epsilon=1e-9)
    found = emq(pool.posteriors[rows], learned)
    assert found == pytest.approx(expected, abs=2e-4)
    assert turned(pool.posteriors[rows], learned, found) == pytest.approx(rates, abs=5e-3)


def test_where_nothing_shifts_the_learned_shares_are_found(halves: tuple[Evidence, Evidence]) -> None:
    evidence, _ = halves
    learned = learned_shares(evidence)
    assert emq(evidence.posteriors, learned) == pytest.approx(learned, abs=1e-6)
    assert emq(evidence.posteriors, learned, np.full(6, 1 / 6)) == pytest.approx(learned, abs=1e-3)


def test_strong_shifts_are_estimated_better_than_by_counting(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    random, learned = np.random.default_rng(2), learned_shares(evidence)
    errors = []
    for _ in range(DRAWS):
        rows = draw(pool, random.dirichlet(np.full(6, 0.3)), 400, random)
        truth = np.bincount(pool.truth[rows], minlength=6) / len(rows)
        counted = np.bincount(pool.posteriors[rows].argmax(axis=1), minlength=6) / len(rows)
        estimated = emq(pool.posteriors[rows], learned)
        errors.append([np.abs(counted - truth).mean(), np.abs(estimated - truth).mean()])
    by_counting, by_estimate = np.mean(errors, axis=0)
    assert by_counting > 0.01  # there is something to correct
    assert by_estimate < 0.6 * by_counting


def test_intervals_cover_the_imposed_shares(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    random, learned, scales = np.random.default_rng(3), learned_shares(evidence), draw_scales(evidence, 200)
    covered = []
    for turn in range(DRAWS):
        shares = random.dirichlet(np.full(6, 0.7))
        rows = draw(pool, shares, 300, random)
        tickets = Tickets(pool.posteriors[rows], np.unique(rows, return_inverse=True)[1])
        estimated = emq(tickets.posteriors, learned)
        low, high = interval(estimated, draw_shares(tickets, estimated, scales, seed=turn), len(rows))
        assert (low <= estimated).all()
        assert (estimated <= high).all()
        covered.append((low <= shares) & (shares <= high))
    assert np.mean(covered) >= 0.9


def test_tickets_that_people_decided_count_as_they_said(halves: tuple[Evidence, Evidence]) -> None:
    evidence, _ = halves
    said = np.repeat(np.eye(6, dtype=np.float32), [40, 30, 20, 10, 0, 0], axis=0)
    shares = emq(said, learned_shares(evidence))
    assert shares == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0, 0.0], abs=1e-6)
    drawn = draw_shares(Tickets(said, np.arange(100)), shares, draw_scales(evidence, 200))
    low, high = interval(shares, drawn, 100)
    # the model's errors have no part in these: about the binomial interval, and none seen is not none for sure
    assert (high - low)[0] == pytest.approx(2 * 1.96 * np.sqrt(0.4 * 0.6 / 100), rel=0.2)
    assert low[5] == 0
    assert 0.01 < high[5] < 0.05


def test_tickets_of_one_customer_tell_less_than_those_of_many(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    learned, scales = learned_shares(evidence), draw_scales(evidence, 200)
    posteriors = np.repeat(pool.posteriors, 5, axis=0)
    estimated = emq(posteriors, learned)
    many = draw_shares(Tickets(posteriors, np.arange(len(posteriors))), estimated, scales)
    few = draw_shares(Tickets(posteriors, np.repeat(np.arange(len(pool.posteriors)), 5)), estimated, scales)
    assert few.std(axis=1).mean() > 1.5 * many.std(axis=1).mean()


def test_less_evidence_makes_wider_intervals(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    rows = np.arange(0, len(evidence.truth), 4)
    little = Evidence(evidence.labels, evidence.posteriors[rows], evidence.truth[rows])
    tickets = Tickets(np.repeat(pool.posteriors, 20, axis=0), np.arange(20 * len(pool.posteriors)))
    estimated = emq(tickets.posteriors, learned_shares(evidence))
    much, less = (draw_shares(tickets, estimated, draw_scales(part, 200)).std(axis=1) for part in (evidence, little))
    assert less.mean() > 1.3 * much.mean()


def test_a_change_is_real_only_where_the_shares_differ(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    random, learned, scales = np.random.default_rng(4), learned_shares(evidence), draw_scales(evidence, 200)
    before, after = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.1]), np.array([0.1, 0.5, 0.1, 0.1, 0.1, 0.1])
    found = []
    for turn, shares in enumerate((before, before, after)):
        rows = draw(pool, shares, 500, random)
        tickets = Tickets(pool.posteriors[rows], np.arange(500))
        estimated = emq(tickets.posteriors, learned)
        found.append((estimated, draw_shares(tickets, estimated, scales, seed=turn)))
    assert not real_changes(*found[0], *found[1]).real.any()
    changes = real_changes(*found[0], *found[2])
    assert changes.real.tolist()[:2] == [True, True]
    assert np.abs(changes.change[2:]).max() < 0.08
    assert changes.low[0] < -0.3 + 0.05 < changes.high[0] + 0.1 < 0
    assert (changes.adjusted >= changes.p).all()


def test_accuracy_is_estimated_without_labels(halves: tuple[Evidence, Evidence]) -> None:
    evidence, pool = halves
    random, learned = np.random.default_rng(5), learned_shares(evidence)
    inside, errors = [], []
    for _ in range(DRAWS):
        rows = draw(pool, random.dirichlet(np.full(6, 0.5)), 300, random)
        shares = emq(pool.posteriors[rows], learned)
        groups = np.unique(rows, return_inverse=True)[1]
        accuracy = estimate_accuracy(evidence, pool.posteriors[rows], shares, groups)
        right = (pool.posteriors[rows].argmax(axis=1) == pool.truth[rows]).mean()
        inside.append(accuracy.low <= right <= accuracy.high)
        errors.append(abs(accuracy.value - right))
    assert np.mean(inside) >= 0.8
    assert np.mean(errors) < 0.06


def test_evidence_survives_the_bundle(fitted: Fitted, encoder: Encoder) -> None:
    files = fitted.model.to_files() | {EVIDENCE: evidence_of(fitted)}
    evidence = read_evidence(files)
    assert evidence is not None
    assert evidence.labels == fitted.model.labels
    assert (evidence.truth == fitted.truth).all()
    assert evidence.posteriors == pytest.approx(fitted.out_of_fold.probabilities, abs=2e-3)
    assert evidence.posteriors.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert ReasonModel.from_files(files, encoder).labels == fitted.model.labels
    assert evidence.accuracy == pytest.approx(
        (fitted.out_of_fold.probabilities.argmax(axis=1) == fitted.truth).mean(), abs=0.01
    )


def test_training_writes_the_evidence_into_the_signed_version(
    learned: list[Example], encoder: Encoder, tmp_path: Path
) -> None:
    registry, key = Registry(tmp_path / "store"), SigningKey.read_or_create(tmp_path / "signing.key")
    outcome = train_any(learned, encoder, registry, key, "mine")
    bundle = registry.read("mine", key)
    assert EVIDENCE in bundle.manifest.files
    evidence = read_evidence(bundle.files)
    assert evidence is not None
    assert evidence.labels == outcome.fitted.model.labels
    assert len(evidence.truth) == len(learned)


def test_small_probabilities_keep_two_digits() -> None:
    row = np.array([[1e-6, 1e-4, 0.01, 1 - 0.010101]], dtype=np.float32)
    assert unpacked(packed(row)) == pytest.approx(row, rel=0.01)


def test_a_model_without_evidence_has_none(fitted: Fitted) -> None:
    assert read_evidence(fitted.model.to_files()) is None


def test_evidence_that_cannot_be_read_is_named(fitted: Fitted) -> None:
    whole = evidence_of(fitted)
    with np.load(io.BytesIO(whole)) as archive:
        arrays = dict(archive)
    strange = io.BytesIO()
    np.savez(strange, **(arrays | {"truth": arrays["truth"] + 100}))
    pickled = io.BytesIO()
    np.savez(pickled, **(arrays | {"labels": np.array(["a", None], dtype=object)}))
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], strange.getvalue(), pickled.getvalue()):
        with pytest.raises(ModelFormatError, match=r"evidence\.npz .*train it again"):
            read_evidence({EVIDENCE: damaged})
