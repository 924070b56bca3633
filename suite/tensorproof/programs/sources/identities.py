"""Laws of algebra that hold for real numbers and not for all floating ones: ``x * 0`` is 0, and NaN where x is infinite.

Compilers simplify by such laws. Each is tried on ordinary numbers with their gradients, and on infinities, NaN and zeros
by value.
"""

from collections.abc import Callable, Iterator, Mapping

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.program import SPECIAL, Program
from tensorproof.programs.sources.plain_calls import two

SHAPE = (len(SPECIAL), len(SPECIAL))
"""A table of every special number with every other one."""

Identity = Callable[[Builder, int, int], int]
"""Makes the calls from two arrays of one shape; the number of the result."""


def _with(operation: str, number: float) -> Identity:
    """One array and a number."""
    return lambda builder, x, y: two(builder, operation, x, builder.number(number, operation))


def _then(*operations: str) -> Identity:
    """One operation after the other."""

    def build(builder: Builder, x: int, y: int) -> int:
        for operation in operations:
            x = builder.call(operation, {"x": x})
        return x

    return build


def _itself(operation: str) -> Identity:
    return lambda builder, x, y: two(builder, operation, x, x)


def _there_and_back(first: str, second: str) -> Identity:
    """An array changed by another one, and changed back."""
    return lambda builder, x, y: two(builder, second, two(builder, first, x, y), y)


def _zero_times_plus(builder: Builder, x: int, y: int) -> int:
    return two(builder, "add", _with("multiply", 0.0)(builder, x, y), y)


def _factored(builder: Builder, x: int, y: int) -> int:
    """``x * y + x * x``, which is ``x * (y + x)``."""
    return two(builder, "add", two(builder, "multiply", x, y), two(builder, "multiply", x, x))


def _three_differences(builder: Builder, x: int, y: int) -> int:
    """``(x - y) - z``, which is ``x - (y + z)``: where x and y nearly cancel, that loses what z has."""
    return two(builder, "subtract", two(builder, "subtract", x, y), builder.input(SHAPE))


def _chosen_alike(builder: Builder, x: int, y: int) -> int:
    """A choice whose condition is that a number is itself: what is left is ``x``, unless it is NaN."""
    return builder.call("where", {"condition": two(builder, "equal", x, x), "a": x, "b": y})


def _clamped(builder: Builder, x: int, y: int) -> int:
    """At least 1, then at most 0.5: in the other order it is 1."""
    return two(builder, "minimum", two(builder, "maximum", x, builder.number(1.0, "maximum")), builder.number(0.5, "minimum"))


def _undone_product(builder: Builder, x: int, y: int) -> int:
    """``(x / y) * y``."""
    return two(builder, "multiply", two(builder, "divide", x, y), y)


def _of_a_product(operation: str) -> Identity:
    """Of two factors of one sign: what is taken of each of them is NaN where both are negative."""
    return lambda builder, x, y: builder.call(operation, {"x": two(builder, "multiply", x, y)})


def _with_two(first: str, second: str) -> Identity:
    """An array and two numbers, which a compiler makes one."""
    return lambda builder, x, y: _with(second, 3.0)(builder, _with(first, 0.5)(builder, x, y), y)


def _root_of_a_small_sum(builder: Builder, x: int, y: int) -> int:
    """``1 / sqrt(x * x / 1024 + 2**-16)``: what is added is small, and counts."""
    small = two(builder, "multiply", builder.call("square", {"x": x}), builder.number(2.0**-10, "multiply"))
    return builder.call("rsqrt", {"x": two(builder, "add", small, builder.number(2.0**-16, "add"))})


def _scaled_before(operation: str) -> Identity:
    """The largest of ``-x / 2`` is not half of the largest of ``x``."""
    return lambda builder, x, y: builder.call(operation, {"x": _with("multiply", -0.5)(builder, x, y)}, {"axis": -1})


def _both_ways(operation: str) -> Identity:
    """The operands in both orders, the second result twice."""

    def build(builder: Builder, x: int, y: int) -> int:
        exchanged = two(builder, operation, y, x)
        return two(builder, "add", two(builder, operation, x, y), two(builder, "add", exchanged, exchanged))

    return build


