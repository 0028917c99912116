"""Adapt a sentence-transformers encoder to labelled tickets, where that measurably helps.

Texts of one label are drawn together and those of others pushed apart: the supervised contrastive loss of Khosla et al.
2020 (arXiv:2004.11362), over batches of several texts of several labels. Some groups are held out: on one half of
them the head that ships says which checkpoint is best and when to stop, on the other whether that one is better than
the encoder was. It counts as adapted only if its gain is beyond chance.

FinetuneError
    └── nothing can be adapted: an encoder without weights to change, too few texts, a folder that cannot be written
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from classifier.encoders import Encoder, SentenceTransformerEncoder, StackedEncoder
from training.contrastive import Parts, Tuning
from training.fitting import Labelled, Progress, silent

HELD_OUT = 0.2
"""Share of the groups that is never learned from: one half chooses the checkpoint, the other judges it."""
MINUTES = 10.0
PATIENCE = 3
"""Checks without a gain after which it stops."""
PROVENANCE = "paretodesk.json"


class FinetuneError(ValueError):
    """This cannot be adapted; the message says why and what to do."""


@dataclass(frozen=True)
class Finetuned:
    """What came of it: macro-F1 ``before`` and ``after`` on the ``n`` judging texts, and the gain's 95% interval.

    ``encoder`` is the folder of the adapted one, None where it does not help; ``checks`` are (seconds, macro-F1 on the
    choosing texts). The interval is a paired bootstrap.
    """

    start: str
    encoder: str | None
    before: float
    after: float
    low: float
    high: float
    n: int
    seconds: float
    checks: tuple[tuple[float, float], ...]

    @property
    def helps(self) -> bool:
        """Whether the gain is beyond chance."""
        return self.low > 0

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"adapting {self.start} {'helps' if self.helps else 'does not help'}: macro-F1 on {self.n} held-out texts "
            f"{self.before:.3f} before, {self.after:.3f} after {self.seconds:.0f} s "
            f"(gain {self.after - self.before:+.3f}, 95% {self.low:+.3f} to {self.high:+.3f})"
        )

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk train --finetune --json` and the provenance beside the weights."""
        return {**asdict(self), "helps": self.helps}


def adapted(
    encoder: Encoder,
    data: Labelled,
    root: Path,
    *,
    seed: int,
    minutes: float = MINUTES,
    progress: Progress = silent,
) -> tuple[Encoder, Finetuned]:
    """The encoder to go on with, and what `finetune` said: of several side by side the one that can be adapted is.

    What was adapted to the same texts before is found again under ``root``. Raises `FinetuneError`.
    """
    parts = encoder.parts if isinstance(encoder, StackedEncoder) else (encoder,)
    place = next((i for i, part in enumerate(parts) if isinstance(part, SentenceTransformerEncoder)), None)
    if place is None:
        raise FinetuneError(
            f"the weights of {encoder.name} cannot be adapted: take --profile accurate, or name a "
            "sentence-transformers model with --encoder"
        )
    lines = (f"{label}\x1f{text}" for label, text in zip(data.labels, data.texts, strict=True))
    told = "\x1e".join((parts[place].name, str(seed), *sorted(lines)))
    folder = root / f"adapted-{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    result = _known(folder) or finetune(parts[place], data, folder, seed=seed, minutes=minutes, progress=progress)
    if result.encoder is None:
        return encoder, result
    changed = [*parts[:place], SentenceTransformerEncoder(result.encoder), *parts[place + 1 :]]
    return (StackedEncoder(changed) if len(changed) > 1 else changed[0]), result


def finetune(
    encoder: Encoder,
    data: Labelled,
    folder: Path,
    *,
    seed: int,
    minutes: float = MINUTES,
    progress: Progress = silent,
) -> Finetuned:
    """Adapt a copy of ``encoder`` to ``data`` for at most ``minutes`` of wall clock; ``encoder`` itself stays.

    What helps is written to ``folder``, whole or not at all. Raises `FinetuneError`.
    """
    if not isinstance(encoder, SentenceTransformerEncoder):
        raise FinetuneError(f"the weights of {encoder.name} cannot be adapted: it is no sentence-transformers model")
    if folder.exists():
        raise FinetuneError(f"{folder} exists already; choose another name or remove it")
    parts = _split(data, seed)
    tuning = Tuning(encoder, data, parts, seed)
    started, total = time.monotonic(), minutes * 60
    before = predicted = tuning.predicted()
    best = tuning.score(before, parts.choosing)
    checks = [(0.0, round(best, 4))]
    without_gain, weights = 0, tuning.weights()
    for _ in tuning.steps():
        elapsed = time.monotonic() - started
        now = tuning.predicted()
        score = tuning.score(now, parts.choosing)
        checks.append((round(elapsed, 1), round(score, 4)))
        progress("adapting the encoder", int(min(elapsed, total)), int(total))
        if score > best:
            best, predicted, without_gain, weights = score, now, 0, tuning.weights()
        else:
            without_gain += 1
        if without_gain >= PATIENCE or elapsed > total:
            break
    low, high = tuning.interval(before, predicted, parts.judging)
    result = Finetuned(
        start=encoder.name,
        encoder=str(folder) if low > 0 else None,
        before=tuning.score(before, parts.judging),
        after=tuning.score(predicted, parts.judging),
        low=low,
        high=high,
        n=len(parts.judging),
        seconds=round(time.monotonic() - started, 1),
        checks=tuple(checks),
    )
    if result.helps:
        tuning.restore(weights)
        _write(folder, tuning.model, result)
    return result


def _split(data: Labelled, seed: int) -> Parts:
    if len(set(data.groups)) < 3 or len(set(data.labels)) < 2:
        raise FinetuneError("at least two labels, and examples that do not all belong together, are needed")
    groups = np.array(data.groups)
    learned, held = next(GroupShuffleSplit(1, test_size=HELD_OUT, random_state=seed).split(groups, groups=groups))
    known = {data.labels[row] for row in learned}
    held = np.array([row for row in held if data.labels[row] in known], dtype=np.int64)
    if len(held) < 2 * len(known) or len(set(groups[held])) < 2:
        raise FinetuneError(
            f"{len(held)} held-out texts are too few to see a gain over {len(known)} labels; add examples"
        )
    halves = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
    choosing, judging = next(halves.split(held, groups=groups[held]))
    return Parts(learned, held[choosing], held[judging])


def _known(folder: Path) -> Finetuned | None:
    try:
        told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        told.pop("helps")
        return Finetuned(**{**told, "encoder": str(folder), "checks": tuple(map(tuple, told["checks"]))})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FinetuneError(f"{folder} is not what was written there ({error}); remove it to adapt anew") from error


def _write(folder: Path, model: Any, result: Finetuned) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
        try:
            model.save_pretrained(str(draft), create_model_card=False)
            (draft / PROVENANCE).write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
            os.rename(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise FinetuneError(f"{folder} cannot be written: {error.strerror}") from error
