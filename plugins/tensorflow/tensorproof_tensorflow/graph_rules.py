"""Which operation of the specification an operation of a graph is, for ``tensorproof judge``.

A rule is given a hand, what the graph's operation takes, and its attributes by name. It takes values; numbers where those are
known; and ``Fixed`` values whose array is known, as axes and shapes are. It returns a value, or a list of them for an operation
that gives several, or ``None`` if no operation knows such attributes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Hand, Value

Found = Value | list[Value] | None
Rule = Callable[..., Found]


@dataclass(frozen=True)
class Fixed(Value):
    """A value that depends on no floating argument."""

    array: NDArray[Any]


def _numbers(item: Any) -> tuple[int, ...]:
    """Axes, a shape, or other integers.

    Raises:
        TypeError: they are not known.
    """
    if isinstance(item, float):
        return (int(item),)
    if not isinstance(item, Fixed):
        raise TypeError("expected numbers that are known")
    return tuple(int(number) for number in np.ravel(item.array))


def _unary(operation: str) -> Rule:
    return lambda hand, x, **_: hand.call(operation, x=x)


def _binary(operation: str) -> Rule:
    return lambda hand, a, b, **_: hand.call(operation, a=a, b=b)


def _squared_difference(hand: Hand, a: Any, b: Any, **_: Any) -> Found:
    return hand.call("square", x=hand.call("subtract", a=a, b=b))


def _complement_of_erf(hand: Hand, x: Value, **_: Any) -> Found:
    return hand.call("subtract", a=1.0, b=hand.call("erf", x=x))


def _sum_of_many(hand: Hand, *items: Value, **_: Any) -> Found:
    total = items[0]
    for item in items[1:]:
        total = hand.call("add", a=total, b=item)
    return total


def _biased(hand: Hand, x: Value, bias: Value, *, data_format: bytes, **_: Any) -> Found:
    return hand.call("add", a=x, b=bias) if data_format == b"NHWC" else None


def _leaky(hand: Hand, x: Value, *, alpha: float, **_: Any) -> Found:
    return hand.call("leaky_relu", {"negative_slope": alpha}, x=x)


def _chosen(hand: Hand, condition: Value, a: Any, b: Any, **_: Any) -> Found:
    return hand.call("where", condition=condition, a=a, b=b)


def _is_finite(hand: Hand, x: Value, **_: Any) -> Found:
    return hand.call("less", a=hand.call("abs", x=x), b=np.inf)


def _reduction(operation: str) -> Rule:
    def rule(hand: Hand, x: Value, axes: Any, *, keep_dims: bool, **_: Any) -> Found:
        axis = _numbers(axes)
        return hand.call(operation, {"axis": axis, "keepdims": keep_dims}, x=x) if axis else x

    return rule


def _cumulative(hand: Hand, x: Value, axis: Any, *, exclusive: bool, reverse: bool, **_: Any) -> Found:
    return None if exclusive or reverse else hand.call("cumulative_sum", {"axis": _numbers(axis)[0]}, x=x)


def _along_the_last(operation: str) -> Rule:
    return lambda hand, x, **_: hand.call(operation, {"axis": -1}, x=x)


def _turned(hand: Hand, x: Value, turn: bool) -> Value:
    rank = len(x.shape)
    if not turn:
        return x
    axes = (*range(rank - 2), rank - 1, rank - 2)
    return Value(hand.call("permute", {"axes": axes}, x=x).number, tuple(x.shape[axis] for axis in axes), x.dtype)


def _product(hand: Hand, a: Value, b: Value, *, transpose_a: bool, transpose_b: bool, **_: Any) -> Found:
    return hand.call("matmul", a=_turned(hand, a, transpose_a), b=_turned(hand, b, transpose_b))


def _product_of_stacks(hand: Hand, a: Value, b: Value, *, adj_x: bool, adj_y: bool, **_: Any) -> Found:
    return _product(hand, a, b, transpose_a=adj_x, transpose_b=adj_y)


def _einsum(hand: Hand, *arrays: Value, equation: bytes, **_: Any) -> Found:
    return hand.call("einsum", {"equation": equation.decode()}, arrays=list(arrays))


def _of_shape(hand: Hand, x: Value, *_: Any, **__: Any) -> Found:
    return hand.call("reshape", {"shape": hand.like.shape}, x=x)


def _transpose(hand: Hand, x: Value, axes: Any, **_: Any) -> Found:
    return hand.call("permute", {"axes": _numbers(axes)}, x=x)


def _concatenate(hand: Hand, *given: Any, **_: Any) -> Found:
    *arrays, axis = given
    return hand.call("concatenate", {"axis": _numbers(axis)[0]}, arrays=list(arrays))


def _stack(hand: Hand, *arrays: Value, axis: int, **_: Any) -> Found:
    return hand.call("stack", {"axis": axis}, arrays=list(arrays))


def _part(hand: Hand, x: Value, slices: Sequence[slice], shape: tuple[int, ...]) -> Value:
    """A part of each axis, in a shape of as many numbers."""
    start, stop, step = zip(*((item.start, item.stop, 1 if item.step is None else item.step) for item in slices), strict=True)
    part = hand.call("strided_slice", {"start": start, "stop": stop, "step": step}, x=x)
    kept = tuple(len(range(*item.indices(size))) for item, size in zip(slices, x.shape, strict=True))
    return part if kept == shape else hand.call("reshape", {"shape": shape}, x=part)


def _strided_slice(
    hand: Hand,
    x: Value,
    begin: Any,
    end: Any,
    strides: Any,
    *,
    begin_mask: int,
    end_mask: int,
    ellipsis_mask: int,
    new_axis_mask: int,
    shrink_axis_mask: int,
    **_: Any,
) -> Found:
    ends = list(zip(_numbers(begin), _numbers(end), _numbers(strides), strict=True))
    taken = [place for place in range(len(ends)) if not (ellipsis_mask | new_axis_mask) >> place & 1]
    slices: list[slice] = []
    for place, (start, stop, step) in enumerate(ends):
        bit = 1 << place
        if ellipsis_mask & bit:
            slices += [slice(None)] * (len(x.shape) - len(taken))
        elif shrink_axis_mask & bit:
            slices.append(slice(start, start + 1 if start != -1 else None))
        elif not new_axis_mask & bit:
            slices.append(slice(None if begin_mask & bit else start, None if end_mask & bit else stop, step))
    slices += [slice(None)] * (len(x.shape) - len(slices))
    return _part(hand, x, slices, hand.like.shape) if slices else _of_shape(hand, x)


def _slice(hand: Hand, x: Value, begin: Any, size: Any, **_: Any) -> Found:
    starts = zip(_numbers(begin), _numbers(size), strict=True)
    return _part(hand, x, [slice(start, None if length == -1 else start + length) for start, length in starts], hand.like.shape)


def _cut(hand: Hand, x: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
    """Parts one after the other along an axis."""
    axis %= len(x.shape)
    parts, start = [], 0
    for size in sizes:
        slices = [slice(None)] * len(x.shape)
        slices[axis] = slice(start, start + size)
        parts.append(_part(hand, x, slices, (*x.shape[:axis], size, *x.shape[axis + 1 :])))
        start += size
    return parts


def _split(hand: Hand, axis: Any, x: Value, *, num_split: int, **_: Any) -> Found:
    (place,) = _numbers(axis)
    return _cut(hand, x, place, [x.shape[place] // num_split] * num_split)


def _split_by_sizes(hand: Hand, x: Value, sizes: Any, axis: Any, **_: Any) -> Found:
    (place,), lengths = _numbers(axis), list(_numbers(sizes))
    left = x.shape[place] - sum(length for length in lengths if length >= 0)
    return _cut(hand, x, place, [left if length < 0 else length for length in lengths])


def _unpack(hand: Hand, x: Value, *, axis: int, num: int, **_: Any) -> Found:
    return [hand.call("reshape", {"shape": hand.like.shape}, x=part) for part in _cut(hand, x, axis, [1] * num)]


def _pairs(widths: Any) -> tuple[tuple[int, int], ...]:
    flat = _numbers(widths)
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _pad(hand: Hand, x: Value, widths: Any, value: Any = 0.0, **_: Any) -> Found:
    if not isinstance(value, float):
        return None
    return hand.call("pad", {"widths": _pairs(widths), "value": value}, x=x)


def _mirrored(hand: Hand, x: Value, widths: Any, *, mode: bytes, **_: Any) -> Found:
    return hand.call("pad", {"widths": _pairs(widths), "mode": "reflect"}, x=x) if mode == b"REFLECT" else None


def _tile(hand: Hand, x: Value, repeats: Any, **_: Any) -> Found:
    return hand.call("tile", {"repeats": _numbers(repeats)}, x=x)


def _broadcast(hand: Hand, x: Any, *_: Any, **__: Any) -> Found:
    return hand.call("broadcast_to", {"shape": hand.like.shape}, x=x)


def _reversed(hand: Hand, x: Value, axes: Any, **_: Any) -> Found:
    return hand.call("flip", {"axis": _numbers(axes)}, x=x)


def _roll(hand: Hand, x: Value, shift: Any, axes: Any, **_: Any) -> Found:
    return hand.call("roll", {"shift": _numbers(shift), "axis": _numbers(axes)}, x=x)


def _band(hand: Hand, x: Value, below: Any, above: Any, **_: Any) -> Found:
    """A triangle of matrices, with the diagonal."""
    ends = (*_numbers(below), *_numbers(above))
    names = {(-1, 0): "tril", (0, -1): "triu"}
    return hand.call(names[ends], x=x) if ends in names else None


IMAGES, KERNELS, BACK = (0, 3, 1, 2), (3, 2, 0, 1), (0, 2, 3, 1)
"""How axes are permuted: of images and kernels to the specification's, and of images back."""


