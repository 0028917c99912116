"""Labels that were changed on purpose are found, nothing is deleted, contradictions are named."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from training.corpus import Example, as_labelled
from training.fitting import Fitted, fit
from training.labels.audit import LabelAuditError, audit_labels, confidently_otherwise, contradictions, label_margins

WRONG = 12


@pytest.fixture(scope="module")
def spoilt(learned: list[Example]) -> list[Example]:
    """Every twentieth of 240 tickets has another reason."""
    reasons = sorted({example.reason for example in learned})
    following = dict(zip(reasons, reasons[1:] + reasons[:1], strict=True))
    return [
        replace(example, reason=following[example.reason]) if i % 20 == 7 else example
        for i, example in enumerate(learned)
    ]


@pytest.fixture(scope="module")
def fitted(spoilt: list[Example], vectors: Vectors, encoder: Encoder) -> Fitted:
    return fit(as_labelled(spoilt), encoder, vectors=vectors)


def test_labels_changed_on_purpose_head_the_list(learned: list[Example], spoilt: list[Example], fitted: Fitted) -> None:
    found = audit_labels(spoilt, fitted.out_of_fold.probabilities, fitted.model.labels)
    truth = {e.id: e.reason for e in learned}
    wrong = {e.id for e in spoilt if e.reason != truth[e.id]}
    assert len(wrong) == WRONG
    first = found.suspicious[:WRONG]
    assert sum(suspicion.id in wrong for suspicion in first) >= 0.75 * WRONG
    right = [truth[suspicion.id] == suspicion.suggested for suspicion in first if suspicion.id in wrong]
    assert sum(right) >= 0.75 * len(right)
    scores = [suspicion.score for suspicion in found.suspicious]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert found.n == len(spoilt)


def test_flags_and_ranks_are_those_of_cleanlab(spoilt: list[Example], fitted: Fitted) -> None:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    random = np.random.default_rng(3)
    said = fitted.out_of_fold.probabilities / fitted.out_of_fold.probabilities.sum(axis=1, keepdims=True)
    y = np.searchsorted(fitted.model.labels, [example.reason for example in spoilt])
    cases = [(said, y)]
    for _ in range(20):
        k, n = int(random.integers(2, 9)), int(random.integers(40, 400))
        noisy = np.concatenate([np.arange(k), random.integers(0, k, n)])
        cases.append((random.dirichlet(np.full(k, 0.5), len(noisy)), noisy))
    for probabilities, labels in cases:
        flagged = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
        best = probabilities.argmax(axis=1)
        ours = confidently_otherwise(probabilities, labels) & (best != labels)
        np.testing.assert_array_equal(ours, flagged)
        scores = get_label_quality_scores(labels, probabilities, method="normalized_margin")
        np.testing.assert_allclose(label_margins(probabilities, labels), scores, atol=1e-9)


def test_of_clean_labels_few_are_suspicious(learned: list[Example], vectors: Vectors, encoder: Encoder) -> None:
    clean = fit(as_labelled(learned), encoder, vectors=vectors)
    found = audit_labels(learned, clean.out_of_fold.probabilities, clean.model.labels)
    assert len(found.suspicious) <= 0.08 * len(learned)


def test_labels_without_tickets_and_lone_labels_do_no_harm(learned: list[Example]) -> None:
    two = [example for example in learned if example.reason in ("thanks", "invoice_request")]
    labels = ("invoice_request", "nobody_asks", "thanks")
    columns = {"invoice_request": 0, "thanks": 2}
    said = np.full((len(two), 3), 0.05)
    said[np.arange(len(two)), [columns[example.reason] for example in two]] = 0.9
    assert audit_labels(two, said, labels).suspicious == ()
    lone = two[0]
    assert audit_labels([lone], said[:1], labels).to_json() == {"n": 1, "suspicious": [], "contradictions": []}
    assert audit_labels([], said[:0], labels).n == 0


def test_what_does_not_fit_together_is_refused(learned: list[Example]) -> None:
    with pytest.raises(LabelAuditError, match=r"not \(3, 2\)"):
        audit_labels(learned, np.ones((3, 2)), ("thanks", "other"))
    with pytest.raises(LabelAuditError, match="fit on them first"):
        audit_labels(learned, np.ones((len(learned), 1)), ("thanks",))


def example(name: str, reason: str, body: str) -> Example:
    return Example(name, reason, "en", "mail", "", body, name)


def test_near_equal_texts_with_different_reasons_contradict() -> None:
    tickets = [
        example("a", "refund_status", "When do I get my money back for order 4711?"),
        example("b", "return_request", "when do i get my money back for order 99?"),
        example("c", "refund_status", "When do I get my money back for order 4711?"),
        example("d", "thanks", "Thank you so much for the quick help"),
        example("e", "tracking_update", "Where is my parcel, it should have come on Monday"),
    ]
    pairs = {(pair.first, pair.second): pair for pair in contradictions(tickets)}
    assert set(pairs) == {("a", "b"), ("b", "c")}
    assert pairs["a", "b"].similarity > 0.9
    assert (pairs["a", "b"].first_reason, pairs["a", "b"].second_reason) == ("refund_status", "return_request")


def test_no_contradiction_is_missed_by_looking_at_rare_terms_first(learned: list[Example]) -> None:
    """Against every pair compared in full, with labels that alternate so that all near pairs count."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from classifier.folding import fold
    from training.labels.audit import _DIGITS, NEAR

    long = sorted(learned, key=lambda example: len(example.body))[-60:]
    twins = [replace(e, id=f"{e.id}-x", reason="two", body=e.body + "!") for e in long]
    tickets = [*(replace(e, reason="one") for e in learned), *twins]
    texts = [_DIGITS.sub("0", fold(ticket.text)) for ticket in tickets]
    full = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    near = (full @ full.T).toarray()
    expected = Counter(
        frozenset((tickets[i].id, tickets[j].id))
        for i in range(len(tickets))
        for j in range(i)
        if near[i, j] >= NEAR + 1e-4 and tickets[i].reason != tickets[j].reason
    )
    found = {frozenset((pair.first, pair.second)) for pair in contradictions(tickets)}
    assert len(expected) >= 5
    assert set(expected) <= found


def test_texts_without_a_letter_contradict_nothing() -> None:
    assert contradictions([example("a", "thanks", "👍"), example("b", "other", "?!")]) == ()
    data = audit_labels(
        [example("a", "thanks", "ok"), example("b", "other", "ok")], np.full((2, 2), 0.5), ("other", "thanks")
    )
    assert json.loads(json.dumps(data.to_json()))["contradictions"][0]["similarity"] == 1.0
