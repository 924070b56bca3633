"""Normalization, attention, look-up and dropout, against SciPy, mpmath and NumPy written another way."""

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats

from tensorproof_reference.operations import dropout as dropout_file
from tensorproof_reference.operations import embedding as embedding_file
from tensorproof_reference.operations import scaled_dot_product_attention as attention_file
from tensorproof_reference.operations.batch_norm import batch_norm
from tensorproof_reference.operations.batch_norm import vjp as batch_norm_vjp
from tensorproof_reference.operations.dropout import dropout
from tensorproof_reference.operations.embedding import embedding
from tensorproof_reference.operations.layer_norm import layer_norm
from tensorproof_reference.operations.layer_norm import vjp as layer_norm_vjp
from tensorproof_reference.operations.one_hot import one_hot
from tensorproof_reference.operations.scaled_dot_product_attention import scaled_dot_product_attention
from tensorproof_reference.stream import Stream

STREAM = Stream(7)


def channel_vectors(channels: int) -> dict[str, Any]:
    return {
        "scale": STREAM("scale").uniform((channels,), 0.5, 1.5),
        "offset": STREAM("offset").normal((channels,)),
        "running_mean": STREAM("running_mean").normal((channels,)),
        "running_variance": STREAM("running_variance").uniform((channels,), 0.5, 2.0),
    }


@pytest.mark.parametrize("shape", [(8, 3), (5, 3, 7), (4, 3, 5, 2)])
def test_batch_norm_is_the_z_score_of_each_channel(shape: tuple[int, ...]) -> None:
    x = STREAM("x").normal(shape)
    vectors = channel_vectors(3)
    y, mean, variance = batch_norm(x, **vectors, epsilon=0.0, momentum=0.8)
    flat = np.moveaxis(x, 1, 0).reshape(3, -1)
    z = scipy.stats.zscore(flat, axis=1)
    expected = vectors["scale"][:, None] * z + vectors["offset"][:, None]
    np.testing.assert_allclose(np.moveaxis(y, 1, 0).reshape(3, -1), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mean, 0.8 * vectors["running_mean"] + 0.2 * flat.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(variance, 0.8 * vectors["running_variance"] + 0.2 * flat.var(axis=1, ddof=1), rtol=1e-13)
    biased = batch_norm(x, **vectors, momentum=0.8, running_variance_estimate="biased")[2]
    np.testing.assert_allclose(biased, 0.8 * vectors["running_variance"] + 0.2 * flat.var(axis=1), rtol=1e-13)


def test_batch_norm_at_inference_uses_and_keeps_the_running_statistics() -> None:
    x = STREAM("x").normal((4, 3, 2))
    vectors = channel_vectors(3)
    y, mean, variance = batch_norm(x, **vectors, training=False, epsilon=0.25)
    for channel in range(3):
        scale, offset, centre, spread = (vectors[name][channel] for name in vectors)
        expected = (x[:, channel] - centre) * (spread + 0.25) ** -0.5 * scale + offset
        np.testing.assert_allclose(y[:, channel], expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(mean, vectors["running_mean"])
    np.testing.assert_array_equal(variance, vectors["running_variance"])


def test_batch_norm_momentum_weighs_the_old_value() -> None:
    x = STREAM("x").normal((4, 3))
    vectors = channel_vectors(3)
    np.testing.assert_array_equal(batch_norm(x, **vectors, momentum=1.0)[1], vectors["running_mean"])
    np.testing.assert_allclose(batch_norm(x, **vectors, momentum=0.0)[1], x.mean(axis=0), rtol=1e-15)


@pytest.mark.parametrize("deviation", [1.0, 3e-3, 1e-5])
def test_layer_norm_in_many_digits(deviation: float) -> None:
    x = STREAM("x").normal((8,), deviation=deviation)
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(value)) for value in x]
        mean = mpmath.fsum(exact) / 8
        variance = mpmath.fsum((value - mean) ** 2 for value in exact) / 8
        expected = [float((value - mean) / mpmath.sqrt(variance + mpmath.mpf(1e-5))) for value in exact]
    np.testing.assert_allclose(layer_norm(x), expected, rtol=1e-12)


