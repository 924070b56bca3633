"""Products of matrices of several dtypes: mixed_matmul."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank
from tensorproof_reference.mixed._widening import widened
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import products
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

RESULTS = ("float32", "bfloat16", "float16")


def mixed_matmul(a: Array, b: Array, *, dtype: str = "float32") -> Array:
    r"""The product of matrices that may differ in dtype, :math:`y = a\,b`, computed in float32 and rounded once to ``dtype``.

    The gradients :math:`da = dy\,b^T` and :math:`db = a^T dy` are computed in float32 too, and rounded once to the dtypes of a
    and b.

    Shapes: ``a`` (I, J), ``b`` (J, K), result (I, K).
    Dtypes: a and b of 16 bits or float32, y of ``dtype``.
    Special values: as in products and sums: NaN reaches the results of which it is a factor, and 0 · ∞ is NaN.
    Raises: ``ValueError`` if an array has not two axes, their lengths differ, or ``dtype`` is another.
    Source: Micikevicius et al. (2018), section 3.3; the text of ``jax.numpy.matmul`` on ``preferred_element_type``.
    """
    require_choice(dtype, "dtype", RESULTS)
    require_rank(a, "a", 2)
    require_rank(b, "b", 2)
    require(a.shape[1] == b.shape[0], "b", f"{a.shape[1]} rows", f"shape {b.shape}")
    return np.matmul(widened(a), widened(b))


def _vjp(dy: Array, a: Array, b: Array, *, dtype: str = "float32") -> Gradients:
    dy = widened(dy)
    return {"a": np.matmul(dy, widened(b).T), "b": np.matmul(widened(a).T, dy)}


def _samples(stream: Stream) -> Iterator[Sample]:
    """Every pair of dtypes, sizes around vector widths, long sums."""

    def sample(
        name: str, *shape: int, a: str = "bfloat16", b: str = "float32", y: str = "float32", scale: float = 1.0, **others: Any
    ) -> Sample:
        rows, inner, columns = shape or (5, 7, 4)
        numbers, deviation = stream(name), scale * max(inner, 1) ** -0.25
        inputs = {
            "a": numbers("a").normal((rows, inner), deviation=deviation),
            "b": numbers("b").normal((inner, columns), deviation=deviation),
        }
        own = {"a": a, "b": b, "y": y}
        return Sample(name=name, inputs=inputs, keywords={"dtype": y}, own_dtypes=own, dtypes=SINGLE, **others)

    narrow = ("bfloat16", "float16")
    yield sample("plain_bfloat16_by_float32")
    yield sample("plain_bfloat16_by_itself", b="bfloat16")
    yield sample("size_large", 64, 129, 65)
    yield sample("size_large_by_itself", 64, 129, 65, b="bfloat16")
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127):
        yield sample(f"width_inner_{width}", 3, width, 2, b="bfloat16")
        yield sample(f"width_columns_{width}", 3, 2, width)
    yield sample("rank_one_row", 1, 17, 5)
    yield sample("unit_everything", 1, 1, 1)
    yield sample("unit_inner", 5, 1, 4, b="bfloat16")
    yield sample("empty_rows", 0, 7, 4)
    yield sample("empty_inner", 5, 0, 4)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
        yield sample(f"strided_{memory}_by_itself", b="bfloat16", memory=memory)
    for of in narrow:
        for by in (*narrow, "float32"):
            if of == by or by == "float32":
                for y in ("float32", of):
                    yield sample(f"optional_{of}_by_{by}_to_{y}", a=of, b=by, y=y)
        yield sample(f"optional_float32_by_{of}", a="float32", b=of)
    for length in (4097, 16_385):
        yield sample(f"long_inner_{length}", 2, length, 3)
        yield sample(f"long_inner_{length}_by_itself", 2, length, 3, b="bfloat16")
    for word, scale in (("64", 64.0), ("1e10", 1e10), ("1e_minus_10", 1e-10)):
        yield sample(f"magnitude_{word}", scale=scale)
    # The product is beyond the largest number of float16, and not of float32.
    yield sample("magnitude_beyond_float16", a="float16", b="float16", scale=1000.0)
    for name, value in (("nan_in_both", np.nan), ("infinity_in_both", np.inf)):
        given = sample(name)
        given.inputs["a"][1, 2] = value
        given.inputs["b"][4, 3] = -value
        yield given


def _workload(stream: Stream, size: str) -> Sample:
    """Activations of 16 bits, and weights of float32."""
    rows, inner, columns = {"S": (32, 64, 32), "M": (128, 512, 512), "L": (1024, 1024, 1024)}[size]
    inputs = {
        "a": stream("a").normal((rows, inner)),
        "b": stream("b").normal((inner, columns), deviation=inner**-0.5),
    }
    return Sample(name=size, inputs=inputs, own_dtypes={"a": "bfloat16"})


def _work(a: Array, b: Array, *, dtype: str = "float32") -> Work:
    """A product for each term, and sums; back the same for each operand."""
    return products(a.shape[0] * a.shape[1] * b.shape[1])


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=mixed_matmul,
        vjp=_vjp,
        samples=_samples,
        family="product",
        profile=EXTENDED,
        differentiable=("a", "b"),
        workload=_workload,
        work=_work,
    ),
)