def _chosen_by(comparison: str) -> Identity:
    """A choice by a comparison, which is no maximum where a number is NaN, and has its branches exchanged if it is negated."""
    return lambda builder, x, y: builder.call("where", {"condition": two(builder, comparison, x, y), "a": x, "b": y})


IDENTITIES: Mapping[str, Identity] = {
    "times_zero": _with("multiply", 0.0),
    "times_zero_plus": _zero_times_plus,
    "times_one": _with("multiply", 1.0),
    "plus_zero": _with("add", 0.0),
    "minus_zero": _with("subtract", 0.0),
    "divided_by_one": _with("divide", 1.0),
    "divided_by_zero": _with("divide", 0.0),
    "divided_by_three": _with("divide", 3.0),
    "minus_itself": _itself("subtract"),
    "divided_by_itself": _itself("divide"),
    "plus_itself": _itself("add"),
    "exp_of_log": _then("log", "exp"),
    "log_of_exp": _then("exp", "log"),
    "root_of_square": _then("square", "sqrt"),
    "square_of_root": _then("sqrt", "square"),
    "negative_twice": _then("negative", "negative"),
    "reciprocal_twice": _then("reciprocal", "reciprocal"),
    "size_of_negative": _then("negative", "abs"),
    "added_and_subtracted": _there_and_back("add", "subtract"),
    "subtracted_and_added": _there_and_back("subtract", "add"),
    "multiplied_and_divided": _there_and_back("multiply", "divide"),
    "divided_and_multiplied": _undone_product,
    "factored": _factored,
    "three_differences": _three_differences,
    "chosen_alike": _chosen_alike,
    "clamped_the_wrong_way_round": _clamped,
    "log_of_a_product": _of_a_product("log"),
    "root_of_a_product": _of_a_product("sqrt"),
    "two_factors": _with_two("multiply", "multiply"),
    "two_summands": _with_two("add", "subtract"),
    "factor_and_divisor": _with_two("multiply", "divide"),
    "differences_both_ways": _both_ways("subtract"),
    "root_of_a_small_sum": _root_of_a_small_sum,
    "scaled_then_logsumexp": _scaled_before("logsumexp"),
    "scaled_then_log_softmax": _scaled_before("log_softmax"),
    "chosen_by_less": _chosen_by("less"),
    "chosen_by_less_equal": _chosen_by("less_equal"),
    "chosen_by_greater": _chosen_by("greater"),
    "square_by_a_power": _with("power", 2.0),
    "root_by_a_power": _with("power", 0.5),
}
"""By name."""
ALL_KINDS = ("normal", "positive", "offset", "special")
KINDS_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("log_of_a_product", "root_of_a_product"), ("positive", "special")),
    **dict.fromkeys(("square_by_a_power", "root_by_a_power"), ("positive", "special")),
    **dict.fromkeys(("two_factors", "two_summands", "factor_and_divisor"), ("normal", "special")),
    **dict.fromkeys(("chosen_by_less", "chosen_by_less_equal", "chosen_by_greater"), ("normal", "special")),
    **dict.fromkeys(("differences_both_ways", "root_of_a_small_sum"), ("normal",)),
    **dict.fromkeys(("scaled_then_logsumexp", "scaled_then_log_softmax"), ("normal", "large")),
}
"""The numbers that an identity is tried on, where others would tell no more; of large ones an exponential that is not shifted
rightly overflows."""


def identity_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Each identity on ordinary numbers, on numbers that cancel, and on special ones, with its name."""
    for name, identity in IDENTITIES.items():
        for kind in KINDS_OF.get(name, ALL_KINDS):
            builder = material.builder()
            x, y = builder.input(SHAPE, kind), _other(builder, kind)
            try:
                program = builder.program([identity(builder, x, y)])
            except ValueError:  # outside a domain
                continue
            if material.has(program):
                yield f"{name} of {kind}", program


def _other(builder: Builder, kind: str) -> int:
    """The second array; of special numbers the table turned, so that each meets each."""
    if kind != "special":
        return builder.input(SHAPE, kind)
    return builder.call("permute", {"x": builder.input(SHAPE, kind)}, {"axes": (1, 0)})
