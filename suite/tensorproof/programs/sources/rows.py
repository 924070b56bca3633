"""Which operations programs are drawn from: a table with a weight and a rule of shapes each.

A rule is given a ``Hand``, which draws operands among the values that there are, or new inputs. It returns the node's
operands and keywords, or ``None`` if no value fits. Whether the node's values are finite and of ordinary size is seen to
afterwards, so no rule knows a domain.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Shape = tuple[int, ...]


class Hand(Protocol):
    """What a rule draws with."""

    def below(self, count: int) -> int:
        """A number below ``count``."""
        ...

    def value(self, least_rank: int = 0) -> int | None:
        """The number of a floating value with so many axes at least; recent ones are likelier."""
        ...

    def fitting(self, other: int) -> int:
        """The number of a floating value that broadcasts with another one, drawn anew if there is none."""
        ...

    def constant(self, operation: str) -> int | None:
        """A number that is written into the program, now and then, where an operation takes one."""
        ...

    def truth(self, shape: Shape) -> int:
        """The number of a boolean value that broadcasts with a shape, drawn anew if there is none."""
        ...

    def fresh(self, shape: Shape, kind: str = "normal") -> int:
        """The number of a new input."""
        ...

    def castable(self) -> int | None:
        """The number of a floating or boolean value."""
        ...

    def other_dtype(self, number: int) -> str:
        """A floating dtype that a value has not."""
        ...

    def shape(self, number: int) -> Shape:
        """The shape of a value."""
        ...

    def size(self) -> int:
        """The length of an axis, from 1 to 33; those around the widths of vectors are likelier."""
        ...


Drawn = tuple[dict[str, Any], dict[str, Any]] | None
"""Operands and keywords by name."""


PARTS = ((None, None, 1), (0, -1, 1), (1, None, 1), (None, None, 2), (1, None, 2))
"""Start, stop and step along an axis."""


@dataclass(frozen=True)
class Row:
    """How often an operation is drawn, and how."""

    weight: int
    rule: Callable[[Hand], Drawn]


def one(hand: Hand) -> Drawn:
    """One array of any shape, called ``x``."""
    number = hand.value()
    return None if number is None else ({"x": number}, {})


def of_rows(hand: Hand) -> Drawn:
    """One array with an axis at least, called ``x``, and the axis."""
    number = hand.value(1)
    if number is None:
        return None
    return {"x": number}, {"axis": hand.below(len(hand.shape(number)))}


def two(hand: Hand) -> Drawn:
    """Two arrays that broadcast, called ``a`` and ``b`` in either order."""
    number = hand.value()
    if number is None:
        return None
    other = hand.fitting(number)
    return ({"a": number, "b": other} if hand.below(2) else {"a": other, "b": number}), {}


def two_of(operation: str) -> Callable[[Hand], Drawn]:
    """As ``two``, or one array and a number."""

    def rule(hand: Hand) -> Drawn:
        constant = hand.constant(operation)
        if constant is None:
            return two(hand)
        number = hand.value()
        return None if number is None else ({"a": number, "b": constant}, {})

    return rule


def chosen(hand: Hand) -> Drawn:
    """Two arrays that broadcast, and a condition."""
    found = two(hand)
    if found is None:
        return None
    operands, keywords = found
    return {"condition": hand.truth(hand.shape(operands["a"])), **operands}, keywords


def product(hand: Hand) -> Drawn:
    """A stack of matrices and a new matrix, on either side."""
    number = hand.value(2)
    if number is None:
        return None
    rows, columns = hand.shape(number)[-2:]
    if hand.below(2):
        return {"a": number, "b": hand.fresh((columns, hand.size()))}, {}
    return {"a": hand.fresh((hand.size(), rows)), "b": number}, {}


def normalized(hand: Hand) -> Drawn:
    """An array with a last axis of at least two: one number alone is rounding only. Scale and offset are new, or left out."""
    number = hand.value(1)
    if number is None or hand.shape(number)[-1] < 2:
        return None
    width = hand.shape(number)[-1:]
    operands = {"x": number}
    if hand.below(2):
        operands |= {"scale": hand.fresh(width), "offset": hand.fresh(width)}
    return operands, {}


def with_alternative(name: str, values: tuple[Any, ...]) -> Callable[[Hand], Drawn]:
    """One array called ``x``, and a keyword with one of some values."""

    def rule(hand: Hand) -> Drawn:
        number = hand.value()
        return None if number is None else ({"x": number}, {name: values[hand.below(len(values))]})

    return rule


def reduced(least: int) -> Callable[[Hand], Drawn]:
    """One array, reduced over one axis, two or all; over ``least`` numbers at least, where fewer say nothing."""

    def rule(hand: Hand) -> Drawn:
        number = hand.value(1)
        if number is None:
            return None
        shape = hand.shape(number)
        first, second = hand.below(len(shape)), hand.below(len(shape))
        axis = (first, first, (min(first, second), max(first, second)) if first != second else first, None)[hand.below(4)]
        axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
        if math.prod(shape[item] for item in axes) < least:
            return None
        return {"x": number}, {"axis": axis, "keepdims": bool(hand.below(2))}

    return rule


def reshaped(hand: Hand) -> Drawn:
    """One array made flat, or with two neighbouring axes merged, or one with an even length cut in two."""
    number = hand.value(1)
    if number is None:
        return None
    shape = hand.shape(number)
    place = hand.below(len(shape))
    new: Shape
    if not hand.below(3) or len(shape) == 1:
        new = (math.prod(shape),) if len(shape) > 1 or shape[0] % 2 else (2, shape[0] // 2)
    elif place + 1 < len(shape):
        new = (*shape[:place], shape[place] * shape[place + 1], *shape[place + 2 :])
    else:
        new = (*shape[:place], 2, shape[place] // 2) if shape[place] % 2 == 0 else (*shape, 1)
    return {"x": number}, {"shape": new}


def permuted(hand: Hand) -> Drawn:
    """One array with two axes swapped or all in another order."""
    number = hand.value(2)
    if number is None:
        return None
    axes = list(range(len(hand.shape(number))))
    for place in range(len(axes) - 1, 0, -1):
        other = hand.below(place + 1)
        axes[place], axes[other] = axes[other], axes[place]
    return {"x": number}, {"axes": tuple(axes)}


def sliced(hand: Hand) -> Drawn:
    """A part of each axis, some of them by steps of two."""
    number = hand.value(1)
    if number is None:
        return None
    start, stop, step = zip(*(PARTS[hand.below(len(PARTS))] for _ in hand.shape(number)), strict=True)
    return {"x": number}, {"start": start, "stop": stop, "step": step}


def padded(hand: Hand) -> Drawn:
    """Zeros at the ends of axes."""
    number = hand.value(1)
    if number is None:
        return None
    widths = tuple((hand.below(3), hand.below(3)) for _ in hand.shape(number))
    return {"x": number}, {"widths": widths}


def rolled(hand: Hand) -> Drawn:
    """One array, moved by up to three places along an axis."""
    found = of_rows(hand)
    return None if found is None else (found[0], {"shift": 1 + hand.below(3), **found[1]})


def joined(hand: Hand) -> Drawn:
    """An array with itself, or with a new one that is longer or shorter along an axis."""
    number = hand.value(1)
    if number is None:
        return None
    shape = hand.shape(number)
    axis = hand.below(len(shape))
    other = number if not hand.below(3) else hand.fresh((*shape[:axis], hand.size(), *shape[axis + 1 :]))
    return {"arrays": (number, other) if hand.below(2) else (other, number)}, {"axis": axis}


def stacked(hand: Hand) -> Drawn:
    """An array with a new one of its shape."""
    number = hand.value()
    if number is None:
        return None
    shape = hand.shape(number)
    return {"arrays": (number, hand.fresh(shape))}, {"axis": hand.below(len(shape) + 1)}


def tiled(hand: Hand) -> Drawn:
    """One array, repeated up to twice along each axis."""
    number = hand.value(1)
    return None if number is None else ({"x": number}, {"repeats": tuple(1 + hand.below(2) for _ in hand.shape(number))})


def triangle(hand: Hand) -> Drawn:
    """A triangle of matrices, on the diagonal or beside it."""
    number = hand.value(2)
    return None if number is None else ({"x": number}, {"diagonal": hand.below(3) - 1})


def casted(hand: Hand) -> Drawn:
    """One array or condition in another dtype. Programs of one dtype have no such row."""
    number = hand.castable()
    return None if number is None else ({"x": number}, {"dtype": hand.other_dtype(number)})


ROWS: Mapping[str, Row] = {
    **dict.fromkeys(("negative", "abs", "square", "exp", "sin", "cos", "erf"), Row(3, one)),
    **dict.fromkeys(("log", "log1p", "expm1", "sqrt", "rsqrt", "reciprocal"), Row(3, one)),
    **dict.fromkeys(("sign", "floor", "round"), Row(1, one)),
    **dict.fromkeys(("relu", "tanh", "sigmoid", "silu", "softplus"), Row(3, one)),
    "gelu": Row(3, with_alternative("approximation", ("none", "tanh"))),
    "leaky_relu": Row(2, one),
    **dict.fromkeys(("softmax", "log_softmax"), Row(5, of_rows)),
    **{name: Row(8, two_of(name)) for name in ("add", "subtract", "multiply")},
    "divide": Row(4, two_of("divide")),
    "power": Row(2, two_of("power")),
    **{name: Row(3, two_of(name)) for name in ("maximum", "minimum")},
    **{name: Row(1, two_of(name)) for name in ("less", "less_equal", "greater", "greater_equal")},
    **dict.fromkeys(("equal", "not_equal"), Row(1, two)),
    "where": Row(6, chosen),
    "matmul": Row(8, product),
    "layer_norm": Row(5, normalized),
    **dict.fromkeys(("reduce_sum", "reduce_mean"), Row(6, reduced(1))),
    **dict.fromkeys(("reduce_max", "reduce_min", "logsumexp"), Row(3, reduced(1))),
    **dict.fromkeys(("variance", "standard_deviation", "norm"), Row(2, reduced(2))),
    "reduce_prod": Row(1, reduced(1)),
    "cumulative_sum": Row(2, of_rows),
    "reshape": Row(6, reshaped),
    "permute": Row(6, permuted),
    "strided_slice": Row(6, sliced),
    "pad": Row(4, padded),
    "concatenate": Row(5, joined),
    "stack": Row(2, stacked),
    "tile": Row(2, tiled),
    "expand_dims": Row(2, of_rows),
    "flip": Row(2, of_rows),
    "roll": Row(2, rolled),
    **dict.fromkeys(("tril", "triu"), Row(1, triangle)),
}
"""By operation of the specification. A row is all that a further operation takes."""
