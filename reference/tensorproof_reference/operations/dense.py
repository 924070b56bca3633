"""Fully connected layer: see ``dense``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank, require_shape
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import relu, tanh
from tensorproof_reference.operations import sigmoid as logistic
from tensorproof_reference.operations._workloads import added_bias, count, ordinary, products, weights
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh")
WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 1e13."""

FINE_DTYPES = ("float64", "float32", "float16")
"""The dtypes that say something about a short sum of derivatives of an activation."""

LONG_DTYPES = ("float64", "float32")
"""The dtypes that say something about the gradients of saturated activations."""


def dense(x: Array, weight: Array, bias: Array | None = None, *, activation: str = "linear") -> Array:
    r"""A fully connected layer: :math:`y = f(x W + b)`, f being the activation.

    Shapes: ``x`` (…, I), ``weight`` (I, O), ``bias`` (O,) or ``None``, result (…, O).
    Special values: those of the matrix product, then those of the activation.
    Raises: ``ValueError`` if ``x`` has no axis, if a shape does not fit, or if ``activation`` is none of
    ``"linear"``, ``"relu"``, ``"sigmoid"`` and ``"tanh"``.
    Source: the texts, 002 §3.1.1, 003 §3.1.1, 003 §3.2.3.
    """
    affine = _affine(x, weight, bias, activation)
    if activation == "relu":
        return np.maximum(affine, 0.0)
    if activation == "sigmoid":
        return sigmoid(affine)
    return np.tanh(affine) if activation == "tanh" else affine


def vjp(dy: Array, x: Array, weight: Array, bias: Array | None = None, *, activation: str = "linear") -> Gradients:
    r""":math:`da = dy \odot f'(x W + b)`; :math:`dx = da \, W^T`, :math:`dW = x^T da`, and :math:`db` is the sum of da."""
    affine = _affine(x, weight, bias, activation)
    if activation == "relu":
        da = np.where(affine > 0, dy, 0.0)
    elif activation == "sigmoid":
        y = sigmoid(affine)
        da = dy * (y * (1.0 - y))
    elif activation == "tanh":
        da = dy * (1.0 - np.square(np.tanh(affine)))
    else:
        da = dy
    rows = int(np.prod(x.shape[:-1]))
    inputs, outputs = x.reshape((rows, x.shape[-1])), da.reshape((rows, da.shape[-1]))
    return {
        "x": np.matmul(da, weight.T),
        "weight": np.matmul(inputs.T, outputs),
        "bias": None if bias is None else np.sum(outputs, axis=0),
    }


def _affine(x: Array, weight: Array, bias: Array | None, activation: str) -> Array:
    require_choice(activation, "activation", ACTIVATIONS)
    require(x.ndim >= 1, "x", "an array with at least 1 axis", f"shape {x.shape}")
    require_rank(weight, "weight", 2)
    require(x.shape[-1] == weight.shape[0], "weight", f"{x.shape[-1]} rows, as x has features", f"shape {weight.shape}")
    if bias is None:
        return np.matmul(x, weight)
    require_shape(bias, "bias", (weight.shape[1],))
    return np.matmul(x, weight) + bias


