"""Compositions of public reports of compilers' bugs, written out: longer arrays than others draw, and crops of flat ones."""

from collections.abc import Callable, Iterator, Mapping

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.program import Program
from tensorproof.programs.sources.plain_calls import two

MANY_ROWS = 2**15 + 7_233
"""More than XLA gives one partition of a product."""


def _summed_product(builder: Builder) -> int:
    """Of a small square matrix and a transposed one of many rows."""
    square, rows = builder.input((3, 3)), builder.input((MANY_ROWS, 3))
    turned = builder.call("permute", {"x": rows}, {"axes": (1, 0)})
    return builder.call("reduce_sum", {"x": two(builder, "matmul", square, turned)}, {"axis": 0})


def _cropped_normalization(builder: Builder) -> int:
    """Images normalized by given statistics, made flat, and cropped to a part of the first channels."""
    x, channels = builder.input((3, 50, 3, 3)), (50, 1, 1)
    centred = two(builder, "subtract", x, builder.input(channels))
    scaled = two(builder, "multiply", centred, builder.call("rsqrt", {"x": builder.input(channels, "positive")}))
    moved = two(builder, "add", two(builder, "multiply", scaled, builder.input(channels)), builder.input(channels))
    flat = builder.call("reshape", {"x": moved}, {"shape": (3, 450)})
    return builder.call("strided_slice", {"x": flat}, {"start": (0, 0), "stop": (3, 50), "step": (1, 1)})


def _many_columns(builder: Builder) -> int:
    """A product, its softmax over a long odd axis, and the largest of each row."""
    scores = two(builder, "matmul", builder.input((2, 5)), builder.input((5, 16_385)))
    weights = builder.call("softmax", {"x": scores}, {"axis": -1})
    return builder.call("reduce_max", {"x": weights}, {"axis": -1})


REPORTED: Mapping[str, Callable[[Builder], int]] = {
    "summed_product_of_many_rows": _summed_product,
    "cropped_normalization": _cropped_normalization,
    "softmax_of_many_columns": _many_columns,
}
"""By name."""


def reported_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Each with its name."""
    for name, make in REPORTED.items():
        builder = material.builder(200_000)
        program = builder.program([make(builder)])
        if material.has(program):
            yield name, program
