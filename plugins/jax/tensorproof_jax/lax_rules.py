"""Which operation of the specification a primitive of a jaxpr is, for ``tensorproof judge``.

A rule is given a hand, the values that the primitive takes (numbers where the jaxpr has literals), and its parameters. It
returns a value, or several, or ``None`` if the operation knows no such parameters.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorproof.backend import Hand, Value
from tensorproof_jax import lax_indexing, lax_windows

Rule = Callable[..., "Value | tuple[Value | None, ...] | None"]


def _unary(operation: str) -> Rule:
    return lambda hand, x, **_: hand.call(operation, x=x)


def _binary(operation: str) -> Rule:
    return lambda hand, a, b, **_: hand.call(operation, a=a, b=b)


def _shape(item: Any) -> tuple[int, ...]:
    return item.shape if isinstance(item, Value) else ()


def _maximum(hand: Hand, a: Any, b: Any, **_: Any) -> Value | None:
    """Also that with minus infinity, which is the other."""
    if isinstance(a, float) and a == -np.inf:
        return b if isinstance(b, Value) else None
    return hand.call("maximum", a=a, b=b)


def _integer_power(hand: Hand, x: Value, *, y: int, **_: Any) -> Value:
    return hand.call("square", x=x) if y == 2 else hand.call("power", a=x, b=float(y))


def _round(hand: Hand, x: Value, *, rounding_method: Any, **_: Any) -> Value | None:
    return hand.call("round", x=x) if "EVEN" in str(rounding_method) else None


def _select(hand: Hand, which: Value, *cases: Any, **_: Any) -> Value | None:
    if len(cases) != 2 or str(which.dtype) != "bool":
        return None
    return hand.call("where", condition=which, a=cases[1], b=cases[0])


def _is_finite(hand: Hand, x: Value, **_: Any) -> Value:
    return hand.call("less", a=hand.call("abs", x=x), b=np.inf)


def _reduction(operation: str) -> Rule:
    def rule(hand: Hand, x: Value, *, axes: tuple[int, ...], **_: Any) -> Value | None:
        return hand.call(operation, {"axis": tuple(axes), "keepdims": False}, x=x) if axes else x

    return rule


def _cumulative(hand: Hand, x: Value, *, axis: int, reverse: bool, **_: Any) -> Value:
    if not reverse:
        return hand.call("cumulative_sum", {"axis": axis}, x=x)
    turned = hand.call("flip", {"axis": (axis,)}, x=x)
    return hand.call("flip", {"axis": (axis,)}, x=hand.call("cumulative_sum", {"axis": axis}, x=turned))


def _clamp(hand: Hand, least: Any, x: Value, most: Any, **_: Any) -> Value:
    return hand.call("minimum", a=hand.call("maximum", a=x, b=least), b=most)


def _product(hand: Hand, a: Value, b: Value, *, dimension_numbers: Any, **_: Any) -> Value | None:
    """One contraction of any axes, computed in the result's dtype: they are moved to where matrices have them, and moved back by
    the shape.
    """
    wide = [hand.cast(item, hand.like.dtype) for item in (a, b)]
    if wide[0] is None or wide[1] is None:
        return None
    a, b = wide[0], wide[1]
    (summed_a, summed_b), (batch_a, batch_b) = dimension_numbers
    free_a = [axis for axis in range(len(a.shape)) if axis not in (*summed_a, *batch_a)]
    free_b = [axis for axis in range(len(b.shape)) if axis not in (*summed_b, *batch_b)]
    left = _arranged(hand, a, (batch_a, free_a, summed_a))
    right = _arranged(hand, b, (batch_b, summed_b, free_b))
    found = hand.call("matmul", a=left, b=right)
    shape = (*(a.shape[axis] for axis in (*batch_a, *free_a)), *(b.shape[axis] for axis in free_b))
    plain = (*(a.shape[axis] for axis in batch_a), *_merged(a, free_a), *_merged(b, free_b))
    return found if shape == plain else hand.call("reshape", {"shape": shape}, x=found)


def _merged(x: Value, axes: Any) -> tuple[int, ...]:
    return (int(np.prod([x.shape[axis] for axis in axes], dtype=int)),)


def _arranged(hand: Hand, x: Value, groups: Any) -> Value:
    """The axes of the batch, then two groups, each merged into one axis."""
    batch, *others = groups
    axes = (*batch, *(axis for group in others for axis in group))
    shape = (*(x.shape[axis] for axis in batch), *(size for group in others for size in _merged(x, group)))
    turned = x if axes == tuple(range(len(x.shape))) else hand.call("permute", {"axes": axes}, x=x)
    now = tuple(x.shape[axis] for axis in axes)
    return turned if now == shape else hand.call("reshape", {"shape": shape}, x=turned)


def _reshape(hand: Hand, x: Value, *, new_sizes: Any, dimensions: Any = None, **_: Any) -> Value | None:
    return None if dimensions is not None else hand.call("reshape", {"shape": tuple(map(int, new_sizes))}, x=x)


def _of_shape(hand: Hand, x: Value, **_: Any) -> Value:
    return hand.call("reshape", {"shape": hand.like.shape}, x=x)


def _broadcast(hand: Hand, x: Any, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Value:
    """The axes are put in their places, with lengths of 1 for the new ones, and then lengthened."""
    placed = [1] * len(shape)
    for axis, place in enumerate(broadcast_dimensions):
        placed[place] = _shape(x)[axis]
    if isinstance(x, Value) and tuple(placed) != x.shape:
        x = hand.call("reshape", {"shape": tuple(placed)}, x=x)
    wanted = tuple(map(int, shape))
    return x if isinstance(x, Value) and tuple(placed) == wanted else hand.call("broadcast_to", {"shape": wanted}, x=x)


def _transpose(hand: Hand, x: Value, *, permutation: Any, **_: Any) -> Value:
    return hand.call("permute", {"axes": tuple(map(int, permutation))}, x=x)


def _concatenate(hand: Hand, *arrays: Value, dimension: int, **_: Any) -> Value:
    return hand.call("concatenate", {"axis": dimension}, arrays=list(arrays))


def _pad(hand: Hand, x: Value, value: Any, *, padding_config: Any, **_: Any) -> Value | None:
    if not isinstance(value, float) or any(low < 0 or high < 0 or inner for low, high, inner in padding_config):
        return None
    return hand.call("pad", {"widths": tuple((int(low), int(high)) for low, high, _ in padding_config), "value": value}, x=x)


def _reverse(hand: Hand, x: Value, *, dimensions: Any, **_: Any) -> Value:
    return hand.call("flip", {"axis": tuple(dimensions)}, x=x)


def _cast(hand: Hand, x: Any, **_: Any) -> Value | None:
    return hand.cast(x, hand.like.dtype) if isinstance(x, Value) else None


def _itself(hand: Hand, x: Any, **_: Any) -> Value | None:
    return x if isinstance(x, Value) else None


def _stopped(hand: Hand, x: Value, **_: Any) -> Value:
    return hand.hold(x)


RULES: Mapping[str, Rule] = {
    **{name: _unary(name) for name in ("abs", "sign", "exp", "log", "log1p", "expm1", "sqrt", "rsqrt")},
    **{name: _unary(name) for name in ("sin", "cos", "erf", "tanh", "floor", "square")},
    "neg": _unary("negative"),
    "logistic": _unary("sigmoid"),
    "round": _round,
    "add": _binary("add"),
    "add_any": _binary("add"),
    "sub": _binary("subtract"),
    "mul": _binary("multiply"),
    "div": _binary("divide"),
    "pow": _binary("power"),
    "integer_pow": _integer_power,
    "max": _maximum,
    "min": _binary("minimum"),
    "eq": _binary("equal"),
    "ne": _binary("not_equal"),
    "lt": _binary("less"),
    "le": _binary("less_equal"),
    "gt": _binary("greater"),
    "ge": _binary("greater_equal"),
    "is_finite": _is_finite,
    "select_n": _select,
    "reduce_sum": _reduction("reduce_sum"),
    "reduce_max": _reduction("reduce_max"),
    "reduce_min": _reduction("reduce_min"),
    "reduce_prod": _reduction("reduce_prod"),
    "cumsum": _cumulative,
    "dot_general": _product,
    "reshape": _reshape,
    "squeeze": _of_shape,
    "expand_dims": _of_shape,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "pad": _pad,
    "slice": lax_indexing.sliced,
    "dynamic_slice": lax_indexing.sliced_at_numbers,
    "split": lax_indexing.split,
    "sort": lax_indexing.in_order,
    "top_k": lax_indexing.largest,
    "gather": lax_indexing.gathered,
    "scatter": lax_indexing.scattered("scatter_set", repeats=False),
    "scatter-add": lax_indexing.scattered("scatter_add", repeats=True),
    "conv_general_dilated": lax_windows.convolution,
    "reduce_window_max": lax_windows.max_pooled,
    "reduce_window_sum": lax_windows.summed_windows,
    "clamp": _clamp,
    "rev": _reverse,
    "convert_element_type": _cast,
    "copy": _itself,
    "optimization_barrier": _itself,
    "stop_gradient": _stopped,
}
"""By the name of the primitive. What has no row is unknown."""
