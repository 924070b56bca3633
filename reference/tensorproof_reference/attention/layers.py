"""The layer of heads with projections before and after: multi_head_attention, and multi_head_attention_weights."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.attention._heads import (
    allowed_keys,
    grouped_product,
    heads_vjp,
    near_keys,
    require_heads,
    scores_of,
    weights_of,
)
from tensorproof_reference.attention._layer_samples import layer_samples, layer_workload, weights_samples
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import added_bias, count, products
from tensorproof_reference.operations.dense import dense
from tensorproof_reference.operations.dense import vjp as dense_vjp
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS, attention_work, masked_softmax_vjp
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PROJECTED = ("query", "key", "value")


def multi_head_attention(
    query: Array,
    key: Array,
    value: Array,
    query_weight: Array,
    key_weight: Array,
    value_weight: Array,
    output_weight: Array,
    query_bias: Array | None = None,
    key_bias: Array | None = None,
    value_bias: Array | None = None,
    output_bias: Array | None = None,
    mask: Array | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> Array:
    r"""Attention of heads, each of which projects queries, keys and values by its own weights and adds its share to the output:

    .. math:: y = \sum_h P_h\,(x_v W^v_h + b^v_h)\,W^o_h + b^o, \quad
        P_h = \mathrm{softmax}\left((x_q W^q_h + b^q_h)(x_k W^k_h + b^k_h)^\top / \sqrt{D}\right).

    A key counts where ``mask`` is true, and with ``causal=True`` up to the query's own position; ``fully_masked_rows`` is the
    weight of keys for queries without any, as for ``scaled_dot_product_attention``: NaN, zero, or the same for all.

    Shapes: ``query`` (B, L, E), ``key`` (B, S, K), ``value`` (B, S, V); ``query_weight`` (E, H, D), ``key_weight`` (K, H, D),
    ``value_weight`` (V, H, R), ``output_weight`` (H, R, O); biases (H, D), (H, D), (H, R) and (O), or ``None``; ``mask`` is
    boolean and broadcasts to (B, H, L, S); the result (B, L, O).
    Special values: those of the products and of ``scaled_dot_product_attention``.
    Raises: ``ValueError`` if shapes do not fit, there are no keys or features, or the convention is unknown.
    Source: Vaswani et al. (2017), section 3.2.2.
    """
    parts = _Parts(locals())
    return parts.output()


def multi_head_attention_weights(
    query: Array,
    key: Array,
    value: Array,
    query_weight: Array,
    key_weight: Array,
    value_weight: Array,
    output_weight: Array,
    query_bias: Array | None = None,
    key_bias: Array | None = None,
    value_bias: Array | None = None,
    output_bias: Array | None = None,
    mask: Array | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> tuple[Array, Array]:
    r"""The output of ``multi_head_attention`` and the weights :math:`P_h` of each head, which have gradients too.

    Frameworks compute them by other kernels than the output alone.

    Shapes: those of ``multi_head_attention``; the weights (B, H, L, S).
    Raises: ``ValueError`` as ``multi_head_attention``.
    Source: Vaswani et al. (2017), section 3.2.2.
    """
    parts = _Parts(locals())
    return parts.output(), parts.weights


class _Parts:
    """What the layer computes on the way, from the arguments of its function."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        for name in PROJECTED:
            require_rank(given[name], name, 3)
            require_rank(given[f"{name}_weight"], f"{name}_weight", 3)
        require_rank(given["output_weight"], "output_weight", 3)
        self.heads = {name: _heads(self._dense(name), given[f"{name}_weight"]) for name in PROJECTED}
        query, key, value = (self.heads[name] for name in PROJECTED)
        require(key.shape[1] == query.shape[1], "key_weight", f"{query.shape[1]} heads", key.shape[1])
        require_heads(query, key, value)
        require_shape(given["output_weight"], "output_weight", (value.shape[1], value.shape[3], given["output_weight"].shape[2]))
        allowed = allowed_keys(query, key, given["mask"], None, given["causal"], None, "upper_left")
        self.weights, self.passing = weights_of(scores_of(query, key, None), allowed, given["fully_masked_rows"])
        self.together = _together(grouped_product(self.weights, value))

    def _flat(self, name: str) -> tuple[Array, Array, Array | None]:
        """The input, weight and bias of a projection as those of a dense layer."""
        weight, bias = self.given[f"{name}_weight"], self.given[f"{name}_bias"]
        if name == "output":
            return self.together, weight.reshape(-1, weight.shape[2]), bias
        if bias is not None:
            require_shape(bias, f"{name}_bias", weight.shape[1:])
        return self.given[name], weight.reshape(len(weight), -1), None if bias is None else bias.reshape(-1)

    def _dense(self, name: str) -> Array:
        return dense(*self._flat(name))

    def output(self) -> Array:
        """The projection of all heads together."""
        return self._dense("output")

    def pulled(self, dy: Array, dweights: Array | None) -> Gradients:
        """The gradients of all inputs, by those of the output and of the weights, if they are an output."""
        after = dense_vjp(dy, *self._flat("output"))
        dheads = _heads(after["x"], self.given["value_weight"])
        query, key, value = (self.heads[name] for name in PROJECTED)
        through = grouped_product(dheads, np.swapaxes(value, -1, -2))
        dscores = masked_softmax_vjp(through if dweights is None else through + dweights, self.weights, self.passing)
        gradients = heads_vjp(dheads, dscores, self.weights, query, key, None)
        found = {
            "output_weight": after["weight"].reshape(self.given["output_weight"].shape),
            "output_bias": after["bias"],
        }
        for name, gradient in gradients.items():
            before = dense_vjp(_together(gradient), *self._flat(name))
            found[name] = before["x"]
            found[f"{name}_weight"] = before["weight"].reshape(self.given[f"{name}_weight"].shape)
            bias = self.given[f"{name}_bias"]
            found[f"{name}_bias"] = None if bias is None else before["bias"].reshape(bias.shape)
        return found


