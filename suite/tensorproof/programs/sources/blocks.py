"""Blocks of networks: what stands around a product, with its residual; compilers write such values over each other."""

from collections.abc import Iterator

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.program import Program
from tensorproof.programs.sources.plain_calls import two

ROWS, WIDTH = 5, 9
ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu", "gelu", "leaky_relu", "softplus", "softmax")


def _linear(builder: Builder, x: int) -> int:
    """A product with a transposed square matrix, plus a row."""
    turned = builder.call("permute", {"x": builder.input((WIDTH, WIDTH))}, {"axes": (1, 0)})
    return two(builder, "add", builder.call("matmul", {"a": x, "b": turned}), builder.input((WIDTH,)))


def _residual(builder: Builder, activation: str) -> list[int]:
    """``y + f(y)`` of a product, normalized; the sum of all is a second output."""
    y = _linear(builder, builder.input((ROWS, WIDTH)))
    total = two(builder, "add", y, builder.call(activation, {"x": y}))
    normalized = builder.call("layer_norm", {"x": total, "scale": builder.input((WIDTH,)), "offset": builder.input((WIDTH,))})
    return [normalized, builder.call("reduce_sum", {"x": total}, {"axis": 0})]


def _product(builder: Builder, activation: str) -> list[int]:
    """``f(x @ w)``, its rows' largest, the mean of all, and the first columns of what is made flat."""
    y = builder.call(
        activation,
        {"x": builder.call("matmul", {"a": builder.input((ROWS, WIDTH)), "b": builder.input((WIDTH, 2))})},
    )
    flat = builder.call("reshape", {"x": y}, {"shape": (-1,)})
    cropped = builder.call("strided_slice", {"x": flat}, {"start": (1,), "stop": (-2,), "step": (1,)})
    largest = builder.call("reduce_max", {"x": y}, {"axis": -1})
    return [largest, builder.call("reduce_mean", {"x": flat}, {"axis": None}), builder.call("exp", {"x": cropped})]


def block_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Each block with each activation, with its name."""
    for activation in ACTIVATIONS:
        for word, make in (("residual", _residual), ("product", _product)):
            if activation in material.available:
                builder = material.builder()
                program = builder.program(make(builder, activation))
                if material.has(program):
                    yield f"{word} of {activation}", program
