"""Compositions that compilers know and rewrite, written out from primitives; each equals an operation of the specification."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.program import NUMBER, Node, Program
from tensorproof.programs.sources.plain_calls import two

ROWS, WIDTH = 5, 17


@dataclass(frozen=True)
class Pattern:
    """A composition, and the operation that it equals, called with the same arrays in the same order."""

    build: Callable[[Builder], tuple[int, ...]]
    """Makes the inputs and the calls; the numbers of the operation's arrays, and last that of the result."""
    operation: str
    keywords: Mapping[str, Any] = field(default_factory=dict)


def _rows(builder: Builder) -> int:
    return builder.input((ROWS, WIDTH))


def _silu(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    return x, two(builder, "multiply", x, builder.call("sigmoid", {"x": x}))


def _sigmoid(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    one = builder.number(1.0)
    e = builder.call("exp", {"x": builder.call("negative", {"x": x})})
    return x, builder.call("reciprocal", {"x": two(builder, "add", one, e)})


def _softplus(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    return x, builder.call("log1p", {"x": builder.call("exp", {"x": x})})


def _relu(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    return x, two(builder, "maximum", x, builder.number(0.0))


def _leaky_relu(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    return x, two(builder, "maximum", x, two(builder, "multiply", x, builder.number(0.25)))


def _gelu(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    inner = builder.call("erf", {"x": two(builder, "multiply", x, builder.number(math.sqrt(0.5)))})
    half = two(builder, "multiply", builder.number(0.5), x)
    return x, two(builder, "multiply", half, two(builder, "add", builder.number(1.0), inner))


def _gelu_tanh(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    cube = two(builder, "multiply", two(builder, "multiply", x, x), x)
    sum_ = two(builder, "add", x, two(builder, "multiply", builder.number(0.044715), cube))
    inner = builder.call("tanh", {"x": two(builder, "multiply", builder.number(math.sqrt(2.0 / math.pi)), sum_)})
    half = two(builder, "multiply", builder.number(0.5), x)
    return x, two(builder, "multiply", half, two(builder, "add", builder.number(1.0), inner))


def _log_softmax(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    return x, builder.call("log", {"x": builder.call("softmax", {"x": x}, {"axis": -1})})


def _reduced(builder: Builder, operation: str, x: int) -> int:
    return builder.call(operation, {"x": x}, {"axis": -1, "keepdims": True})


def _softmax(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    e = builder.call("exp", {"x": two(builder, "subtract", x, _reduced(builder, "reduce_max", x))})
    return x, two(builder, "divide", e, _reduced(builder, "reduce_sum", e))


def _logsumexp(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    largest = _reduced(builder, "reduce_max", x)
    e = builder.call("exp", {"x": two(builder, "subtract", x, largest)})
    return x, two(builder, "add", largest, builder.call("log", {"x": _reduced(builder, "reduce_sum", e)}))


def _layer_norm(builder: Builder) -> tuple[int, ...]:
    x = _rows(builder)
    centred = two(builder, "subtract", x, _reduced(builder, "reduce_mean", x))
    spread = _reduced(builder, "reduce_mean", builder.call("square", {"x": centred}))
    root = builder.call("rsqrt", {"x": two(builder, "add", spread, builder.number(2.0**-16))})
    return x, two(builder, "multiply", centred, root)


def _attention(scaled_before: bool) -> Callable[[Builder], tuple[int, ...]]:
    def build(builder: Builder) -> tuple[int, ...]:
        query, key, value = (builder.input(shape) for shape in ((2, 1, ROWS, 16), (2, 1, 7, 16), (2, 1, 7, 9)))
        turned = builder.call("permute", {"x": key}, {"axes": (0, 1, 3, 2)})
        scale = builder.number(0.25)
        given = two(builder, "multiply", query, scale) if scaled_before else query
        scores = two(builder, "matmul", given, turned)
        scores = scores if scaled_before else two(builder, "multiply", scores, scale)
        return query, key, value, two(builder, "matmul", builder.call("softmax", {"x": scores}, {"axis": -1}), value)

    return build


PATTERNS: Mapping[str, Pattern] = {
    "silu": Pattern(_silu, "silu"),
    "sigmoid": Pattern(_sigmoid, "sigmoid"),
    "softplus": Pattern(_softplus, "softplus"),
    "relu": Pattern(_relu, "relu"),
    "leaky_relu": Pattern(_leaky_relu, "leaky_relu", {"negative_slope": 0.25}),
    "gelu": Pattern(_gelu, "gelu"),
    "gelu_tanh": Pattern(_gelu_tanh, "gelu", {"approximation": "tanh"}),
    "softmax": Pattern(_softmax, "softmax"),
    "logsumexp": Pattern(_logsumexp, "logsumexp", {"axis": -1, "keepdims": True}),
    "layer_norm": Pattern(_layer_norm, "layer_norm", {"epsilon": 2.0**-16}),
    "log_softmax": Pattern(_log_softmax, "log_softmax"),
    "attention_scaled_before": Pattern(_attention(True), "scaled_dot_product_attention"),
    "attention_scaled_after": Pattern(_attention(False), "scaled_dot_product_attention"),
}
"""By name. The numbers in them are inputs, so a compiler sees no constant; ``with_numbers`` writes them into the program."""
EITHER_WAY = ("add", "multiply", "maximum")
"""Operations whose operands may be exchanged."""


def with_numbers(program: Program, takes: Collection[str]) -> Program:
    """The program with numbers instead of inputs that hold one, where all nodes that need them take one as ``b``.

    Args:
        program: a pattern's program, or another.
        takes: the operations that take a number instead of their argument ``b``.
    """
    numbers = {number for number, item in enumerate(program.inputs) if item.values is not None and item.shape == ()}
    nodes = [_number_last(node, numbers) for node in program.nodes]
    for node in nodes:
        operands = dict(node.operands)
        numbers -= {number for number in node.numbers if node.operation not in takes or number != operands["b"]}
    kinds = [NUMBER if number in numbers else item.kind for number, item in enumerate(program.inputs)]
    inputs = tuple(replace(item, kind=kind) for item, kind in zip(program.inputs, kinds, strict=True))
    return replace(program, inputs=inputs, nodes=tuple(nodes))


def _number_last(node: Node, numbers: Collection[int]) -> Node:
    """The node with its operands exchanged if the first of them is a number."""
    operands = dict(node.operands)
    if node.operation not in EITHER_WAY or operands["a"] not in numbers:
        return node
    return replace(node, operands=(("a", operands["b"]), ("b", operands["a"])))


def pattern_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """The patterns whose operations are available, each with its name, then those that have numbers with these written in."""
    made = []
    for name, pattern in PATTERNS.items():
        builder = material.builder()
        program = builder.program([pattern.build(builder)[-1]])
        if material.has(program):
            made.append((name, program))
    yield from made
    for name, program in made:
        written = with_numbers(program, material.numbers)
        if written.inputs != program.inputs:
            yield f"{name} with numbers", written