def test_layer_norm_over_two_axes_is_that_of_the_flattened_axes() -> None:
    x, scale, offset = (STREAM(name).normal(shape) for name, shape in (("x", (3, 4, 5)), ("scale", (4, 5)), ("offset", (4, 5))))
    flat = layer_norm(x.reshape(3, 20), scale.reshape(20), offset.reshape(20))
    for axes in ((-2, -1), (1, 2), (-1, -2)):
        np.testing.assert_allclose(layer_norm(x, scale, offset, axes=axes), flat.reshape(3, 4, 5), rtol=1e-13)


def test_adding_a_constant_to_the_input_has_no_gradient() -> None:
    x, dy = STREAM("x").normal((6, 3, 4)), STREAM("dy").normal((6, 3, 4))
    through_batch = batch_norm_vjp(dy, x, **channel_vectors(3))["x"]
    np.testing.assert_allclose(through_batch.sum(axis=(0, 2)), 0.0, atol=1e-13)
    np.testing.assert_allclose(layer_norm_vjp(dy, x)["x"].sum(axis=-1), 0.0, atol=1e-13)


def test_nan_stays_in_its_channel_or_row() -> None:
    x = STREAM("x").normal((6, 3, 4))
    x[2, 1, 3] = np.nan
    y, mean, variance = batch_norm(x, **channel_vectors(3))
    for result in (np.moveaxis(y, 1, 0), mean, variance):
        assert [bool(np.isnan(channel).all()) for channel in result] == [False, True, False]
        assert not np.isnan(result[[0, 2]]).any()
    row = np.isnan(layer_norm(x))
    assert row[2, 1].all()
    assert row.sum() == 4


def attention_by_loops(query: Any, key: Any, value: Any, allowed: Any, scale: float) -> Any:
    y = np.zeros((*query.shape[:-1], value.shape[-1]))
    for place in np.ndindex(*query.shape[:-1]):
        keys = np.flatnonzero(allowed[place])
        scores = scale * np.array([np.dot(query[place], key[place[:-1]][index]) for index in keys])
        y[place] = scipy.special.softmax(scores) @ value[place[:-1]][keys]
    return y


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (5, 7), (7, 5)])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask_shape", [None, (3, 1, 1), (1, 1), "keys"])
def test_attention_by_loops(queries: int, keys: int, causal: bool, mask_shape: Any) -> None:
    query, key, value = (
        STREAM(name).normal((2, 3, *shape)) for name, shape in (("query", (queries, 4)), ("key", (keys, 4)), ("value", (keys, 6)))
    )
    allowed = np.ones((2, 3, queries, keys), dtype=bool)
    mask = None
    if mask_shape is not None:
        mask = STREAM("mask").integers((keys,) if mask_shape == "keys" else (*mask_shape[:-1], keys), 0, 2) > 0
        mask[..., 0] = True
        allowed &= mask
    if causal:
        allowed &= np.arange(keys) <= np.arange(queries)[:, None]
    y = scaled_dot_product_attention(query, key, value, mask, causal=causal, scale=0.3)
    np.testing.assert_allclose(y, attention_by_loops(query, key, value, allowed, 0.3), rtol=1e-12, atol=1e-14)


def test_attention_scales_by_the_root_of_the_features() -> None:
    query, key, value = (STREAM(name).normal((5, 9)) for name in ("query", "key", "value"))
    expected = attention_by_loops(query, key, value, np.ones((5, 5), bool), 1 / 3)
    np.testing.assert_allclose(scaled_dot_product_attention(query, key, value), expected, rtol=1e-12)