def _heads(x: Array, weight: Array) -> Array:
    """(B, L, H D) as (B, H, L, D), with the heads of a weight."""
    return np.swapaxes(x.reshape(*x.shape[:2], *weight.shape[1:]), 1, 2)


def _together(heads: Array) -> Array:
    """(B, H, L, D) as (B, L, H D)."""
    batch, count_, length, features = heads.shape
    return np.swapaxes(heads, 1, 2).reshape(batch, length, count_ * features)


def _arguments(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> dict[str, Any]:
    """All arguments of a call by name, with defaults."""
    bound = inspect.signature(function).bind(*arguments, **keywords)
    bound.apply_defaults()
    return dict(bound.arguments)


def _vjp(dy: Array, *arguments: Any, **keywords: Any) -> Gradients:
    r"""Each projection back as that of a dense layer, around the gradient of attention."""
    return _Parts(_arguments(multi_head_attention, *arguments, **keywords)).pulled(dy, None)


def _vjp_of_both(cotangents: tuple[Array, Array], *arguments: Any, **keywords: Any) -> Gradients:
    """As for the output alone, with the weights' own gradient added to that which comes through the output."""
    dy, dweights = cotangents
    return _Parts(_arguments(multi_head_attention, *arguments, **keywords)).pulled(dy, dweights)


def _work(
    query: Array,
    key: Array,
    value: Array,
    query_weight: Array,
    key_weight: Array,
    value_weight: Array,
    output_weight: Array,
    query_bias: Array | None = None,
    key_bias: Array | None = None,
    value_bias: Array | None = None,
    output_bias: Array | None = None,
    mask: Array | None = None,
    *,
    causal: bool = False,
    fully_masked_rows: str = "nan",
) -> Work:
    """Four dense layers, and attention of the heads over the pairs that position allows."""
    (batch, queries, _), keys = query.shape, key.shape[1]
    _, heads, features = query_weight.shape
    seen = batch * heads * int(np.count_nonzero(near_keys(queries, keys, causal, None, "upper_left")))
    total = attention_work(seen, batch * heads * queries, features, value_weight.shape[2])
    for weight, bias, length, results in (
        (query_weight, query_bias, queries, heads * features),
        (key_weight, key_bias, keys, heads * features),
        (value_weight, value_bias, keys, heads * value_weight.shape[2]),
        (output_weight, output_bias, queries, output_weight.shape[2]),
    ):
        outputs = batch * length * results
        total = total + products(batch * length * count(weight)) + added_bias(outputs, bias)
    return total


AXES = {
    "query": "b l e",
    "key": "b s k",
    "value": "b s v",
    "query_weight": "e h d",
    "key_weight": "k h d",
    "value_weight": "v h r",
    "output_weight": "h r o",
    "query_bias": "h d",
    "key_bias": "h d",
    "value_bias": "h r",
    "output_bias": "o",
    "mask": "... l s",
    "y": "b l o",
    "weights": "b h l s",
}
WEIGHTS = tuple(f"{name}_{kind}" for kind in ("weight", "bias") for name in (*PROJECTED, "output"))


def _layer(
    function: Callable[..., Any],
    vjp: Callable[..., Gradients],
    samples: Callable[[Stream], Iterator[Sample]],
    outputs: tuple[str, ...],
) -> Operation:
    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="attention",
        profile=EXTENDED,
        differentiable=(*PROJECTED, *WEIGHTS),
        outputs=outputs,
        cotangents=outputs,
        axes=AXES,
        conventions={"fully_masked_rows": FULLY_MASKED_ROWS},
        workload=layer_workload,
        work=_work,
    )


OPERATIONS = (
    _layer(multi_head_attention, _vjp, layer_samples, ("y",)),
    _layer(multi_head_attention_weights, _vjp_of_both, weights_samples, ("y", "weights")),
)
