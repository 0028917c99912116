"""A change of shares divided into its parts, on numbers that can be checked by hand and on any other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some_arrays

from training.shift.decomposition import Driver, divide, drivers


def segments(channel: list[str], product: list[str] | None = None, language: str = "en") -> dict[str, np.ndarray]:
    n = len(channel)
    return {
        "channel": np.array(channel),
        "marketplace": np.array([""] * n),
        "language": np.array([language] * n),
        "product": np.array(product or [""] * n),
    }


def rates(*rows: tuple[int, float]) -> np.ndarray:
    """``(count, probability of the first of two reasons)`` per block of tickets."""
    first = np.concatenate([np.full(count, p) for count, p in rows])
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


def test_other_proportions_at_equal_rates_are_mix() -> None:
    then, now = segments(["amazon"] * 60 + ["ebay"] * 40), segments(["amazon"] * 20 + ["ebay"] * 80)
    parts = divide(rates((60, 0.8), (40, 0.3)), rates((20, 0.8), (80, 0.3)), then, now, frozenset())
    assert parts.mix == pytest.approx([-0.4 * 0.5, 0.4 * 0.5], abs=1e-6)
    assert parts.mix_by["channel"] == pytest.approx(parts.mix)
    assert parts.mix_by["language"] == pytest.approx([0, 0])
    for nothing in (parts.within, parts.new_channels, parts.new_products):
        assert nothing == pytest.approx([0, 0], abs=1e-6)


def test_other_rates_at_equal_proportions_are_the_reason_itself() -> None:
    where = segments(["amazon"] * 50 + ["ebay"] * 50)
    parts = divide(rates((50, 0.2), (50, 0.4)), rates((50, 0.6), (50, 0.4)), where, where, frozenset())
    assert parts.within == pytest.approx([0.2, -0.2], abs=1e-6)
    assert parts.mix == pytest.approx([0, 0], abs=1e-6)


def test_both_at_once_are_divided_as_kitagawa_did() -> None:
    then, now = segments(["amazon"] * 60 + ["ebay"] * 40), segments(["amazon"] * 30 + ["ebay"] * 70)
    parts = divide(rates((60, 0.5), (40, 0.1)), rates((30, 0.7), (70, 0.2)), then, now, frozenset())
    mix = -0.3 * (0.5 + 0.7) / 2 + 0.3 * (0.1 + 0.2) / 2
    within = 0.45 * 0.2 + 0.55 * 0.1
    assert parts.mix[0] == pytest.approx(mix, abs=1e-6)
    assert parts.within[0] == pytest.approx(within, abs=1e-6)


def test_new_channels_and_products_are_set_apart() -> None:
    then = segments(["amazon"] * 100)
    now = segments(["amazon"] * 80 + ["kaufland"] * 20, ["old"] * 60 + ["jar"] * 20 + ["jar"] * 20)
    parts = divide(rates((100, 0.2)), rates((60, 0.2), (20, 1.0), (20, 0.6)), then, now, frozenset({"jar"}))
    assert parts.new_products[0] == pytest.approx(0.2 * 0.8, abs=1e-6)
    assert parts.new_channels[0] == pytest.approx(0.2 * 0.4, abs=1e-6)
    assert parts.within[0] == pytest.approx(0, abs=1e-6)
    assert parts.whole[0] == pytest.approx(0.24, abs=1e-6)


def test_where_everything_is_new_nothing_else_is_said() -> None:
    parts = divide(rates((10, 0.1)), rates((10, 0.9)), segments(["a"] * 10), segments(["b"] * 10), frozenset())
    assert parts.new_channels == pytest.approx([0.8, -0.8], abs=1e-6)
    assert parts.whole == pytest.approx([0.8, -0.8], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_parts_always_add_up_to_the_change(data: st.DataObject) -> None:
    def period() -> tuple[np.ndarray, dict[str, np.ndarray]]:
        n = data.draw(st.integers(1, 30))
        raw = data.draw(some_arrays.arrays(np.float32, (n, 3), elements=st.floats(0.0625, 1, width=32)))
        of = {
            name: np.array(data.draw(st.lists(st.sampled_from(["", "a", "b", "ü\x1f"]), min_size=n, max_size=n)))
            for name in ("channel", "marketplace", "language", "product")
        }
        return raw / raw.sum(axis=1, keepdims=True), of

    (before, then), (after, now) = period(), period()
    parts = divide(before, after, then, now, frozenset({"b"}))
    assert parts.whole == pytest.approx(after.mean(axis=0) - before.mean(axis=0), abs=1e-5)
    assert parts.whole.sum() == pytest.approx(0, abs=1e-5)


def test_the_product_behind_a_change_is_named() -> None:
    then = segments(["amazon"] * 100, ["lamp"] * 90 + ["jar"] * 10)
    now = segments(["amazon"] * 100, ["lamp"] * 80 + ["jar"] * 20)
    found = drivers(rates((90, 0.1), (10, 0.5)), rates((80, 0.1), (20, 0.9)), then, now, ("channel", "product"))
    assert found[0] == (Driver("product", "jar", pytest.approx(0.2 * 0.9 - 0.1 * 0.5, abs=1e-6)),)
