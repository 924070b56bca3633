"""Attention with dropout: its mask, its mean over many draws, its gradient for the same draw, and its errors."""

import numpy as np
import pytest

from tensorproof_reference.attention.dropout import OPERATIONS, attended, attended_vjp, attention_dropout
from tensorproof_reference.operations.scaled_dot_product_attention import scaled_dot_product_attention
from tensorproof_reference.stream import Stream

(OPERATION,) = OPERATIONS
SIZES = {"query": (2, 3, 5, 4), "key": (2, 3, 7, 4), "value": (2, 3, 7, 6)}
ARRAYS = {name: Stream(3)(name).normal(shape) for name, shape in SIZES.items()}
MASK = Stream(3)("mask").integers((5, 7), 0, 3) > 0
MASK[:, 0] = True
HOW = ({}, {"causal": True}, {"scale": 0.7, "mask": MASK}, {"mask": MASK, "causal": True})


def identity(arrays):
    return {**arrays, "value": np.broadcast_to(np.eye(7), (2, 3, 7, 7))}


@pytest.mark.parametrize("how", HOW)
def test_without_dropout_it_is_plain_attention(how):
    expected = scaled_dot_product_attention(**ARRAYS, **how)
    for off in ({"training": False, "rate": 0.9}, {"rate": 0.0}):
        np.testing.assert_allclose(attention_dropout(**ARRAYS, **how, **off), expected, rtol=1e-13)
    assert not attention_dropout(**ARRAYS, **how, rate=1.0).any()


@pytest.mark.parametrize("how", HOW)
def test_weights_are_dropped_or_scaled_after_the_softmax(how):
    weights = scaled_dot_product_attention(**identity(ARRAYS), **how)
    left = attention_dropout(**identity(ARRAYS), **how, rate=0.25, seed=5)
    kept = left != 0
    np.testing.assert_allclose(left[kept], weights[kept] / 0.75, rtol=1e-13)
    assert 0.1 < np.mean(~kept[weights != 0]) < 0.5
    assert len(np.unique(kept.reshape(-1, 7), axis=0)) > 5
    # The same draw, of other values.
    np.testing.assert_allclose(
        attention_dropout(**ARRAYS, **how, rate=0.25, seed=5), left @ ARRAYS["value"], rtol=1e-11, atol=1e-13
    )


def test_the_mean_over_many_draws_is_attention_without_dropout():
    draws = [attention_dropout(**ARRAYS, rate=0.5, seed=seed) for seed in range(2000)]
    deviation = np.std(draws, axis=0) / np.sqrt(len(draws))
    z = (np.mean(draws, axis=0) - scaled_dot_product_attention(**ARRAYS)) / deviation
    assert np.max(np.abs(z)) < 5.0
    assert np.std(z) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", SIZES)
def test_the_gradient_is_that_of_the_same_draw(name, how):
    how = {**how, "rate": 0.4, "seed": 2}
    dy = Stream(4)("dy").normal((2, 3, 5, 6))
    direction = Stream(4)(name).normal(SIZES[name])

    def along(step):
        return np.sum(dy * attention_dropout(**{**ARRAYS, name: ARRAYS[name] + step * direction}, **how))

    found = np.sum(OPERATION.vjp(dy, **ARRAYS, **how)[name] * direction)
    step = 1e-3
    slope = (8.0 * (along(step) - along(-step)) - (along(2 * step) - along(-2 * step))) / (12.0 * step)
    np.testing.assert_allclose(found, slope, rtol=1e-8)


def test_a_known_draw_and_a_seed_agree():
    kept = attention_dropout(**identity(ARRAYS), rate=0.3, seed=9) != 0
    dy = Stream(4)("dy").normal((2, 3, 5, 6))

    def drop(weights):
        return np.where(kept, weights / 0.7, 0.0)

    plain = {"causal": False, "scale": None}
    np.testing.assert_allclose(attended(drop, **ARRAYS, **plain), attention_dropout(**ARRAYS, rate=0.3, seed=9), rtol=1e-12)
    found = attended_vjp(dy, drop, **ARRAYS, **plain)
    for name, gradient in OPERATION.vjp(dy, **ARRAYS, rate=0.3, seed=9).items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-12)


def test_samples_of_statistics_show_the_weights():
    shown = [sample for sample in OPERATION.samples(Stream(0)("attention_dropout")) if sample.name.startswith("statistics")]
    assert shown
    for sample in shown:
        value = sample.inputs["value"]
        np.testing.assert_array_equal(value, np.broadcast_to(np.eye(value.shape[-1]), value.shape))


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("query", {"query": np.ones((5, 4))}),
        ("key", {"key": np.ones((2, 1, 7, 4)), "value": np.ones((2, 1, 7, 6))}),
        ("key", {"key": np.ones((2, 3, 7, 5))}),
        ("value", {"value": np.ones((2, 3, 6, 6))}),
        ("mask", {"mask": np.ones((5, 7))}),
        ("mask", {"mask": np.ones((5, 6), bool)}),
        ("rate", {"rate": 1.5}),
        ("seed", {"seed": -1}),
    ],
)
def test_errors_name_the_argument(argument, given):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        attention_dropout(**{**ARRAYS, **given})
