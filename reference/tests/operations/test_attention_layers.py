"""Layers of attention: heads with projections by plain loops, conventions, errors."""

from typing import Any

import numpy as np
import pytest
import scipy.special

from tensorproof_reference.attention._layer_samples import PLAIN, drawn
from tensorproof_reference.attention.layers import multi_head_attention, multi_head_attention_weights
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.stream import Stream

STREAM = Stream(7)


def by_loops(given: dict[str, Any], causal: bool = False) -> tuple[Any, Any]:
    """The output and the weights, one query of one head after the other."""
    (batch, queries, _), keys = given["query"].shape, given["key"].shape[1]
    heads = given["query_weight"].shape[1]
    mask = np.broadcast_to(given.get("mask", True), (batch, heads, queries, keys))
    y = np.zeros((batch, queries, given["output_weight"].shape[2]))
    weights = np.zeros((batch, heads, queries, keys))
    for b, h, row in np.ndindex(batch, heads, queries):

        def projected(name: str, x: Any, h: int = h) -> Any:
            bias = given.get(f"{name}_bias")
            return x @ given[f"{name}_weight"][:, h] + (0.0 if bias is None else bias[h])

        seen = [s for s in range(keys) if mask[b, h, row, s] and (s <= row or not causal)]
        query, key = projected("query", given["query"][b, row]), projected("key", given["key"][b, seen])
        weights[b, h, row, seen] = scipy.special.softmax(key @ query / np.sqrt(len(query)))
        y[b, row] += weights[b, h, row, seen] @ projected("value", given["value"][b, seen]) @ given["output_weight"][h]
    return y + (0.0 if given.get("output_bias") is None else given["output_bias"]), weights


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, (5, 7), (2, 3, 5, 7)])
@pytest.mark.parametrize("biases", [False, True])
def test_heads_with_projections_by_loops(biases: bool, mask: tuple[int, ...] | None, causal: bool) -> None:
    given = drawn(STREAM("layer"), PLAIN._replace(of_keys=10, of_values=8, head=6, outputs=14), biases)
    if mask is not None:
        given["mask"] = STREAM("mask").integers(mask, 0, 3) > 0
        given["mask"][..., 0] = True
    found = multi_head_attention_weights(**given, causal=causal)
    for one, other in zip(found, by_loops(given, causal), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(multi_head_attention(**given, causal=causal), found[0])


def test_a_query_without_keys_has_the_weights_of_its_convention() -> None:
    given = {**drawn(STREAM("layer"), PLAIN), "mask": np.zeros((5, 7), bool)}
    for convention, weight in (("nan", np.nan), ("zero", 0.0), ("uniform", 1 / 7)):
        with np.errstate(invalid="ignore"):
            y, weights = multi_head_attention_weights(**given, fully_masked_rows=convention)
        np.testing.assert_array_equal(weights, np.full_like(weights, weight))
        if convention == "zero":
            np.testing.assert_array_equal(y, np.broadcast_to(given["output_bias"], y.shape))


def test_the_gradient_of_the_weights_adds_to_that_of_the_output() -> None:
    given = drawn(STREAM("layer"), PLAIN)
    y, weights = multi_head_attention_weights(**given)
    dy, dweights = STREAM("dy").normal(y.shape), STREAM("dweights").normal(weights.shape)
    operations = known_operations()
    vjp: Any = operations["multi_head_attention_weights"].vjp
    of_output: Any = operations["multi_head_attention"].vjp
    both, one, other = vjp((dy, dweights), **given), of_output(dy, **given), vjp((0.0 * dy, dweights), **given)
    for name, gradient in both.items():
        np.testing.assert_allclose(gradient, one[name] + other[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": np.ones((5, 12))}, "query: expected an array with 3 axes"),
        ({"query_weight": np.ones((12, 12))}, "query_weight: expected an array with 3 axes"),
        ({"key_weight": np.ones((12, 1, 4)), "key_bias": None}, "key_weight: expected 3 heads"),
        ({"value_bias": np.ones((4, 3))}, "value_bias: expected shape"),
        ({"output_weight": np.ones((3, 5, 12))}, "output_weight: expected shape"),
        ({"mask": np.ones((5, 7))}, "mask: expected booleans"),
        ({"fully_masked_rows": "skip"}, "fully_masked_rows: expected one of"),
    ],
)
def test_malformed_layers_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multi_head_attention(**{**drawn(STREAM("layer"), PLAIN), **changes})
