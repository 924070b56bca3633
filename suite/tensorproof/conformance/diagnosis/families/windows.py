"""Mistakes in convolution and pooling: padding, groups, the divisor of an average, ties and NaN of a maximum."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

Pair = tuple[int, int]
Pairs = tuple[Pair, Pair]


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of an operation with windows."""
    name = situation.name
    if name in ("conv2d", "average_pool2d", "max_pool2d"):
        yield from _padding(situation)
    if name in ("conv2d", "conv2d_transpose"):
        yield from _groups(situation)
    if name == "conv2d_transpose":
        yield from _cropping(situation)
    if name in ("average_pool2d", "max_pool2d") and situation.keywords["stride"] is None:
        yield situation.with_keywords("default stride of 1", stride=(1, 1))
    if name == "max_pool2d":
        yield from _zero_padding(situation)
        yield from _maxima(situation)


def _kernel(situation: Situation) -> Pair:
    if "weight" in situation.sample.inputs:
        return tuple(situation.sample.inputs["weight"].shape[2:])
    return tuple(situation.keywords["window"])


def _pairs(situation: Situation) -> Iterator[tuple[str, Pairs]]:
    """Other readings of the padding ``same``."""
    kernel = _kernel(situation)
    stride = situation.keywords["stride"] or kernel
    dilation = situation.keywords.get("dilation", (1, 1))
    size = situation.sample.inputs["x"].shape[2:]

    def same(step: Pair, spread: Pair) -> Pairs:
        pairs = []
        for axis in (0, 1):
            reach = spread[axis] * (kernel[axis] - 1) + 1
            total = max((-(-size[axis] // step[axis]) - 1) * step[axis] + reach - size[axis], 0)
            pairs.append((total // 2, total - total // 2))
        return pairs[0], pairs[1]

    right = same(stride, dilation)
    yield "the odd pixel of same padding at the start", (right[0][::-1], right[1][::-1])
    yield "same padding as if the stride were 1", same((1, 1), dilation)
    small = same(stride, (1, 1))
    wide = [(small[axis][0], sum(right[axis]) - small[axis][0]) for axis in (0, 1)]
    yield "same padding as if the dilation were 1", (wide[0], wide[1])
    half = [dilation[axis] * (kernel[axis] - 1) // 2 for axis in (0, 1)]
    yield "same padding of half a kernel on each side", ((half[0], half[0]), (half[1], half[1]))
    yield "no padding", ((0, 0), (0, 0))
    yield "all padding at the end", ((0, sum(right[0])), (0, sum(right[1])))


def _padding(situation: Situation) -> Iterator[Mistake]:
    padding = situation.keywords["padding"]
    if padding == "valid":
        return
    if padding == "same":
        for text, pairs in _pairs(situation):
            yield situation.with_keywords(text, padding=pairs)
    else:
        yield situation.with_keywords("no padding", padding="valid")
    right = situation.operation.function

    def repeated(reach: Callable[[NDArray[np.int64], int], NDArray[np.int64]]) -> Callable[..., Any]:
        def function(x: Any, *, padding: Any = "valid", **others: Any) -> Any:
            pairs = _explicit(situation) if isinstance(padding, str) else padding
            rows, columns = (
                reach(np.arange(-before, size + after), size) for (before, after), size in zip(pairs, x.shape[2:], strict=True)
            )
            return right(x=x[:, :, rows][:, :, :, columns], padding="valid", **others)

        return function

    yield Mistake(text="padding repeats the edge", function=repeated(lambda places, size: np.clip(places, 0, size - 1)))
    yield Mistake(text="padding wraps around", function=repeated(lambda places, size: places % size))
    reflected = repeated(lambda places, size: size - 1 - np.abs(size - 1 - np.abs(places)))
    yield Mistake(text="padding mirrors the image", function=reflected)


def _zero_padding(situation: Situation) -> Iterator[Mistake]:
    """Padding and overhang that take part in a maximum."""
    right = situation.operation.function
    padding = situation.keywords["padding"]
    pairs: Pairs = ((0, 0), (0, 0)) if padding == "valid" else _explicit(situation) if padding == "same" else padding
    window = situation.keywords["window"]
    stride = situation.keywords["stride"] or window

    def zeros(x: Any, **keywords: Any) -> Any:
        y = right(x=x, **keywords)
        # In ceil mode the last windows hang over the padding.
        ends = [(y.shape[axis + 2] - 1) * stride[axis] + window[axis] - x.shape[axis + 2] - pairs[axis][0] for axis in (0, 1)]
        sides = [(pairs[axis][0], max(pairs[axis][1], ends[axis])) for axis in (0, 1)]
        return right(x=np.pad(x, ((0, 0), (0, 0), *sides)), **{**keywords, "padding": "valid", "ceil_mode": False})

    yield Mistake(text="padded with zeros, which take part in the maximum", function=zeros)


def _explicit(situation: Situation) -> Pairs:
    """The padding ``same`` as pairs."""
    first, second = next(_pairs(situation))[1]
    return first[::-1], second[::-1]


def _groups(situation: Situation) -> Iterator[Mistake]:
    groups = situation.keywords["groups"]
    if groups < 2:
        return
    right = situation.operation.function
    x = situation.sample.inputs["x"]
    order = np.arange(x.shape[1]).reshape(-1, groups).T.ravel()
    yield situation.with_inputs("channels of the groups interleaved", x=x[:, order])

    def interleaved(*arguments: Any, **others: Any) -> Any:
        bias = others.pop("bias", None)
        y = right(*arguments, bias=None, **others)
        y = y[:, np.arange(y.shape[1]).reshape(groups, -1).T.ravel()]
        return y if bias is None else y + bias.reshape((-1, 1, 1))

    yield Mistake(text="outputs of the groups interleaved", function=interleaved)

    def with_bias(*arguments: Any, **others: Any) -> Any:
        y = right(*arguments, **others)
        return y[:, np.arange(y.shape[1]).reshape(groups, -1).T.ravel()]

    yield Mistake(text="outputs of the groups interleaved", function=with_bias)


def _cropping(situation: Situation) -> Iterator[Mistake]:
    keywords = situation.keywords
    kernel = _kernel(situation)
    if keywords["padding"] == "same":
        totals = [keywords["dilation"][axis] * (kernel[axis] - 1) + 1 - keywords["stride"][axis] for axis in (0, 1)]
        if min(totals) >= 0:
            pairs = tuple((total - total // 2, total // 2) for total in totals)
            yield situation.with_keywords("the odd pixel of same cropped at the start", padding=pairs)
    added = keywords["output_padding"]
    if any(added):
        right = situation.operation.function
        yield Mistake(
            text="output padding at the start", function=lambda **arguments: np.roll(right(**arguments), added, axis=(2, 3))
        )


def _maxima(situation: Situation) -> Iterator[Mistake]:
    """Gradients of a maximum: to all ties, to the last, or shared."""
    x = situation.sample.inputs["x"]
    window, padding = situation.keywords["window"], situation.keywords["padding"]
    stride = situation.keywords["stride"] or window
    pairs: Pairs = ((0, 0), (0, 0)) if padding == "valid" else _explicit(situation) if padding == "same" else padding

    def shared(choose: Callable[[Any], Any]) -> Callable[..., Any]:
        def gradient(dy: Any, x: Any, **keywords: Any) -> Any:
            value = getattr(x, "value", x)
            rows, columns = dy.shape[2:]
            reach = [(count - 1) * step + size for count, step, size in zip((rows, columns), stride, window, strict=True)]
            ends = [max(reach[axis] - value.shape[axis + 2] - pairs[axis][0], pairs[axis][1]) for axis in (0, 1)]
            sides = tuple((pairs[axis][0], ends[axis]) for axis in (0, 1))
            wide = np.pad(value, ((0, 0), (0, 0), *sides), constant_values=-np.inf)
            down, across = (slice(None, count * step, step) for count, step in zip((rows, columns), stride, strict=True))
            corners = [(row, column) for row in range(window[0]) for column in range(window[1])]
            taps = np.stack([wide[:, :, row:, column:][:, :, down, across] for row, column in corners])
            weights = choose(taps == np.max(taps, axis=0))
            dx = np.zeros_like(x, shape=wide.shape)
            for (row, column), weight in zip(corners, weights, strict=True):
                below = slice(row, row + rows * stride[0], stride[0])
                place = (slice(None), slice(None), below, slice(column, column + columns * stride[1], stride[1]))
                dx[place] = dx[place] + dy * weight
            top, left = sides[0][0], sides[1][0]
            return {"x": dx[:, :, top : top + value.shape[2], left : left + value.shape[3]]}

        return gradient

    if x.size:
        yield Mistake(text="ties send the gradient to all", vjp=shared(lambda hits: hits.astype(np.float64)))
        yield Mistake(text="ties share the gradient", vjp=shared(lambda hits: hits / np.maximum(np.sum(hits, axis=0), 1)))
        yield Mistake(
            text="ties send the gradient to the last",
            vjp=shared(lambda hits: (hits & (np.cumsum(hits[::-1], axis=0)[::-1] == 1)).astype(np.float64)),
        )
