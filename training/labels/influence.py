"""How much one person's labels may teach the model: capped shares, and labels that others contradict are put aside.

Nothing is dropped silently: whatever does not teach is listed with its labeller and the reason, for a person to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.model_selection import GroupKFold

from classifier.encoders import Vectors
from classifier.heads import log_evidence
from training.fitting import FitError, Progress, silent
from training.kernel import Fold, fit_kernel
from training.labels.shares import LabelledTicket, PutAside, beyond_share

CHANCE = 0.01
"""Chance of refusing anybody among honest labellers, all together (Holm 1979)."""
EXCESS = 0.1
"""Disagreement beyond what is expected of these tickets from which labels are refused; less is a matter of taste."""
MIN_JUDGED = 10
"""Tickets of a labeller that others can judge, below which nobody is refused."""
MIN_TAUGHT = 5
"""Tickets of a reason by others from which they can judge it: who alone labels a new reason contradicts nobody."""
LEVELS = 5
"""Levels of difficulty: a labeller is compared with others on tickets that the model finds as clear."""
ROUNDS = 5
"""Labellers refused at most, one after another, so that one's labels do not speak against the next."""
FOLDS_OF_THE_REST = 5

Decision = Literal["kept", "capped", "refused"]


@dataclass(frozen=True)
class LabellerFinding:
    """What was found of one labeller.

    Of ``n`` labels others could judge ``judged`` and contradicted ``disagreed``, where ``expected`` (a share) is usual
    for tickets as difficult; ``p`` is corrected for the number of labellers. ``aside`` of the labels do not teach.
    """

    labeller: str
    n: int
    share: float
    judged: int
    disagreed: int
    expected: float
    p: float
    decision: Decision
    aside: int
    because: str

    @property
    def excess(self) -> float:
        """Share of disagreement beyond what is expected."""
        return self.disagreed / self.judged - self.expected if self.judged else 0.0


@dataclass(frozen=True)
class LabellerCheck:
    """Everybody's finding, refused ones first, and each label that does not teach."""

    findings: tuple[LabellerFinding, ...]
    put_aside: tuple[PutAside, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """Labellers none of whose labels teach."""
        return tuple(finding.labeller for finding in self.findings if finding.decision == "refused")

    @property
    def capped(self) -> tuple[str, ...]:
        """Labellers some of whose labels do not teach."""
        return tuple(finding.labeller for finding in self.findings if finding.decision == "capped")

    @property
    def aside_ids(self) -> frozenset[str]:
        """Ids of the tickets to leave out of training."""
        return frozenset(put.id for put in self.put_aside)

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "labellers": [asdict(finding) for finding in self.findings],
            "put_aside": [put._asdict() for put in self.put_aside],
        }


def weigh_labellers(
    tickets: Sequence[LabelledTicket], vectors: Vectors, progress: Progress = silent, seed: int = 20_261_122
) -> LabellerCheck:
    """Judge every labeller by a model of the others' labels, refuse one at a time, then cap the rest.

    ``vectors (n, d)`` are the tickets' own. Each round is one fit of the kernel head, whose left-out identity tells
    what it would say of each labeller's tickets without them. Raises `FitError` when there is nothing to compare.
    """
    if len(tickets) != len(vectors):
        raise FitError(f"{len(tickets)} tickets need as many vectors, not {len(vectors)}")
    refused: dict[str, LabellerFinding] = {}
    rows, left = list(range(len(tickets))), list(tickets)
    found: tuple[LabellerFinding, ...] = tuple(_unjudged(who, n, len(left)) for who, n in sorted(_counts(left).items()))
    for turn in range(ROUNDS):
        progress("judging labellers", turn, ROUNDS)
        if len({ticket.reason for ticket in left}) < 2 or len({ticket.labelled_by for ticket in left}) < 2:
            break
        probabilities, labels = others_opinion(left, vectors[rows], seed)
        found = check_labellers(left, probabilities, labels).findings
        guilty = [finding for finding in found if finding.decision == "refused"]
        # One at a time, until the last round: the worst one's labels may be what speaks against the next.
        refused |= {finding.labeller: finding for finding in guilty[: None if turn == ROUNDS - 1 else 1]}
        if not guilty:
            break
        rows = [row for row in rows if tickets[row].labelled_by not in refused]
        left = [tickets[row] for row in rows]
    progress("judging labellers", ROUNDS, ROUNDS)
    capped = beyond_share(left)
    kept = [_with_cap(finding, capped) for finding in found if finding.labeller not in refused]
    return LabellerCheck((*refused.values(), *kept), (*_aside(tickets, refused), *capped))


