"""Which operations programs are drawn from: a table with a weight and a rule of shapes each.

A rule is given a ``Hand``, which draws operands among the values that there are, or new inputs. It returns the node's
operands and keywords, or ``None`` if no value fits. Whether the node's values are finite and of ordinary size is seen to
afterwards, so no rule knows a domain.
"""

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

    def truth(self, shape: Shape) -> int:
        """The number of a boolean value that broadcasts with a shape, drawn anew if there is none."""
        ...

    def fresh(self, shape: Shape, kind: str = "normal") -> int:
        """The number of a new input."""
        ...

    def shape(self, number: int) -> Shape:
        """The shape of a value."""
        ...

    def size(self) -> int:
        """The length of an axis, from 1 to 33; those around the widths of vectors are likelier."""
        ...


Drawn = tuple[dict[str, Any], dict[str, Any]] | None
"""Operands and keywords by name."""


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


ROWS: Mapping[str, Row] = {
    **dict.fromkeys(("negative", "abs", "square", "exp", "sin", "cos", "erf"), Row(3, one)),
    **dict.fromkeys(("log", "log1p", "expm1", "sqrt", "rsqrt", "reciprocal"), Row(3, one)),
    **dict.fromkeys(("sign", "floor", "round"), Row(1, one)),
    **dict.fromkeys(("relu", "tanh", "sigmoid", "silu", "softplus"), Row(3, one)),
    "gelu": Row(3, with_alternative("approximation", ("none", "tanh"))),
    "leaky_relu": Row(2, one),
    **dict.fromkeys(("softmax", "log_softmax"), Row(5, of_rows)),
    **dict.fromkeys(("add", "subtract", "multiply"), Row(8, two)),
    "divide": Row(4, two),
    "power": Row(2, two),
    **dict.fromkeys(("maximum", "minimum"), Row(3, two)),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), Row(1, two)),
    "where": Row(6, chosen),
    "matmul": Row(8, product),
    "layer_norm": Row(5, normalized),
}
"""By operation of the specification. A row is all that a further operation takes."""