def samples(stream: Stream) -> Iterator[Sample]:
    """Each activation with and without bias, any number of leading axes, sizes around vector widths, long sums.

    Weights are scaled by the number of inputs, so that activations do not saturate except where a sample is about that.
    Where the activation is relu, inputs and weights are whole numbers and biases are halves, so that x W + b is an exact number
    at least one half away from the kink.
    """

    def normal(name: str, shape: tuple[int, ...], units: int, bias: bool = True, scale: float = 1.0) -> dict[str, Array]:
        inputs, deviation = stream(name), 0.5 * max(shape[-1], 1) ** -0.5
        return {
            "x": inputs("x").normal(shape, deviation=scale),
            "weight": inputs("weight").normal((shape[-1], units), deviation=deviation),
            "bias": inputs("bias").normal((units,), deviation=0.5) if bias else None,
        }

    def halves(name: str, shape: tuple[int, ...], units: int) -> dict[str, Array]:
        inputs = stream(name)
        return {
            "x": inputs("x").grid(shape, step=1.0, bound=2),
            "weight": inputs("weight").grid((shape[-1], units), step=1.0, bound=2),
            "bias": inputs("bias").integers((units,), -2, 2) + 0.5,
        }

    def case(
        name: str, shape: tuple[int, ...], units: int, activation: str = "linear", bias: bool = True, **others: Any
    ) -> Sample:
        inputs = halves(name, shape, units) if activation == "relu" else normal(name, shape, units, bias)
        keywords = {} if activation == "linear" else {"activation": activation}
        return Sample(name=name, inputs=inputs, keywords=keywords, **others)

    yield case("plain_linear", (5, 7), 3)
    yield case("plain_relu", (5, 7), 3, "relu")
    yield case("plain_tanh", (5, 7), 3, "tanh")
    yield case("plain_sigmoid", (5, 7), 3, "sigmoid", dtypes=FINE_DTYPES)
    yield case("plain_sigmoid_value", (5, 7), 3, "sigmoid", gradient=False)
    yield case("size_large", (32, 128), 64)
    yield case("size_large_relu", (32, 128), 64, "relu")
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127, 513):
        yield case(f"width_inputs_{width}", (3, width), 2)
    for width in (8, 17, 127):
        yield case(f"width_units_{width}", (3, 2), width, "tanh")
    yield case("rank_one", (7,), 3)
    yield case("rank_three", (2, 4, 7), 3)
    yield case("rank_four_relu", (2, 3, 2, 7), 3, "relu")
    yield case("unit_batch", (1, 7), 3, "sigmoid")
    yield case("unit_input", (5, 1), 3, "tanh")
    yield case("unit_output", (5, 7), 1)
    curved = [{"activation": "sigmoid"}, {"activation": "tanh"}]
    for name, shape, units in (("unit_output", (5, 7), 1), ("unit_everything", (1, 1), 1)):
        yield from with_each(Sample(name=name, inputs=normal(f"{name}_with", shape, units), dtypes=FINE_DTYPES), curved)
        yield case(f"{name}_activation_relu", shape, units, "relu")
    yield case("empty_batch", (0, 7), 3)
    yield case("empty_inputs", (5, 0), 3)
    yield case("strided_transposed", (5, 7), 3, memory="transposed")
    yield case("strided_sliced", (5, 7), 3, "tanh", memory="sliced")
    yield case("strided_rank_three", (2, 4, 7), 3, memory="transposed")
    yield case("long_inputs", (2, 16384), 3)
    yield from long_samples(lambda name, length: normal(name, (length, 3), 2), "rows")
    yield case("optional_no_bias", (5, 7), 3, bias=False)
    yield case("optional_no_bias_tanh", (5, 7), 3, "tanh", bias=False)
    yield case("optional_no_bias_rank_three", (2, 4, 7), 3, bias=False)

    yield Sample(name="magnitude_thousand", inputs=normal("magnitude_thousand", (5, 7), 3, scale=1e3))
    yield Sample(name="magnitude_thousandth", inputs=normal("magnitude_thousandth", (5, 7), 3, bias=False, scale=1e-3))
    yield Sample(name="magnitude_1e13", inputs=normal("magnitude_1e13", (5, 7), 3, scale=1e13), dtypes=WIDE_DTYPES)
    for activation in ("sigmoid", "tanh"):
        name = f"magnitude_saturated_{activation}"
        inputs = normal(name, (5, 7), 3)
        inputs["x"] *= np.array([1.0, 1.0, 30.0, 1.0, 30.0])[:, None]
        yield Sample(name=name, inputs=inputs, keywords={"activation": activation}, dtypes=LONG_DTYPES)

    for name, value, activation in (
        ("nan_rows", np.nan, "linear"),
        ("nan_rows_tanh", np.nan, "tanh"),
        ("infinity_rows", np.inf, "linear"),
        ("infinity_rows_sigmoid", -np.inf, "sigmoid"),
    ):
        inputs = normal(name, (5, 7), 3)
        inputs["x"][(0, 2, 4), (6, 1, 3)] = value
        yield Sample(name=name, inputs=inputs, keywords={"activation": activation}, dtypes=LONG_DTYPES)
    for name, value in (("nan_bias", np.nan), ("infinity_bias", -np.inf)):
        inputs = normal(name, (5, 7), 3)
        inputs["bias"][1] = value
        yield Sample(name=name, inputs=inputs, keywords={"activation": "tanh"}, dtypes=FINE_DTYPES)
    not_a_number = halves("nan_rows_relu", (5, 7), 3)
    not_a_number["x"][1, 4] = np.nan
    yield Sample(name="nan_rows_relu", inputs=not_a_number, keywords={"activation": "relu"}, gradient=False)
    ones = {
        "x": np.array([[1.0, 2.0], [-1.0, 1.0], [2.0, -2.0]]),
        "weight": np.array([[1.0, -1.0], [1.0, 0.5]]),
        "bias": np.zeros(2),
    }
    expected = {"y": np.array([[3.0, 0.0], [0.0, 1.5], [0.0, 0.0]])}
    yield Sample(name="kink_relu", inputs=ones, keywords={"activation": "relu"}, expected=expected)


SIZES = {"S": (4, 64, 64), "M": (64, 512, 512), "L": (128, 2048, 2048)}
"""Batch, inputs and units of what is timed."""

_WORK_OF = {"relu": relu.work, "sigmoid": logistic.work, "tanh": tanh.work}


def workload(stream: Stream, size: str) -> Sample:
    """A batch of rows through a layer with bias."""
    rows, features, units = SIZES[size]
    inputs = {
        "x": ordinary(stream("x"), (rows, features)),
        "weight": weights(stream("weight"), (features, units), fan_in=features),
        "bias": stream("bias").uniform((units,), -0.1, 0.1),
    }
    return Sample(name=size, inputs=inputs)


def work(x: Array, weight: Array, bias: Array | None = None, *, activation: str = "linear") -> Work:
    """A product and a sum for each row and weight, a sum for each result, and the activation's; back twice the products."""
    rows, units = math.prod(x.shape[:-1]), weight.shape[1]
    activated = Work(flops=0) if activation == "linear" else _WORK_OF[activation](np.broadcast_to(0.0, (rows, units)))
    return products(rows * count(weight)) + added_bias(rows * units, bias) + activated


OPERATION = Operation(
    function=dense,
    vjp=vjp,
    samples=samples,
    family="product",
    differentiable=("x", "weight", "bias"),
    axes={"weight": "i o", "bias": "o"},
    documents=("002 §3.1.1", "003 §3.1.1", "003 §3.2.3"),
    workload=workload,
    work=work,
)
