"""How calls of ATen operators become calls of operations of the specification, for ``tensorproof judge``.

A rule is given the transcript's hand and the operator's own arguments, with values in place of tensors. It returns the
values that the operator gives (several for an operator with several results), or ``None`` if the operation knows no such
arguments.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tensorproof.backend import Hand, Value

Rule = Callable[..., "Value | tuple[Value | None, ...] | None"]


def unary(operation: str) -> Rule:
    """A function of one array."""
    return lambda hand, x: hand.call(operation, x=x)


def binary(operation: str) -> Rule:
    """A function of two."""
    return lambda hand, a, b: hand.call(operation, a=a, b=b)


def scaled(operation: str) -> Rule:
    """Sum or difference with ``alpha``."""

    def rule(hand: Hand, a: Any, b: Any, alpha: float = 1) -> Any:
        return hand.call(operation, a=a, b=b if alpha == 1 else hand.call("multiply", a=b, b=alpha))

    return rule


def reversed_difference(hand: Hand, a: Any, b: Any, alpha: float = 1) -> Any:
    """The second minus the first."""
    return scaled("subtract")(hand, b, a, alpha)


def clamp(hand: Hand, x: Value, least: Any = None, most: Any = None) -> Any:
    """At least one number, then at most another."""
    raised = x if least is None else hand.call("maximum", a=x, b=least)
    return raised if most is None else hand.call("minimum", a=raised, b=most)


def hardtanh(hand: Hand, x: Value, least: float = -1.0, most: float = 1.0) -> Any:
    """``clamp`` with the limits that it has by default."""
    return clamp(hand, x, least, most)


def leaky_relu(hand: Hand, x: Value, slope: float = 0.01) -> Any:
    """With the slope that PyTorch has by default."""
    return hand.call("leaky_relu", {"negative_slope": slope}, x=x)


def gelu(hand: Hand, x: Value, *, approximate: str = "none") -> Any:
    """In either form."""
    return hand.call("gelu", {"approximation": approximate}, x=x)


def elu(hand: Hand, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    """Without scales."""
    return hand.call("elu", {"alpha": float(alpha)}, x=x) if scale == input_scale == 1.0 else None


def softplus(hand: Hand, x: Value, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """With slope 1. Beyond the threshold it is its argument, to within rounding."""
    return hand.call("softplus", x=x) if beta == 1.0 else None


def _axes(x: Value, dims: Any) -> Any:
    """Axes as the specification has them: ``None`` for all, a number for one."""
    if dims is None or (isinstance(dims, list | tuple) and not dims):
        return None
    return dims if isinstance(dims, int) else int(dims[0]) if len(dims) == 1 else tuple(dims)


def reduction(operation: str) -> Rule:
    """Over some axes, or all."""

    def rule(hand: Hand, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
        cast = x if dtype is None else hand.cast(x, dtype)
        if cast is None or not cast.dtype.is_floating_point:
            return None
        return hand.call(operation, {"axis": _axes(x, dim), "keepdims": bool(keepdim)}, x=cast)

    return rule


def spread(operation: str) -> Rule:
    """Variance or deviation; PyTorch divides by one less unless told otherwise."""

    def rule(hand: Hand, x: Value, dim: Any = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
        degrees = 1 if correction is None else int(correction)
        if degrees != (1 if correction is None else correction):
            return None
        return hand.call(operation, {"axis": _axes(x, dim), "keepdims": bool(keepdim), "correction": degrees}, x=x)

    return rule


def extreme(operation: str) -> Rule:
    """The largest or smallest along an axis, and where it is, which is not known."""

    def rule(hand: Hand, x: Value, dim: int, keepdim: bool = False) -> Any:
        return hand.call(operation, {"axis": dim, "keepdims": bool(keepdim)}, x=x), None

    return rule


def vector_norm(hand: Hand, x: Value, order: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The Euclidean norm alone."""
    return reduction("norm")(hand, x, dim, keepdim, dtype) if order == 2 else None


def cumulative(hand: Hand, x: Value, dim: int, *, dtype: Any = None) -> Any:
    """A running sum, in another dtype if it is asked for."""
    cast = x if dtype is None else hand.cast(x, dtype)
    return None if cast is None else hand.call("cumulative_sum", {"axis": dim}, x=cast)


