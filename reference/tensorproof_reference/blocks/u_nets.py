"""Networks of images that go down and up again: u_net_step."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.blocks._composition import (
    Parameters,
    Parts,
    Step,
    block_gradients,
    require_parameters,
    shaped_arrays,
    values_of,
    work_of,
)
from tensorproof_reference.blocks._kinks import beside_kinks
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import ordinary, shaped, weights
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

AROUND = ((1, 1), (1, 1))
"""The padding of kernels of 3 by 3."""
CONVOLUTIONS = ("down_first", "down_second", "bottom_first", "bottom_second", "join_first", "join_second")
WEIGHTS, BIASES = (tuple(f"{name}_{kind}" for name in (*CONVOLUTIONS, "up")) for kind in ("weight", "bias"))
AXES = {
    "x": "n c h w",
    **{f"{name}_weight": "o c h w" for name in CONVOLUTIONS},
    "up_weight": "c o h w",
    **dict.fromkeys(BIASES, "o"),
    "y": "n o h w",
}


def u_net_step(x: Array, parameters: Parameters) -> Array:
    r"""One level of a U-Net: two convolutions, down by a maximum, two convolutions, up again, and two convolutions of both:

    .. math:: s = C_2(C_1(x)), \quad b = C_4(C_3(\mathrm{maxpool}(s))), \quad y = C_6(C_5([s,\; W_{up} *^T b + b_{up}])),

    where each :math:`C(z) = \max(0, W * z + b)` has kernels of 3 by 3 and a padding of 1 on each side. The maximum is that of 2
    by 2, and the transposed convolution has kernels of 2 by 2 and stride 2. Channels of :math:`s` come first. The paper pads
    nothing and crops :math:`s`; here sizes stay, so nothing is cropped.

    Shapes: ``x`` (N, C, H, W) with even H and W; the result (N, O, H, W). ``parameters`` is a dict of ``down_first_weight``
    (O, C, 3, 3), ``down_second_weight`` (O, O, 3, 3), ``bottom_first_weight`` (P, O, 3, 3), ``bottom_second_weight`` (P, P, 3,
    3), ``up_weight`` (P, O, 2, 2), ``join_first_weight`` (O, 2O, 3, 3), ``join_second_weight`` (O, O, 3, 3), and for each a bias
    of its channels (``down_first_bias`` …), or none at all.
    Special values: NaN reaches the positions within the reach of its kernels, and no other example.
    Raises: ``ValueError`` if a parameter is missing or unknown, shapes do not fit, or a side is odd.
    Source: Ronneberger, Fischer & Brox (2015), "U-Net: convolutional networks for biomedical image segmentation", fig. 1.
    """
    return values_of(*_step(x, parameters))["y"]


def _step(x: Array, parameters: Parameters) -> Parts:
    biased = any(name in parameters for name in BIASES)
    require_parameters(parameters, (*WEIGHTS, *(BIASES if biased else ())))
    require_rank(x, "x", 4)
    require(x.shape[2] % 2 == 0 == x.shape[3] % 2, "x", "even sides", x.shape)
    for name in WEIGHTS:
        require_rank(parameters[name], name, 4)
    channels, deep = parameters["down_first_weight"].shape[0], parameters["bottom_first_weight"].shape[0]
    ends = {
        "down_first": (channels, x.shape[1]),
        "down_second": (channels, channels),
        "bottom_first": (deep, channels),
        "bottom_second": (deep, deep),
        "join_first": (channels, 2 * channels),
        "join_second": (channels, channels),
    }
    for name, pair in ends.items():
        require_shape(parameters[f"{name}_weight"], f"{name}_weight", (*pair, 3, 3))
    require_shape(parameters["up_weight"], "up_weight", (deep, channels, 2, 2))
    steps = (
        *_convolved("down_first", "x"),
        *_convolved("down_second", "down_first"),
        Step("pooled", "max_pool2d", {"x": "down_second"}),
        *_convolved("bottom_first", "pooled"),
        *_convolved("bottom_second", "bottom_first"),
        Step("raised", "conv2d_transpose", {"x": "bottom_second", "weight": "up_weight", "bias": "up_bias"}, {"stride": (2, 2)}),
        Step("joined", "concatenate", {"arrays": ("down_second", "raised")}, {"axis": 1}),
        *_convolved("join_first", "joined"),
        *_convolved("y", "join_first", "join_second"),
    )
    return steps, {"x": x, **dict.fromkeys(BIASES), **parameters}


def _convolved(result: str, x: str, name: str = "") -> tuple[Step, Step]:
    """A convolution, named as its result unless it is said, and relu."""
    name = name or result
    inputs = {"x": x, "weight": f"{name}_weight", "bias": f"{name}_bias"}
    return Step(f"{name}_maps", "conv2d", inputs, {"padding": AROUND}), Step(result, "relu", {"x": f"{name}_maps"})


def _vjp(dy: Array, x: Array, parameters: Parameters) -> Gradients:
    """The gradients of the steps, from the last to the first; what passes at the side has those of both ways."""
    return block_gradients({"y": dy}, _step(x, parameters), parameters)


def _work(x: Array, parameters: Parameters) -> Work:
    """That of the steps."""
    return work_of(*_step(shaped(x), shaped_arrays(parameters)))


class Sizes(NamedTuple):
    """The sizes of a step; at the bottom there are twice the channels."""

    batch: int = 2
    coming: int = 3
    channels: int = 2
    height: int = 4
    width: int = 6


PLAIN = Sizes()


def _inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    batch, coming, channels, height, width = sizes
    deep = 2 * channels
    shapes = {
        "down_first": (channels, coming, 3, 3),
        "down_second": (channels, channels, 3, 3),
        "bottom_first": (deep, channels, 3, 3),
        "bottom_second": (deep, deep, 3, 3),
        "up": (deep, channels, 2, 2),
        "join_first": (channels, 2 * channels, 3, 3),
        "join_second": (channels, channels, 3, 3),
    }
    drawn = stream("parameters")
    parameters = {}
    for name, shape in shapes.items():
        reach = shape[0] if name == "up" else shape[1] * shape[2] * shape[3]
        parameters[f"{name}_weight"] = 2.5 * weights(drawn(f"{name}_weight"), shape, reach)
        parameters[f"{name}_bias"] = 0.3 * drawn(f"{name}_bias").normal((shape[name == "up"],))
    return {"x": ordinary(stream("x"), (batch, coming, height, width)), "parameters": parameters}


def _beside_kinks(inputs: dict[str, Any]) -> dict[str, Any]:
    """With biases that leave no unit near a kink, from the first layer to the last."""
    for name in CONVOLUTIONS:
        parameters, bias = inputs["parameters"], f"{name}_bias"
        moved = parameters[bias] + beside_kinks(values_of(*_step(**inputs))[f"{name}_maps"], 1)
        inputs = {**inputs, "parameters": {**parameters, bias: moved}}
    return inputs


def _closest(inputs: dict[str, Any]) -> float:
    """How close two numbers come of which a maximum is to be taken; where relu gave zeros, all are equal and none counts."""
    maps = values_of(*_step(**inputs))["down_second"]
    batch, channels, height, width = maps.shape
    windows = maps.reshape(batch, channels, height // 2, 2, width // 2, 2).swapaxes(3, 4)
    ordered = np.sort(windows.reshape(*windows.shape[:4], 4))
    gaps = ordered[..., 3] - ordered[..., 2]
    return float(np.min(gaps[ordered[..., 3] > 0]))


def _apart(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """Of eight draws that in which maxima are farthest from what they are compared with."""
    drawn = (_beside_kinks(_inputs(stream(str(attempt)), sizes)) for attempt in range(8))
    return max(drawn, key=_closest)


def _samples(stream: Stream) -> Iterator[Sample]:
    """Sizes of one, other strides, without biases, small and large numbers, NaN."""

    def sample(name: str, sizes: Sizes = PLAIN, **others: Any) -> Sample:
        return Sample(name=name, inputs=_apart(stream(name), sizes), **{"dtypes": SINGLE, **others})

    yield sample("plain_step", dtypes=("float64", "float32", "float16"))
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield sample("size_large", Sizes(2, 5, 8, 8, 6))
    yield sample("unit_batch", PLAIN._replace(batch=1))
    yield sample("unit_channel", PLAIN._replace(coming=1, channels=1))
    yield sample("unit_position_at_the_bottom", Sizes(3, 2, 2, 2, 2))
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    bare = sample("optional_no_biases").inputs
    kept = {name: array for name, array in bare["parameters"].items() if name in WEIGHTS}
    yield Sample(name="optional_no_biases", inputs={**bare, "parameters": kept}, dtypes=SINGLE)
    for word, factor in (("small", 0.01), ("large", 100.0)):
        scaled = sample(f"magnitude_{word}")
        given: Any = scaled.inputs
        given["x"] *= factor
        for name in BIASES:
            given["parameters"][name] *= factor
        yield scaled
    # The gradient at NaN is left out: what relu makes of it is a matter of taste.
    undefined = sample("nan_one_pixel", Sizes(2, 2, 2, 12, 14), gradient=False)
    inside: Any = undefined.inputs
    inside["x"][1, 1, 1, 2] = np.nan
    yield undefined


WORKLOADS = {"S": Sizes(1, 3, 4, 8, 8), "M": Sizes(4, 8, 16, 32, 32), "L": Sizes(4, 32, 32, 64, 64)}


def _workload(stream: Stream, size: str) -> Sample:
    """Images with even sides."""
    return Sample(name=size, inputs=_inputs(stream, WORKLOADS[size]))


OPERATIONS = (
    Operation(
        function=u_net_step,
        vjp=_vjp,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "parameters"),
        axes=AXES,
        workload=_workload,
        work=_work,
    ),
)
