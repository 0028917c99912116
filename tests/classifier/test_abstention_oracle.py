"""Our risk control against MAPIE's, an independent implementation of Learn-then-Test."""

import numpy as np
import pytest
from mapie.risk_control import BinaryClassificationController

from classifier.abstention import control_risk, error_upper_bound


def drawn(seed: int, n: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    confidence = random.beta(4, 1, n)
    return confidence, random.random(n) < confidence


@pytest.mark.filterwarnings("ignore:Fixed sequence testing requires")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("target", [0.05, 0.1])
def test_mapie_certifies_our_threshold_or_one_just_above_it(seed: int, target: float) -> None:
    confidence, correct = drawn(seed)
    ours = control_risk(confidence, correct, target, delta=0.05)
    falling = np.sort(confidence)[::-1]
    sequence = falling[np.ceil(len(falling) * np.arange(1, 201) / 200).astype(int) - 1]
    kept = np.ceil(len(falling) * np.arange(1, 201) / 200).astype(int)
    sequence = sequence[[error_upper_bound(int(k * target / 2), k, 0.05) <= target for k in kept]]
    controller = BinaryClassificationController(
        predict_function=lambda x: np.stack([1 - x[:, 0], x[:, 0]], axis=1),
        risk="precision",
        target_level=1 - target,
        confidence_level=0.95,
        list_predict_params=sequence,
        fwer_method="fixed_sequence",
    )
    controller.calibrate(confidence[:, None], correct.astype(int))
    assert len(controller.valid_predict_params)
    theirs = float(np.min(controller.valid_predict_params))
    # Their p-value bounds the binomial's from above, ours is exact: theirs stops at the same step or a little earlier.
    assert ours.threshold <= theirs + 1e-9
    assert (confidence >= ours.threshold).mean() - (confidence >= theirs).mean() < 0.06