@np.errstate(invalid="ignore")
def test_fully_masked_rows() -> None:
    query, key, value, dy = (STREAM(name).normal((3, 4)) for name in ("query", "key", "value", "dy"))
    mask = np.array([[True, False, True], [False, False, False], [True, True, True]])
    results = {
        convention: scaled_dot_product_attention(query, key, value, mask, fully_masked_rows=convention)
        for convention in attention_file.FULLY_MASKED_ROWS
    }
    assert np.isnan(results["nan"][1]).all()
    np.testing.assert_array_equal(results["zero"][1], 0.0)
    np.testing.assert_allclose(results["uniform"][1], value.mean(axis=0), rtol=1e-14)
    for result in results.values():
        np.testing.assert_array_equal(result[[0, 2]], results["zero"][[0, 2]])
    gradients = {
        convention: attention_file.vjp(dy, query, key, value, mask, fully_masked_rows=convention)
        for convention in ("zero", "uniform")
    }
    for gradient in gradients.values():
        np.testing.assert_array_equal(gradient["query"][1], 0.0)
        assert np.isfinite(gradient["key"]).all()
    difference = gradients["uniform"]["value"] - gradients["zero"]["value"]
    np.testing.assert_allclose(difference, np.broadcast_to(dy[1] / 3, (3, 4)), rtol=1e-12)


