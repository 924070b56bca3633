"""Attention: see ``scaled_dot_product_attention``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_broadcast, require_choice, require_shape
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._workloads import ordinary, products
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

FULLY_MASKED_ROWS = ("nan", "zero", "uniform")


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Array:
    r"""For each query, the mean of the values weighted by how well their keys match it:
    :math:`y = \mathrm{softmax}(s\, Q K^\top) V`, with :math:`s = 1/\sqrt{E}` unless ``scale`` is given.

    Where ``mask`` is false the score is -∞, and the weight so 0. ``causal=True`` lets query l see keys 0 to l only, whatever the
    number of keys (aligned at the top left); together with a mask, both must allow.

    If no key is allowed for a query, ``fully_masked_rows`` chooses the result:

    - ``"nan"``: NaN, the formula's own result;
    - ``"zero"``: zero, and its scores have no gradient;
    - ``"uniform"``: the plain mean of all values, as from a large negative number in place of -∞. Its scores have no gradient.

    Shapes: ``query`` (…, L, E), ``key`` (…, S, E), ``value`` (…, S, V), the result (…, L, V), with the same leading axes
    or none; ``mask`` is boolean and broadcasts to (…, L, S).
    Special values: NaN in a query makes its row NaN, in a key every row that may see it, in a value that feature of every row
    (also of rows that may not see it: 0 · NaN).
    Raises: ``ValueError`` if shapes do not fit, there are no keys or features, ``mask`` is not boolean, or the convention is
    unknown.
    Source: Vaswani et al. (2017), eq. 1.
    """
    weights, _ = _weights(query, key, value, mask, causal, scale, fully_masked_rows)
    return np.matmul(weights, value)


def _check(query: Array, key: Array, value: Array, mask: Array | None, fully_masked_rows: str) -> None:
    require(query.ndim >= 2, "query", "an array with at least 2 axes", f"shape {query.shape}")
    require(query.shape[-1] > 0, "query", "at least one feature", f"shape {query.shape}")
    require(key.ndim == query.ndim, "key", f"an array with {query.ndim} axes", f"shape {key.shape}")
    require_shape(key, "key", (*query.shape[:-2], key.shape[-2], query.shape[-1]))
    require(key.shape[-2] > 0, "key", "at least one key", f"shape {key.shape}")
    require(value.ndim == query.ndim, "value", f"an array with {query.ndim} axes", f"shape {value.shape}")
    require_shape(value, "value", (*key.shape[:-1], value.shape[-1]))
    require_choice(fully_masked_rows, "fully_masked_rows", FULLY_MASKED_ROWS)
    if mask is not None:
        require(mask.dtype == np.bool_, "mask", "booleans", f"dtype {mask.dtype}")
        require_broadcast(mask, "mask", (*query.shape[:-1], key.shape[-2]))


def _weights(
    query: Array, key: Array, value: Array, mask: Array | None, causal: bool, scale: float | None, fully_masked_rows: str
) -> tuple[Array, Array]:
    """The weight of each key for each query, and the array of booleans that says which keys are allowed."""
    _check(query, key, value, mask, fully_masked_rows)
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * scale_of(query, scale)
    allowed = np.ones(scores.shape[-2:], dtype=bool)
    if causal:
        allowed = np.tril(allowed)
    if mask is not None:
        allowed = allowed & mask
    return masked_softmax(scores, allowed, np.any(allowed, axis=-1, keepdims=True), fully_masked_rows), allowed


def masked_softmax(scores: Array, allowed: Array, visible: Array, fully_masked_rows: str) -> Array:
    """The weights of scores: their softmax over the allowed keys; in rows that are not ``visible`` what the convention says."""
    masked = np.where(allowed, scores, -np.inf)
    exponentials = np.exp(masked - np.max(masked, axis=-1, keepdims=True))
    weights = exponentials / np.sum(exponentials, axis=-1, keepdims=True)
    if fully_masked_rows == "nan":
        return weights
    replacement = 0.0 if fully_masked_rows == "zero" else 1.0 / scores.shape[-1]
    return np.where(visible, weights, replacement)


def masked_softmax_vjp(dweights: Array, weights: Array, allowed: Array) -> Array:
    r"""The gradient of the scores, :math:`P \odot (dP - \sum_k dP_k P_k)` where allowed and 0 elsewhere."""
    through_softmax = weights * (dweights - np.sum(dweights * weights, axis=-1, keepdims=True))
    return np.where(allowed, through_softmax, 0.0)


def scale_of(query: Array, scale: float | None) -> float:
    """The scale of scores: one over the root of the features unless another is given."""
    return 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale


def vjp(
    dy: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Gradients:
    r"""With :math:`P` the weights: :math:`dV = P^\top dy`, :math:`dP = dy\, V^\top`,
    :math:`dS = P \odot (dP - \sum_k dP_k P_k)` where allowed and 0 elsewhere,
    :math:`dQ = s\, dS\, K`, :math:`dK = s\, dS^\top Q`.
    """
    weights, allowed = _weights(query, key, value, mask, causal, scale, fully_masked_rows)
    dweights = np.matmul(dy, np.swapaxes(value, -1, -2))
    dscores = masked_softmax_vjp(dweights, weights, allowed) * scale_of(query, scale)
    return {
        "query": np.matmul(dscores, key),
        "key": np.matmul(np.swapaxes(dscores, -1, -2), query),
        "value": np.matmul(np.swapaxes(weights, -1, -2), dy),
    }


def samples(stream: Stream) -> Iterator[Sample]:
    """Ranks, masks of each shape, causal with as many, more and fewer keys than queries, both at once, wide scores, long rows."""
    heads = (2, 3, 5, 7, 4, 6)

    def arguments(name: str, *sizes: int, deviation: float = 1.0, **given: Any) -> dict[str, Array]:
        *leading, queries, keys, features, results = sizes
        numbers = stream(name)
        return {
            "query": numbers("query").normal((*leading, queries, features), deviation=deviation),
            "key": numbers("key").normal((*leading, keys, features), deviation=deviation),
            "value": numbers("value").normal((*leading, keys, results)),
            **given,
        }

    def some(name: str, *shape: int) -> Array:
        """Two thirds true, and true for the first key, so that no row is fully masked."""
        mask = stream(name)("mask").integers(shape, 0, 3) > 0
        mask[..., 0] = True
        return mask

    causal = {"causal": True}
    scaled = {"scale": 0.3}
    high = ("float64", "float32")
    fine = (*high, "float16")
    yield Sample(name="plain_heads", inputs=arguments("plain_heads", *heads))
    yield Sample(name="size_large", inputs=arguments("size_large", 2, 2, 32, 48, 16, 16))
    yield Sample(name="rank_two", inputs=arguments("rank_two", 5, 7, 4, 6))
    yield Sample(name="rank_three", inputs=arguments("rank_three", 3, 5, 7, 4, 6))
    yield Sample(name="rank_five", inputs=arguments("rank_five", 2, 1, 3, 5, 7, 4, 6), required=False)
    yield Sample(name="unit_query", inputs=arguments("unit_query", 2, 3, 1, 7, 4, 6))
    yield Sample(name="unit_feature", inputs=arguments("unit_feature", 2, 3, 5, 7, 1, 1))
    yield Sample(name="unit_leading", inputs=arguments("unit_leading", 1, 1, 5, 7, 4, 6))
    one_key = arguments("unit_key", 2, 3, 5, 1, 4, 6)
    yield Sample(
        name="unit_key",
        inputs=one_key,
        expected={"y": np.repeat(one_key["value"], 5, axis=-2)},
        exact_zero=("d_query", "d_key"),
    )
    each: list[dict[str, Any]] = [causal, scaled, causal | scaled]
    one_query = arguments("unit_query_with", 2, 3, 1, 7, 4, 6)
    yield from with_each(Sample(name="unit_query", inputs=one_query), each)
    masked_query = {**one_query, "mask": some("unit_query_mask", 2, 1, 1, 7)}
    yield Sample(name="unit_query_mask", inputs=masked_query)
    yield from with_each(Sample(name="unit_query_mask", inputs=masked_query), each)
    only = Sample(name="unit_key", inputs=arguments("unit_key_with", 2, 3, 5, 1, 4, 6), exact_zero=("d_query", "d_key"))
    yield from with_each(only, each)
    feature = Sample(name="unit_feature", inputs=arguments("unit_feature_with", 2, 3, 5, 7, 1, 1), dtypes=fine)
    yield from with_each(feature, each)
    yield Sample(name="empty_batch", inputs=arguments("empty_batch", 0, 3, 5, 7, 4, 6), required=False)
    yield Sample(name="strided_transposed", inputs=arguments("strided_transposed", *heads), memory="transposed")
    yield Sample(name="strided_sliced", inputs=arguments("strided_sliced", *heads), memory="sliced")

    for name, shape in (
        ("mask_full", (2, 3, 5, 7)),
        ("mask_shared", (5, 7)),
        ("mask_per_example", (2, 1, 5, 7)),
        ("mask_padding", (2, 1, 1, 7)),
        ("mask_keys", (7,)),
    ):
        yield Sample(name=name, inputs=arguments(name, *heads, mask=some(name, *shape)))
    masked = arguments("mask_rank_two", 5, 7, 4, 6, mask=some("mask_rank_two", 5, 7))
    yield Sample(name="mask_rank_two", inputs=masked)
    everything = np.ones((5, 7), dtype=bool)
    yield Sample(name="mask_allows_everything", inputs=arguments("mask_allows_everything", *heads, mask=everything))
    yield Sample(name="mask_scale", inputs=arguments("mask_scale", *heads, mask=some("mask_scale", 5, 7)), keywords=scaled)
    yield Sample(name="mask_causal_square", inputs=arguments("mask_causal_square", 2, 3, 5, 5, 4, 6), keywords=causal)
    yield Sample(name="mask_causal_more_keys", inputs=arguments("mask_causal_more_keys", *heads), keywords=causal)
    yield Sample(name="mask_causal_fewer_keys", inputs=arguments("mask_causal_fewer_keys", 2, 3, 7, 5, 4, 6), keywords=causal)
    matrices = arguments("mask_causal_rank_two", 5, 7, 4, 6)
    yield Sample(name="mask_causal_rank_two", inputs=matrices, keywords=causal, dtypes=fine)
    for name, shape in (("mask_and_causal", (2, 3, 5, 7)), ("mask_padding_and_causal", (2, 1, 1, 7))):
        yield Sample(name=name, inputs=arguments(name, *heads, mask=some(name, *shape)), keywords=causal)

    yield Sample(name="optional_scale", inputs=arguments("optional_scale", *heads), keywords=scaled)
    unscaled = arguments("optional_scale_one", *heads)
    yield Sample(name="optional_scale_one", inputs=unscaled, keywords={"scale": 1.0}, dtypes=fine)
    yield Sample(name="optional_scale_causal", inputs=arguments("optional_scale_causal", *heads), keywords=causal | scaled)
    uniform = arguments("bounds_scale_zero", *heads)
    equal = ("d_query", "d_key")
    yield Sample(name="bounds_scale_zero", inputs=uniform, keywords={"scale": 0.0}, exact_zero=equal)
    yield Sample(name="magnitude_small", inputs=arguments("magnitude_small", *heads, deviation=0.01))
    spread = arguments("magnitude_spread_10", *heads, deviation=2.0)
    yield Sample(name="magnitude_spread_10", inputs=spread, dtypes=fine)
    yield Sample(name="magnitude_spread_60", inputs=arguments("magnitude_spread_60", *heads, deviation=4.5), dtypes=high)
    spread = arguments("magnitude_spread_60_causal", *heads, deviation=4.5)
    yield Sample(name="magnitude_spread_60_causal", inputs=spread, keywords=causal, dtypes=high)
    yield Sample(name="long_keys", inputs=arguments("long_keys", 1, 2, 3, 513, 8, 4, deviation=0.5))
    yield Sample(name="long_features", inputs=arguments("long_features", 1, 2, 3, 5, 513, 4))
    yield from long_samples(lambda name, length: arguments(name, 1, 1, 2, length, 4, 4, deviation=0.5), "keys")

    rows = some("convention_fully_masked", 2, 1, 5, 7)
    rows[0, :, 1] = False
    rows[1, :, 4] = False
    for name, convention in (
        ("convention_fully_masked_default", {}),
        *((f"convention_fully_masked_{value}", {"fully_masked_rows": value}) for value in FULLY_MASKED_ROWS),
    ):
        yield Sample(
            name=name,
            inputs=arguments("convention_fully_masked", *heads, mask=rows),
            keywords=convention,
            required=False,
            gradient=convention.get("fully_masked_rows", "nan") != "nan",
        )

    nan_query = arguments("nan_query", *heads)
    for row in range(4):
        nan_query["query"][:, :, row, row] = np.nan
    yield Sample(name="nan_query", inputs=nan_query)
    nan_key = arguments("nan_key", *heads)
    nan_key["key"][0, 1, 6, 2] = np.nan
    yield Sample(name="nan_key", inputs=nan_key)
    nan_value = arguments("nan_value", *heads)
    nan_value["value"][0, 1, 3, 2] = np.nan
    nan_value["value"][1, 2, 6, 5] = np.nan
    yield Sample(name="nan_value", inputs=nan_value)
    # What no query may see does not matter. The gradients are left out: NaN times a weight of 0 is NaN in the formula.
    for name, hidden, keywords in (
        ("nan_key_masked", some("nan_key_masked", 2, 1, 5, 7), {}),
        ("nan_key_masked_scale", some("nan_key_masked_scale", 5, 7), scaled),
        ("nan_key_causal", None, causal),
        ("nan_key_masked_causal", some("nan_key_masked_causal", 2, 1, 1, 7), causal),
    ):
        inputs = arguments(name, *heads, mask=hidden)
        inputs["key"][:, :, 6] = np.nan
        if hidden is not None:
            hidden[..., 6] = False
        yield Sample(name=name, inputs=inputs, keywords=keywords, gradient=False)
    infinite_key = arguments("infinity_key_masked", *heads, mask=some("infinity_key_masked", 5, 7))
    infinite_key["mask"][:, 4] = False
    infinite_key["key"][:, :, 4] = np.inf
    yield Sample(name="infinity_key_masked", inputs=infinite_key, gradient=False)
    infinite = arguments("infinity_value", *heads)
    infinite["value"][0, 1, 3, 2] = np.inf
    infinite["value"][1, 2, 6, 5] = -np.inf
    yield Sample(name="infinity_value", inputs=infinite, gradient=False)


SIZES = {"S": (1, 4, 16, 16), "M": (4, 8, 64, 64), "L": (8, 8, 256, 64)}
"""Batch, heads, positions and features of what is timed: queries attend to as many keys."""


def workload(stream: Stream, size: str) -> Sample:
    """Heads of self-attention without a mask."""
    return Sample(name=size, inputs={name: ordinary(stream(name), SIZES[size]) for name in ("query", "key", "value")})


def attention_work(pairs: int, rows: int, features: int, results: int) -> Work:
    """Two products of matrices, over ``pairs`` of a query and a key that it may see, and between them the scale and a softmax of
    each of so many ``rows``: maximum, difference, exponential, sum and quotient.

    Back, four products, and between them that of softmax and the scale.
    """
    softmax = Work(flops=5 * pairs - 2 * rows, transcendentals=pairs, backward_flops=5 * pairs - rows)
    return products(pairs * features) + softmax + products(pairs * results)


def work(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    fully_masked_rows: str = "nan",
) -> Work:
    """That of ``attention_work``; a ``mask`` is taken to allow all."""
    *leading, queries, features = query.shape
    keys, results = key.shape[-2], value.shape[-1]
    stack = math.prod(leading)
    seen = sum(min(row + 1, keys) for row in range(queries)) if causal else queries * keys
    pairs, rows = stack * seen, stack * queries
    return attention_work(pairs, rows, features, results)


OPERATION = Operation(
    function=scaled_dot_product_attention,
    vjp=vjp,
    samples=samples,
    family="attention",
    differentiable=("query", "key", "value"),
    axes={"query": "... l e", "key": "... s e", "value": "... s v", "mask": "... l s", "y": "... l v"},
    conventions={"fully_masked_rows": FULLY_MASKED_ROWS},
    workload=workload,
    work=work,
)
