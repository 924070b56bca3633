"""Attention beyond that of the texts: heads, masks and positions by plain loops, conventions, errors, caches."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.special

from tensorproof_reference.attention import grouped
from tensorproof_reference.attention._samples import OPTIONS, Sizes, drawn
from tensorproof_reference.attention.grouped import grouped_query_attention
from tensorproof_reference.attention.positions import PAIRS, rotary_embedding, sinusoidal_positions
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operations.scaled_dot_product_attention import scaled_dot_product_attention
from tensorproof_reference.stream import Stream

OPERATIONS = known_operations()
STREAM = Stream(7)
SIZES = Sizes(2, 6, 2, 5, 7, 4, 3)


def sees(
    query: int, key: int, counts: tuple[int, int], causal: bool, window: tuple[int, int] | None, alignment: str = "upper_left"
) -> bool:
    """Whether a query may see a key by its position."""
    queries, keys = counts
    place = query + keys - queries if alignment == "lower_right" else query
    if causal and key > place:
        return False
    return window is None or place - window[0] <= key <= place + window[1]


def by_loops(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    bias: Any = None,
    key_lengths: Any = None,
    *,
    causal: bool = False,
    window: tuple[int, int] | None = None,
    alignment: str = "upper_left",
    scale: float | None = None,
    soft_cap: float | None = None,
) -> Any:
    """Attention, one query after the other; each sees the keys that are left in a list."""
    batch, heads, queries, features = query.shape
    groups, keys = key.shape[1:3]
    factor = 1.0 / np.sqrt(features) if scale is None else scale
    masks = np.broadcast_to(True if mask is None else mask, (batch, heads, queries, keys))
    biases = np.broadcast_to(0.0 if bias is None else bias, (batch, heads, queries, keys))
    y = np.zeros((batch, heads, queries, value.shape[3]))
    for b, h, row in np.ndindex(batch, heads, queries):
        g = h // (heads // groups)
        seen = [s for s in range(keys) if sees(row, s, (queries, keys), causal, window, alignment) and masks[b, h, row, s]]
        seen = [s for s in seen if key_lengths is None or s < key_lengths[b]]
        scores = factor * (key[b, g, seen] @ query[b, h, row])
        scores = scores if soft_cap is None else np.array([soft_cap * math.tanh(score / soft_cap) for score in scores])
        y[b, h, row] = scipy.special.softmax(scores + biases[b, h, row, seen]) @ value[b, g, seen]
    return y


def given(sizes: Sizes, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and keywords of attention with these options."""
    arrays, keywords = drawn(STREAM("heads"), sizes), {}
    for option in options:
        more, words = OPTIONS[option](STREAM(option), sizes)
        arrays |= more
        keywords |= words
    return arrays, keywords


