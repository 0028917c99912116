"""A retraining from a snapshot, stage by stage; called again after a crash it goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from classifier.encoders import Encoder, Vectors
from classifier.model import ReasonModel
from training.corpus import Example, as_labelled
from training.encoding_cache import CachedEncoder
from training.evaluation import alarms
from training.fitting import Fitted, Progress, Settings, fit, silent
from training.labels.audit import audit_labels
from training.labels.influence import weigh_labellers
from training.labels.taught import Taught
from training.latency import measure_latency
from training.promotion import Verdict, judge
from training.retraining.champion import Champion
from training.retraining.encoding import encode_in_steps
from training.retraining.fitted_files import fitted_from_files, fitted_to_files
from training.retraining.parts import Parts
from training.retraining.stages import Stages
from training.retraining.verdict_files import verdict_from_json
from training.retraining.versions import REASONS_MODEL, data_hash
from training.snapshots import Snapshot

LAYOUT = 1
"""Counts up when stages of an older run can no longer be used."""
FIT, REFIT = "fit", "refit"


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a retraining gives: equal plans have equal ids and give equal models."""

    corpus: Sequence[Example]
    snapshot: Snapshot
    encoder: Encoder
    settings: Settings
    name: str = REASONS_MODEL

    @cached_property
    def id(self) -> str:
        """Id of the snapshot, and eight digits over corpus, encoder, seed and settings."""
        what = {
            "layout": LAYOUT,
            "snapshot": self.snapshot.hash,
            "corpus": data_hash(self.corpus),
            "encoder": self.encoder.name,
            "name": self.name,
            "seed": self.settings.seed,
            "lexical_c": self.settings.lexical_c,
            "target_error": self.settings.target_error,
            "human_only": sorted(self.settings.human_only),
        }
        return f"{self.snapshot.id}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Judged:
    """The challenger that may serve, and why it may or may not."""

    fitted: Fitted
    verdict: Verdict
    stage: str
    """`FIT`, or `REFIT` where the one that learned from the newest quarter too was found good."""
    learned: tuple[Example, ...]
    last_day: date | None


@dataclass
class Run:
    """The stages of a plan, each done at most once."""

    plan: Plan
    stages: Stages
    champion: Champion
    encoder: CachedEncoder
    progress: Progress = silent
    notes: list[str] = field(default_factory=list)

    def labellers(self, parts: Parts) -> dict[str, Any]:
        """Whose labels do not teach, and why; see `training.labels.influence`."""

        def work() -> dict[str, Any]:
            who = {ticket.example().id: ticket.labelled_by for ticket in self.plan.snapshot.tickets}
            taught = [Taught(e.id, e.reason, e.group, who.get(e.id), e.text) for e in (*parts.learned, *parts.later)]
            if not any(ticket.labelled_by for ticket in taught):
                return {"labellers": [], "put_aside": [], "aside": [], "refused": []}
            vectors = self._vectors([*parts.learned, *parts.later])
            found = weigh_labellers(taught, vectors, self.progress, self.plan.settings.seed)
            return {**found.to_json(), "aside": sorted(found.aside_ids), "refused": list(found.refused)}

        return dict(self.stages.once_json("labellers", work))

    def fitted(self, stage: str, examples: Sequence[Example]) -> Fitted:
        """A fit with calibration and thresholds; read back from its files, so that what is measured is what serves."""

        def work() -> Mapping[str, bytes]:
            data = as_labelled(examples)
            found = fit(
                data, self.encoder, self.plan.settings, self.progress, self._vectors(examples), *alarms(examples)
            )
            return fitted_to_files(found)

        return fitted_from_files(self.stages.once(stage, work), self.encoder)

    def audit(self, fitted: Fitted, examples: Sequence[Example]) -> dict[str, Any]:
        """Likely wrong labels among what was learned from, for people to read; nothing is left out for it."""
        probabilities, labels = fitted.out_of_fold.probabilities, fitted.model.labels
        return dict(self.stages.once_json("audit", lambda: audit_labels(examples, probabilities, labels).to_json()))

    def judged(self, parts: Parts) -> Judged:
        """Fit without the newest quarter and judge; what passes learns from that quarter too and is judged again.

        The one that learned more serves only if it beats the champion on the frozen set as well; see
        docs/adr/0014-retraining.md.
        """
        first = self.fitted(FIT, parts.learned)
        self.audit(first, parts.learned)
        verdict = self._verdict(FIT, first.model, parts.frozen, parts.newest_after(self.champion.learned_until))
        before = Judged(first, verdict, FIT, parts.learned, parts.last_learned_day)
        if self.champion.problem:
            verdict = replace(verdict, promote=False, because=(self.champion.problem,))
            before = replace(before, verdict=verdict)
        if not verdict.promote or not parts.later:
            return before
        learned = (*parts.learned, *parts.later)
        second = self.fitted(REFIT, learned)
        again = self._verdict(REFIT, second.model, parts.frozen, [])
        if not again.promote:
            self.notes.append(f"learning from the newest quarter too was refused: {'; '.join(again.because)}")
            return before
        again = replace(again, newest=verdict.newest)
        return Judged(second, again, REFIT, learned, parts.last_later_day)

    def _verdict(
        self, stage: str, challenger: ReasonModel, frozen: Sequence[Example], newest: Sequence[Example]
    ) -> Verdict:
        def work() -> dict[str, Any]:
            self.progress("champion and challenger", 0, 2)
            champion = self.champion.model_on(self.encoder)
            latency = None
            if champion is not None:
                # the cache would answer in the encoder's stead
                served = self.champion.model_on(self.plan.encoder)
                assert served is not None  # noqa: S101
                texts = [example.text for example in frozen]
                latency = measure_latency(served, replace(challenger, encoder=self.plan.encoder), texts)
            self.progress("champion and challenger", 1, 2)
            human_only = self.plan.settings.human_only
            found = judge(champion, challenger, frozen, human_only, newest=newest, latency=latency)
            self.encoder.save()
            self.progress("champion and challenger", 2, 2)
            return found.to_json()

        return verdict_from_json(self.stages.once_json(f"{stage}-against-{self.champion.label}", work))

    def _vectors(self, examples: Sequence[Example]) -> Vectors:
        return encode_in_steps(self.encoder, [example.text for example in examples], self.progress)