def _permuted(hand: Hand, x: Value, axes: tuple[int, ...]) -> Value:
    return hand.call("permute", {"axes": axes}, x=x)


def _padding(kind: bytes, sizes: Sequence[int], windows: Sequence[int], stride: Sequence[int]) -> Any:
    """What is padded before and after each axis.

    Raises:
        ValueError: it is of another kind.
    """
    if kind == b"VALID":
        return "valid"
    if kind != b"SAME":
        raise ValueError("padding that is written out")
    needed = (max((-(-size // step) - 1) * step + w - size, 0) for size, w, step in zip(sizes, windows, stride, strict=True))
    return tuple((total // 2, total - total // 2) for total in needed)


def _convolution(
    hand: Hand, x: Value, weight: Value, *, strides: Any, padding: bytes, data_format: bytes, dilations: Any, **_: Any
) -> Found:
    """Of images whose channels come last."""
    if data_format != b"NHWC" or x.shape[3] != weight.shape[2]:
        return None
    stride, dilation = tuple(strides[1:3]), tuple(dilations[1:3])
    windows = [(size - 1) * spread + 1 for size, spread in zip(weight.shape[:2], dilation, strict=True)]
    keywords = {"stride": stride, "dilation": dilation, "padding": _padding(padding, x.shape[1:3], windows, stride)}
    found = hand.call("conv2d", keywords, x=_permuted(hand, x, IMAGES), weight=_permuted(hand, weight, KERNELS))
    return _permuted(hand, found, BACK)


def _pooling(operation: str) -> Rule:
    def rule(hand: Hand, x: Value, *, ksize: Any, strides: Any, padding: bytes, data_format: bytes, **_: Any) -> Found:
        if data_format != b"NHWC" or (ksize[0], ksize[3], strides[0], strides[3]) != (1, 1, 1, 1):
            return None
        window, stride = tuple(ksize[1:3]), tuple(strides[1:3])
        keywords = {"window": window, "stride": stride, "padding": _padding(padding, x.shape[1:3], window, stride)}
        return _permuted(hand, hand.call(operation, keywords, x=_permuted(hand, x, IMAGES)), BACK)

    return rule


def _itself(hand: Hand, x: Any, *_: Any, **__: Any) -> Found:
    return x if isinstance(x, Value) else None


def _themselves(hand: Hand, *items: Any, **_: Any) -> Found:
    """Each of some values, of which a gradient of the user's own takes more than are results."""
    return [item if isinstance(item, Value) else hand.as_result(hand.transcript.number(item)) for item in items]


def _cast(hand: Hand, x: Any, **_: Any) -> Found:
    return hand.cast(x, hand.like.dtype) if isinstance(x, Value) else None


def _stopped(hand: Hand, x: Value, **_: Any) -> Found:
    return hand.hold(x)


RULES: Mapping[str, Rule] = {
    **{name: _unary(name.lower()) for name in ("Abs", "Sign", "Exp", "Log", "Log1p", "Expm1", "Sqrt", "Rsqrt", "Square")},
    **{name: _unary(name.lower()) for name in ("Sin", "Cos", "Erf", "Tanh", "Floor", "Sigmoid", "Reciprocal", "Relu")},
    **{name: _unary(name.lower()) for name in ("Relu6", "Elu", "Selu", "Softplus", "Softsign")},
    "Neg": _unary("negative"),
    "Inv": _unary("reciprocal"),
    **dict.fromkeys(("Round", "Rint"), _unary("round")),
    "Erfc": _complement_of_erf,
    "LeakyRelu": _leaky,
    **dict.fromkeys(("Add", "AddV2"), _binary("add")),
    "AddN": _sum_of_many,
    "Sub": _binary("subtract"),
    "Mul": _binary("multiply"),
    **dict.fromkeys(("RealDiv", "Div"), _binary("divide")),
    "Pow": _binary("power"),
    **{name: _binary(name.lower()) for name in ("Maximum", "Minimum", "Equal", "Less", "Greater")},
    "NotEqual": _binary("not_equal"),
    "LessEqual": _binary("less_equal"),
    "GreaterEqual": _binary("greater_equal"),
    "IsFinite": _is_finite,
    "SquaredDifference": _squared_difference,
    "BiasAdd": _biased,
    **dict.fromkeys(("Select", "SelectV2"), _chosen),
    **{name.capitalize(): _reduction(f"reduce_{name}") for name in ("sum", "mean", "max", "min", "prod")},
    "Cumsum": _cumulative,
    "Softmax": _along_the_last("softmax"),
    "LogSoftmax": _along_the_last("log_softmax"),
    "MatMul": _product,
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2"), _product_of_stacks),
    "Einsum": _einsum,
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _of_shape),
    "Transpose": _transpose,
    "ConcatV2": _concatenate,
    "Pack": _stack,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    "Split": _split,
    "SplitV": _split_by_sizes,
    "Unpack": _unpack,
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    "MirrorPad": _mirrored,
    "Tile": _tile,
    "BroadcastTo": _broadcast,
    "ReverseV2": _reversed,
    "Roll": _roll,
    "MatrixBandPart": _band,
    "Conv2D": _convolution,
    "MaxPool": _pooling("max_pool2d"),
    "AvgPool": _pooling("average_pool2d"),
    **dict.fromkeys(("Identity", "Snapshot", "EnsureShape", "PreventGradient"), _itself),
    "IdentityN": _themselves,
    "Cast": _cast,
    "StopGradient": _stopped,
}
"""By the type of the graph's operation. What has no row here or in ``graph_indexing`` is unknown."""