@pytest.mark.parametrize("sizes", [SIZES, SIZES._replace(groups=1), SIZES._replace(groups=6, keys=5)], ids=str)
@pytest.mark.parametrize("other", ["scale", "key_lengths", "causal", "causal_lower_right", "window", "mask"])
@pytest.mark.parametrize("option", OPTIONS)
def test_grouped_query_attention_by_loops(sizes: Sizes, option: str, other: str) -> None:
    arrays, keywords = given(sizes, option, other)
    found = grouped_query_attention(**arrays, **keywords)
    np.testing.assert_allclose(found, by_loops(**arrays, **keywords), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_soft_cap_bends_scores_before_the_bias(option: str) -> None:
    arrays, keywords = given(SIZES, option)
    found = grouped_query_attention(**arrays, **keywords, soft_cap=1.5)
    np.testing.assert_allclose(found, by_loops(**arrays, **keywords, soft_cap=1.5), rtol=1e-12, atol=1e-13)


def test_as_many_groups_as_heads_are_plain_attention() -> None:
    arrays, _ = given(SIZES._replace(groups=6))
    np.testing.assert_array_equal(grouped_query_attention(**arrays), scaled_dot_product_attention(**arrays))


def test_a_bias_of_minus_infinity_is_a_mask() -> None:
    arrays, _ = given(SIZES, "infinite_bias")
    mask = arrays["bias"] == 0.0
    expected = grouped_query_attention(**{**arrays, "bias": None}, mask=mask)
    np.testing.assert_allclose(grouped_query_attention(**arrays), expected, rtol=1e-13)


@pytest.mark.parametrize("reason", ["mask", "bias", "key_lengths"])
@np.errstate(invalid="ignore")
def test_queries_without_keys(reason: str) -> None:
    arrays, _ = given(SIZES, "bias")
    hidden: dict[str, Any] = {"mask": np.zeros((2, 1, 1, 7), bool), "bias": np.full((1, 1, 5, 7), -np.inf)}
    hidden["key_lengths"] = np.zeros(2, np.int64)
    arrays[reason] = hidden[reason]
    assert np.isnan(grouped_query_attention(**arrays)).all()
    assert not grouped_query_attention(**arrays, fully_masked_rows="zero").any()
    mean = np.repeat(arrays["value"].mean(axis=2, keepdims=True), 3, axis=1)
    found = grouped_query_attention(**arrays, fully_masked_rows="uniform")
    np.testing.assert_allclose(found, np.broadcast_to(mean, found.shape), rtol=1e-14)
    vjp: Any = OPERATIONS["grouped_query_attention"].vjp
    for convention in ("zero", "uniform"):
        pulled = vjp(np.ones_like(found), **arrays, fully_masked_rows=convention)
        assert not any(pulled[name].any() for name in ("query", "key", "bias")), convention


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": np.ones((2, 5, 4))}, "query: expected an array with 4 axes"),
        ({"key": np.ones((2, 4, 7, 4))}, "key: expected a number of heads that divides 6, got 4"),
        ({"key": np.ones((2, 2, 0, 4)), "value": np.ones((2, 2, 0, 3))}, "key: expected at least one key"),
        ({"key": np.ones((2, 2, 7, 3))}, "key: expected shape"),
        ({"value": np.ones((2, 2, 6, 3))}, "value: expected shape"),
        ({"mask": np.ones((5, 7))}, "mask: expected booleans"),
        ({"mask": np.ones((7, 5), bool)}, "mask: expected a shape that broadcasts"),
        ({"bias": np.ones((3, 5, 7))}, "bias: expected a shape that broadcasts"),
        ({"key_lengths": np.ones(2)}, "key_lengths: expected integers"),
        ({"key_lengths": np.ones(3, np.int64)}, "key_lengths: expected shape"),
        ({"key_lengths": np.array([1, 8])}, "key_lengths: expected numbers from 0 to 7"),
        ({"window": (1,)}, "window: expected two integers of at least 0"),
        ({"window": (-1, 2)}, "window: expected two integers of at least 0"),
        ({"soft_cap": 0.0}, "soft_cap: expected a number above 0"),
        ({"alignment": "left"}, "alignment: expected one of"),
        ({"fully_masked_rows": "skip"}, "fully_masked_rows: expected one of"),
    ],
)
def test_malformed_arguments_are_told(changes: dict[str, Any], message: str) -> None:
    arrays, _ = given(SIZES)
    with pytest.raises(ValueError, match=message):
        grouped_query_attention(**{**arrays, **changes})


def test_work_counts_the_pairs_that_position_allows() -> None:
    arrays, _ = given(SIZES)
    work: Any = grouped.OPERATIONS[0].work
    heads, pairs = 12, 12 * (1 + 2 + 3 + 4 + 5)
    found = work(**arrays, causal=True)
    assert found.flops == 2 * pairs * 4 + 2 * pairs * 3 + 5 * pairs - 2 * 5 * heads
    assert found.transcendentals == pairs
    near = work(**arrays, causal=True, window=(1, 0), bias=np.zeros((1, 6, 5, 7)))
    assert near.transcendentals == 12 * (1 + 4 * 2)