def others_opinion(
    tickets: Sequence[LabelledTicket], vectors: Vectors, seed: int = 0
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """What a model of everybody else's labels says of each ticket: probabilities ``(n, k)`` and the k labels.

    Tickets that nobody answers for are held out in folds by group.
    """
    labels, y = np.unique([ticket.reason for ticket in tickets], return_inverse=True)
    folds = _folds_by_labeller(tickets)
    evidence = fit_kernel(vectors, y.astype(np.int64), len(labels), folds, seed).held_out
    odds = np.exp(log_evidence(evidence).astype(np.float64))
    return odds / odds.sum(axis=1, keepdims=True), tuple(str(label) for label in labels)


def check_labellers(
    tickets: Sequence[LabelledTicket], probabilities: NDArray[np.float64], labels: tuple[str, ...]
) -> LabellerCheck:
    """Who is to be refused or capped, by ``probabilities (n, k)`` of a model that knows nobody's own labels.

    A labeller is refused whose labels disagree with it far beyond what the others' do on tickets that it finds as
    clear: a one-sided binomial test, corrected for the number of labellers, and at least `EXCESS` more.
    """
    columns = {label: column for column, label in enumerate(labels)}
    given = np.array([columns[ticket.reason] for ticket in tickets], dtype=np.int64)
    best = probabilities.argmax(axis=1)
    level = _levels(probabilities.max(axis=1))
    who = np.array([ticket.labelled_by or "" for ticket in tickets], dtype=object)
    judged = _judged(given, who)
    raw = [
        _raw_finding(name, n, len(tickets), who, judged, best != given, level)
        for name, n in sorted(_counts(tickets).items())
    ]
    findings = sorted(
        _holm(raw), key=lambda finding: (finding.decision != "refused", -finding.excess, finding.labeller)
    )
    refused = {finding.labeller: finding for finding in findings if finding.decision == "refused"}
    capped = beyond_share([ticket for ticket in tickets if ticket.labelled_by not in refused])
    return LabellerCheck(
        tuple(_with_cap(finding, capped) for finding in findings), (*_aside(tickets, refused), *capped)
    )


def _aside(tickets: Sequence[LabelledTicket], refused: Mapping[str, LabellerFinding]) -> list[PutAside]:
    return [
        PutAside(ticket.id, ticket.labelled_by, refused[ticket.labelled_by].because)
        for ticket in tickets
        if ticket.labelled_by and ticket.labelled_by in refused
    ]


def _raw_finding(
    name: str,
    n: int,
    total: int,
    who: NDArray[np.object_],
    judged: NDArray[np.bool_],
    disagrees: NDArray[np.bool_],
    level: NDArray[np.int64],
) -> LabellerFinding:
    mine = (who == name) & judged
    # Other people are the measure; where there are too few, the shipped corpus is, too.
    others = (who != name) & (who != "") & judged
    if others.sum() < MIN_JUDGED * LEVELS:
        others = (who != name) & judged
    m, wrong = int(mine.sum()), int((mine & disagrees).sum())
    if m < MIN_JUDGED or others.sum() < MIN_JUDGED:
        return _unjudged(name, n, total)
    usual = np.array([_rate(disagrees[others & (level == step)], disagrees[others]) for step in range(LEVELS)])
    expected = float(usual[level[mine]].mean())
    p = float(binom.sf(wrong - 1, m, expected))
    return LabellerFinding(name, n, round(n / total, 4), m, wrong, round(expected, 4), p, "kept", 0, "")


def _unjudged(name: str, n: int, total: int) -> LabellerFinding:
    return LabellerFinding(
        name, n, round(n / total, 4), 0, 0, 0.0, 1.0, "kept", 0, "too few labels that others can judge"
    )


def _rate(at_level: NDArray[np.bool_], everywhere: NDArray[np.bool_]) -> float:
    """Share of disagreement at one level, drawn to the overall one by two tickets so that it is never 0 or 1."""
    overall = (everywhere.sum() + 1) / (len(everywhere) + 2)
    return float((at_level.sum() + 2 * overall) / (len(at_level) + 2))


def _holm(findings: Sequence[LabellerFinding]) -> list[LabellerFinding]:
    decided, highest = [], 0.0
    for rank, finding in enumerate(sorted(findings, key=lambda finding: finding.p)):
        highest = max(highest, min(1.0, finding.p * (len(findings) - rank)))
        refused = highest < CHANCE and finding.excess >= EXCESS
        because = finding.because
        if refused:
            because = (
                f"{finding.disagreed} of {finding.judged} labels contradict what everybody else's labels say; "
                f"{finding.expected * finding.judged:.0f} are usual for tickets as difficult"
            )
        values = asdict(finding) | {"p": highest, "because": because}
        if refused:
            values |= {"decision": "refused", "aside": finding.n}
        decided.append(LabellerFinding(**values))
    return decided


def _with_cap(finding: LabellerFinding, capped: Sequence[PutAside]) -> LabellerFinding:
    aside = [put for put in capped if put.labeller == finding.labeller]
    if finding.decision == "refused" or not aside:
        return finding
    because = "; ".join(dict.fromkeys(put.because for put in aside))
    return LabellerFinding(**asdict(finding) | {"decision": "capped", "aside": len(aside), "because": because})


def _judged(given: NDArray[np.int64], who: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which labels others can judge: those of reasons that others have taught, too."""
    by_reason = Counter(given.tolist())
    by_both = Counter(zip(who.tolist(), given.tolist(), strict=True))
    return np.array(
        [
            by_reason[y] - (by_both[name, y] if name else 0) >= MIN_TAUGHT
            for name, y in zip(who.tolist(), given.tolist(), strict=True)
        ],
        dtype=bool,
    )


def _levels(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.quantile(confidence, np.linspace(0, 1, LEVELS + 1)[1:-1])
    return np.searchsorted(edges, confidence).astype(np.int64)


def _folds_by_labeller(tickets: Sequence[LabelledTicket]) -> list[Fold]:
    who = np.array([ticket.labelled_by or "" for ticket in tickets], dtype=object)
    everybody = np.arange(len(tickets))
    held = [np.flatnonzero(who == name) for name in sorted(set(who.tolist()) - {""})]
    nobody = np.flatnonzero(who == "")
    groups = [tickets[int(row)].group for row in nobody]
    if (n := min(FOLDS_OF_THE_REST, len(set(groups)))) > 1:
        held += [nobody[part] for _, part in GroupKFold(n).split(nobody, groups=groups)]
    elif len(nobody):
        held.append(nobody)
    return [(np.setdiff1d(everybody, rows), rows) for rows in held]


def _counts(tickets: Sequence[LabelledTicket]) -> Counter[str]:
    return Counter(ticket.labelled_by for ticket in tickets if ticket.labelled_by)