def softmax(operation: str) -> Rule:
    """Along an axis, in the dtype that came."""

    def rule(hand: Hand, x: Value, dim: int, half_to_float: bool = False) -> Any:
        return None if half_to_float else hand.call(operation, {"axis": dim}, x=x)

    return rule


def reshaped(hand: Hand, x: Value, *_: Any, **__: Any) -> Any:
    """Whatever only changes the shape."""
    return hand.call("reshape", {"shape": hand.like.shape}, x=x)


def expanded(hand: Hand, x: Value, *_: Any, **__: Any) -> Any:
    """Broadcast, or the array itself."""
    return x if x.shape == hand.like.shape else hand.call("broadcast_to", {"shape": hand.like.shape}, x=x)


def permuted(hand: Hand, x: Value, dims: Sequence[int]) -> Any:
    """All axes in another order."""
    return hand.call("permute", {"axes": tuple(item % len(x.shape) for item in dims)}, x=x)


def transposed(hand: Hand, x: Value, one: int = -2, other: int = -1) -> Any:
    """Two axes swapped."""
    rank = len(x.shape)
    axes = list(range(rank))
    if rank > 1:
        axes[one], axes[other] = axes[other], axes[one]
    return hand.call("permute", {"axes": tuple(axes)}, x=x)


def sliced(hand: Hand, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """A part along an axis."""
    whole: list[Any] = [None] * len(x.shape)
    starts, stops, steps = list(whole), list(whole), [1] * len(x.shape)
    starts[dim], stops[dim], steps[dim] = slice(start, end, step).indices(x.shape[dim])
    return hand.call("strided_slice", {"start": tuple(starts), "stop": tuple(stops), "step": tuple(steps)}, x=x)


def selected(hand: Hand, x: Value, dim: int, index: int) -> Any:
    """One place along an axis, which is then gone."""
    place = index % x.shape[dim]
    return reshaped(hand, sliced(hand, x, dim, place, place + 1))


def split_by_sizes(hand: Hand, x: Value, sizes: Sequence[int], dim: int = 0) -> Any:
    """Parts along an axis."""
    parts, start = [], 0
    for size in sizes:
        part = sliced(hand, x, dim, start, start + size)
        shape = list(x.shape)
        shape[dim] = size
        parts.append(Value(part.number, tuple(shape), x.dtype))
        start += size
    return tuple(parts)


def split(hand: Hand, x: Value, size: int, dim: int = 0) -> Any:
    """Parts of one size along an axis; the last may be shorter."""
    length = x.shape[dim]
    return split_by_sizes(hand, x, [min(size, length - start) for start in range(0, length, size)], dim)


def joined(operation: str) -> Rule:
    """Arrays side by side, or stacked."""
    return lambda hand, arrays, dim=0: hand.call(operation, {"axis": dim}, arrays=arrays)


def padded(hand: Hand, x: Value, pad: Sequence[int], value: float = 0.0) -> Any:
    """Pairs from the last axis on. Less than none crops."""
    pairs = [(pad[place], pad[place + 1]) for place in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (len(x.shape) - len(pairs)) + pairs
    if any(before < 0 or after < 0 for before, after in widths):
        parts = [(max(0, -before), size - max(0, -after)) for (before, after), size in zip(widths, x.shape, strict=True)]
        start, stop = zip(*parts, strict=True)
        x = hand.call("strided_slice", {"start": start, "stop": stop, "step": (1,) * len(x.shape)}, x=x)
        widths = [(max(0, before), max(0, after)) for before, after in widths]
        if not any(map(any, widths)):
            return x
    return hand.call("pad", {"widths": tuple(widths), "value": float(value)}, x=x)


def repeated(hand: Hand, x: Value, repeats: Sequence[int]) -> Any:
    """Copies along each axis, of as many as there are."""
    return hand.call("tile", {"repeats": tuple(repeats)}, x=x) if len(repeats) == len(x.shape) else None


def flipped(hand: Hand, x: Value, dims: Sequence[int]) -> Any:
    """Some axes backwards."""
    return hand.call("flip", {"axis": tuple(dims)}, x=x)


def rolled(hand: Hand, x: Value, shifts: Any, dims: Any = ()) -> Any:
    """Along named axes alone."""
    return hand.call("roll", {"shift": tuple(shifts), "axis": tuple(dims)}, x=x) if dims else None


def triangle(operation: str) -> Rule:
    """A triangle of matrices."""
    return lambda hand, x, diagonal=0: hand.call(operation, {"diagonal": diagonal}, x=x)


def copied(hand: Hand, x: Value, *_: Any, **__: Any) -> Any:
    """A copy, which may have another dtype."""
    return hand.cast(x, hand.like.dtype)


def detached(hand: Hand, x: Value) -> Any:
    """The array, without its gradient."""
    return hand.hold(x)


def product_plus(hand: Hand, added: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Any:
    """A product and a sum, with no factors."""
    if beta != 1 or alpha != 1:
        return None
    return hand.call("add", a=hand.call("matmul", a=a, b=b), b=added)


def convolution(
    hand: Hand,
    x: Value,
    weight: Value,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """Over one to three axes of positions, with weights as the specification has them."""
    rank = len(x.shape) - 2
    if rank not in (1, 2, 3):
        return None
    keywords = {
        "stride": _of_rank(stride, rank),
        "padding": tuple((item, item) for item in _of_rank(padding, rank)),
        "dilation": _of_rank(dilation, rank),
        "groups": groups,
    }
    if transposed:
        keywords["output_padding"] = _of_rank(output_padding, rank)
    return hand.call(f"conv{rank}d_transpose" if transposed else f"conv{rank}d", keywords, x=x, weight=weight, bias=bias)


def embedded(hand: Hand, weight: Value, indices: Value, padding: int = -1, *_: Any) -> Any:
    """Rows of a table, none of which is padding."""
    return hand.call("embedding", indices=indices, weight=weight) if padding == -1 else None


def gathered(hand: Hand, x: Value, dim: int, index: Value, **_: Any) -> Any:
    """Places along one axis; the other axes agree."""
    others = [axis for axis in range(len(x.shape)) if axis != dim % len(x.shape)]
    same = all(x.shape[axis] == index.shape[axis] for axis in others)
    return hand.call("take_along_axis", {"axis": dim}, x=x, indices=index) if same else None


def selected_by_index(hand: Hand, x: Value, dim: int, index: Value) -> Any:
    """Places along one axis by number."""
    return hand.call("take", {"axis": dim}, x=x, indices=index)


def max_pooled(
    hand: Hand, x: Value, window: Any, stride: Any = (), padding: Any = (0,), dilation: Any = (1,), ceil: bool = False
) -> Any:
    """Over two or three axes of positions, without gaps in the windows."""
    rank = len(x.shape) - 2
    if any(item != 1 for item in dilation) or rank not in (2, 3):
        return None
    return hand.call(f"max_pool{rank}d", _windows(rank, window, stride, padding, ceil), x=x), None


def average_pooled(
    hand: Hand,
    x: Value,
    window: Any,
    stride: Any = (),
    padding: Any = (0,),
    ceil: bool = False,
    counted: bool = True,
    divisor: Any = None,
) -> Any:
    """Over one to three axes of positions, divided by the windows' sizes."""
    rank = len(x.shape) - 2
    if divisor is not None or rank not in (1, 2, 3):
        return None
    keywords = {**_windows(rank, window, stride, padding, ceil), "count_padding": bool(counted)}
    return hand.call(f"average_pool{rank}d", keywords, x=x)


def _windows(rank: int, window: Any, stride: Any, padding: Any, ceil: bool) -> dict[str, Any]:
    size = _of_rank(window, rank)
    return {
        "window": size,
        "stride": _of_rank(stride, rank) if stride else size,
        "padding": tuple((item, item) for item in _of_rank(padding, rank)),
        "ceil_mode": ceil,
    }


def _of_rank(items: Sequence[int], rank: int) -> tuple[int, ...]:
    """A number for each axis: one may stand for all."""
    return tuple(items) * rank if len(items) == 1 else tuple(items)


def power(hand: Hand, a: Value, b: float) -> Any:
    """A square, or any power."""
    return hand.call("square", x=a) if b == 2 else hand.call("power", a=a, b=b)


def chosen(hand: Hand, condition: Value, a: Any, b: Any) -> Any:
    """By a condition."""
    return hand.call("where", condition=condition, a=a, b=b)


def negated(hand: Hand, mask: Value) -> Any:
    """Where a mask is false."""
    return hand.call("equal", a=mask, b=0.0)


def of_masks(operation: str) -> Rule:
    """Along one axis of a mask."""
    return lambda hand, x, dim, keepdim=False: hand.call(operation, {"axis": dim, "keepdims": bool(keepdim)}, x=x)