def turned(x: Any, angles: Any, pairs: str) -> Any:
    """Pairs of features as complex numbers, times the number of their angle."""
    half = angles.shape[-1]
    first, second = (x[..., :half], x[..., half:]) if pairs == "halves" else (x[..., ::2], x[..., 1::2])
    z = (first + 1j * second) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], -1) if pairs == "halves" else np.stack([z.real, z.imag], -1).reshape(x.shape)


@pytest.mark.parametrize("pairs", PAIRS)
def test_rotary_embedding_is_a_product_of_complex_numbers(pairs: str) -> None:
    x = STREAM("rotary").normal((2, 3, 5, 8))
    positions = STREAM("positions").integers((2, 5), 0, 11)
    angles = np.arange(11)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    found = rotary_embedding(x, np.cos(angles), np.sin(angles), positions, pairs=pairs)
    np.testing.assert_allclose(found, turned(x, angles[positions][:, None], pairs), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(
        rotary_embedding(x, np.cos(angles), np.sin(angles), pairs=pairs), turned(x, angles[:5], pairs), rtol=1e-13, atol=1e-14
    )


def test_products_of_turned_vectors_depend_on_the_distance_only() -> None:
    a, b = STREAM("a").normal((1, 1, 8)), STREAM("b").normal((1, 1, 8))
    angles = np.arange(40)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    tables = np.cos(angles), np.sin(angles)

    def product(p: int, q: int) -> float:
        first, second = (rotary_embedding(x, *tables, np.array([[place]])) for x, place in ((a, p), (b, q)))
        return float(np.sum(first * second))

    assert product(3, 10) == pytest.approx(product(29, 36), rel=1e-12)


def test_features_beyond_the_tables_stay() -> None:
    x = STREAM("part").normal((2, 5, 8))
    tables = np.zeros((5, 3)), np.ones((5, 3))
    found = rotary_embedding(x, *tables, pairs="interleaved")
    np.testing.assert_array_equal(found[..., 6:], x[..., 6:])
    np.testing.assert_array_equal(found[..., 0], -x[..., 1])


def test_sinusoidal_positions_by_loops() -> None:
    x = np.zeros((4, 6))
    expected = [[function((2 + p) * 100.0 ** (-i / 3)) for i in range(3) for function in (math.sin, math.cos)] for p in range(4)]
    np.testing.assert_allclose(sinusoidal_positions(x, start=2, base=100.0), expected, rtol=1e-14)
    halves = sinusoidal_positions(x, start=2, base=100.0, pairs="halves")
    np.testing.assert_array_equal(halves[:, :3], np.array(sinusoidal_positions(x, start=2, base=100.0))[:, ::2])


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (rotary_embedding, {"x": np.ones((5, 8))}, "x: expected an array with at least 3 axes"),
        (rotary_embedding, {"cosines": np.ones((5, 5)), "sines": np.ones((5, 5))}, "cosines: expected at most 4 columns"),
        (rotary_embedding, {"sines": np.ones((5, 3))}, "sines: expected shape"),
        (rotary_embedding, {"cosines": np.ones((4, 4)), "sines": np.ones((4, 4))}, "cosines: expected at least 5 rows"),
        (rotary_embedding, {"positions": np.ones((2, 5))}, "positions: expected integers"),
        (rotary_embedding, {"positions": np.full((2, 5), 5)}, "positions: expected numbers from 0 to 4"),
        (rotary_embedding, {"pairs": "quarters"}, "pairs: expected one of"),
        (sinusoidal_positions, {"x": np.ones((5, 7))}, "x: expected at least 2 axes, the last of even length"),
        (sinusoidal_positions, {"base": 0.0}, "base: expected a number above 0"),
        (sinusoidal_positions, {"start": -1}, "start: expected an integer of at least 0"),
    ],
)
def test_malformed_positions_are_told(function: Any, given: dict[str, Any], message: str) -> None:
    arrays: dict[str, Any] = {"x": np.ones((2, 5, 8))}
    if function is rotary_embedding:
        arrays |= {"cosines": np.ones((5, 4)), "sines": np.ones((5, 4))}
    with pytest.raises(ValueError, match=message):
        function(**{**arrays, **given})
