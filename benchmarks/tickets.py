"""How good the serving model is on tickets that were written apart from its corpus, as the tagger reads them.

Run ``python -m benchmarks.tickets`` after ``paretodesk train``. `training/unseen` and `training/blind` were written
without sight of the corpus, the test part of `training/guard_set` without sight of the rules.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import arguments, machine
from classifier.calibration import expected_calibration_error
from classifier.encoders import UniversalEncoder
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, starter_taxonomy
from desk.intervals import wilson
from models.registry import Registry
from service.current_model import CurrentTagger
from service.settings import load_settings
from training.guard_evaluation import evaluate_guard, load_guard_set

TRAINING = Path(__file__).parent.parent / "training"
RESULTS = Path(__file__).parent / "results" / "tickets.json"
SHOWN_CONFUSIONS = 10


def main() -> None:
    """Measure, print and write the figures."""
    asked = arguments("quality on tickets that the corpus never saw", RESULTS).parse_args()
    settings = load_settings()
    current = CurrentTagger(
        Registry(settings.models_store), settings.signing_key, UniversalEncoder(), starter_taxonomy()
    )
    if current.problem:
        sys.exit(current.problem)
    guard = evaluate_guard(current.tagger, [message for message in load_guard_set() if message.part == "test"])
    figures = {
        "machine": machine(),
        "unseen": _measure(current.tagger, TRAINING / "unseen"),
        "blind": _measure(current.tagger, TRAINING / "blind"),
        "guard_test_part": {
            name: {key: value for key, value in part.items() if not key.startswith("per_")}
            for name, part in guard.to_json().items()
            if isinstance(part, dict)
        },
    }
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def _measure(tagger: Tagger, folder: Path) -> dict[str, Any]:
    rows = [
        {"locale": path.stem, **json.loads(line)}
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    tags = tagger.tag_many([(row.get("subject", ""), row["body"]) for row in rows])
    human_only = starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY)
    right = np.array([tag.reason == row["reason"] for tag, row in zip(tags, rows, strict=True)])
    named = np.array(
        [tag.reason in (row["reason"], *row.get("secondary", ())) for tag, row in zip(tags, rows, strict=True)]
    )
    tagged = np.array([tag.decision == "tagged" for tag in tags])
    raised = np.array([bool(tag.guard) for tag in tags])
    danger = np.array([row["reason"] in human_only for row in rows])
    locales = np.array([row["locale"] for row in rows])
    confusions = Counter(
        f"{row['reason']} taken for {tag.reason}"
        for tag, row in zip(tags, rows, strict=True)
        if tag.reason != row["reason"]
    )
    return {
        "n": len(rows),
        "accuracy": _share(right),
        "accuracy_per_language": {locale: _share(right[locales == locale])["share"] for locale in sorted(set(locales))},
        "a_reason_of_the_ticket": _share(named),
        "ece": round(expected_calibration_error(np.array([tag.confidence for tag in tags]), right), 4),
        "tagged": _share(tagged),
        "wrong_among_tagged": _share(~right[tagged]),
        "no_reason_of_the_ticket_among_tagged": _share(~named[tagged]),
        "guard_recall": _share(raised[danger]),
        "guard_false_alarms": _share(raised[~danger]),
        "confusions": dict(confusions.most_common(SHOWN_CONFUSIONS)),
    }


def _share(mask: Any) -> dict[str, Any]:
    low, high = wilson(int(mask.sum()), len(mask))
    return {
        "share": round(float(mask.mean()), 4) if len(mask) else None,
        "n": len(mask),
        "low": round(low, 4),
        "high": round(high, 4),
    }


if __name__ == "__main__":
    main()