def test_embedding_is_the_product_with_one_hot_rows() -> None:
    indices, weight = STREAM("indices").integers((3, 5), 0, 6), STREAM("weight").normal((6, 4))
    rows = np.eye(6)[indices]
    np.testing.assert_array_equal(one_hot(indices, classes=6), rows)
    np.testing.assert_array_equal(embedding(indices, weight), rows @ weight)
    dy = STREAM("dy").grid((3, 5, 4))
    expected = np.einsum("niv,nie->ve", rows, dy)
    np.testing.assert_array_equal(embedding_file.vjp(dy, indices, weight)["weight"], expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_indices_of_any_integer_dtype(dtype: Any) -> None:
    weight = STREAM("weight").normal((6, 4))
    indices = np.array([[0, 5], [3, 3]]).astype(dtype)
    np.testing.assert_array_equal(embedding(indices, weight), weight[[[0, 5], [3, 3]]])
    np.testing.assert_array_equal(one_hot(indices, classes=6), np.eye(6)[[[0, 5], [3, 3]]])


def test_indices_out_of_range() -> None:
    indices, weight, dy = np.array([-1, 2, 6]), STREAM("weight").normal((6, 4)), np.ones((3, 4))
    nothing, blank = np.zeros(4), np.full(4, np.nan)
    for convention, low, high in (("zeros", nothing, nothing), ("nan", blank, blank), ("clamp", weight[0], weight[5])):
        rows = embedding(indices, weight, out_of_range=convention)
        np.testing.assert_array_equal(rows, np.stack([low, weight[2], high]))
        added = embedding_file.vjp(dy, indices, weight, out_of_range=convention)["weight"][:, 0]
        np.testing.assert_array_equal(added, [1, 0, 1, 0, 0, 1] if convention == "clamp" else [0, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(one_hot(indices, classes=6, out_of_range="zeros"), np.eye(8)[[6, 2, 7], :6])
    np.testing.assert_array_equal(one_hot(indices, classes=6, out_of_range="clamp"), np.eye(6)[[0, 2, 5]])
    assert np.isnan(one_hot(indices, classes=6, out_of_range="nan")).all(axis=-1).tolist() == [True, False, True]


@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_dropout_as_a_distribution(rate: float) -> None:
    x = np.full((250, 400), 2.0)
    y = dropout(x, rate=rate, seed=3)
    dropped = y == 0
    np.testing.assert_array_equal(y[~dropped], 2.0 / (1.0 - rate))
    assert abs(dropped.sum() - x.size * rate) < 5 * np.sqrt(x.size * rate * (1 - rate))
    centred = (dropped - rate).reshape(-1)
    assert abs(np.sum(centred[1:] * centred[:-1])) < 5 * rate * (1 - rate) * np.sqrt(x.size)
    np.testing.assert_array_equal(dropout(x, rate=rate, seed=3), y)
    assert (dropout(x, rate=rate, seed=4) != y).any()
    dy = np.full(x.shape, 3.0)
    np.testing.assert_array_equal(dropout_file.vjp(dy, x, rate=rate, seed=3)["x"] == 0, dropped)


def test_dropout_that_does_nothing_or_all() -> None:
    x = np.array([1.0, np.nan, -np.inf, -0.0])
    np.testing.assert_array_equal(dropout(x, rate=0.9, training=False), x)
    np.testing.assert_array_equal(dropout(x, rate=0.0), x)
    np.testing.assert_array_equal(dropout(x, rate=1.0), np.zeros(4))


X, ROW = np.ones((4, 3)), np.ones(3)
BATCH = {"x": X, "scale": ROW, "offset": ROW, "running_mean": ROW, "running_variance": ROW}
ATTENTION = {"query": np.ones((5, 4)), "key": np.ones((7, 4)), "value": np.ones((7, 6))}
INDICES = np.array([0, 1])


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (batch_norm, {**BATCH, "x": ROW}, "x"),
        (batch_norm, {**BATCH, "x": X[:1]}, "x"),
        (batch_norm, {**BATCH, "x": X[:0], "running_variance_estimate": "biased"}, "x"),
        *((batch_norm, {**BATCH, name: np.ones(4)}, name) for name in BATCH if name != "x"),
        (batch_norm, {**BATCH, "epsilon": -1e-5}, "epsilon"),
        (batch_norm, {**BATCH, "momentum": 1.5}, "momentum"),
        (batch_norm, {**BATCH, "running_variance_estimate": "sample"}, "running_variance_estimate"),
        (layer_norm, {"x": X, "axes": (0,)}, "axes"),
        (layer_norm, {"x": X, "axes": ()}, "axes"),
        (layer_norm, {"x": X, "axes": (1, 1)}, "axes"),
        (layer_norm, {"x": X, "axes": (-3, -2, -1)}, "axes"),
        (layer_norm, {"x": np.ones((4, 0))}, "x"),
        (layer_norm, {"x": X, "scale": np.ones(4)}, "scale"),
        (layer_norm, {"x": X, "offset": np.ones((4, 3))}, "offset"),
        (layer_norm, {"x": X, "epsilon": -1.0}, "epsilon"),
        (scaled_dot_product_attention, {**ATTENTION, "query": np.ones(4)}, "query"),
        (scaled_dot_product_attention, {**ATTENTION, "query": np.ones((5, 0))}, "query"),
        (scaled_dot_product_attention, {**ATTENTION, "key": np.ones((7, 3))}, "key"),
        (scaled_dot_product_attention, {**ATTENTION, "key": np.ones((2, 7, 4))}, "key"),
        (scaled_dot_product_attention, {**ATTENTION, "key": np.ones((0, 4))}, "key"),
        (scaled_dot_product_attention, {**ATTENTION, "value": np.ones((6, 6))}, "value"),
        (scaled_dot_product_attention, {**ATTENTION, "value": np.ones((1, 7, 6))}, "value"),
        (scaled_dot_product_attention, {**ATTENTION, "mask": np.ones((5, 7))}, "mask"),
        (scaled_dot_product_attention, {**ATTENTION, "mask": np.ones((7, 5), bool)}, "mask"),
        (scaled_dot_product_attention, {**ATTENTION, "mask": np.ones((1, 5, 7), bool)}, "mask"),
        (scaled_dot_product_attention, {**ATTENTION, "fully_masked_rows": "skip"}, "fully_masked_rows"),
        (embedding, {"indices": INDICES, "weight": ROW}, "weight"),
        (embedding, {"indices": INDICES, "weight": X[:0], "out_of_range": "clamp"}, "weight"),
        (embedding, {"indices": INDICES * 1.0, "weight": X}, "indices"),
        (embedding, {"indices": INDICES + 3, "weight": X}, "indices"),
        (embedding, {"indices": INDICES - 1, "weight": X}, "indices"),
        (embedding, {"indices": INDICES, "weight": X, "out_of_range": "wrap"}, "out_of_range"),
        (one_hot, {"labels": INDICES * 1.0, "classes": 3}, "labels"),
        (one_hot, {"labels": INDICES, "classes": 1}, "labels"),
        (one_hot, {"labels": INDICES - 1, "classes": 3}, "labels"),
        (one_hot, {"labels": INDICES, "classes": 0}, "classes"),
        (one_hot, {"labels": INDICES, "classes": 3, "out_of_range": "wrap"}, "out_of_range"),
        (dropout, {"x": X, "rate": 1.5}, "rate"),
        (dropout, {"x": X, "rate": -0.1}, "rate"),
        (dropout, {"x": X, "seed": -1}, "seed"),
    ],
)
def test_invalid_arguments_are_named(function: Any, arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: expected"):
        function(**arguments)
