"""Blocks of images with a residual connection: residual_block."""

from collections.abc import Iterator, Mapping
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
from tensorproof_reference.operations.batch_norm import ESTIMATES
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

AROUND = ((1, 1), (1, 1))
"""The padding of kernels of 3 by 3."""
BRANCH = ("first", "second")
PROJECTION = "shortcut"
AXES = {
    "x": "n c h w",
    "first_weight": "o c h w",
    "second_weight": "o c h w",
    "shortcut_weight": "o c h w",
    **{f"{name}_{kind}": "o" for name in (*BRANCH, PROJECTION) for kind in ("scale", "offset", "mean", "variance")},
    "y": "n o h w",
}


def residual_block(
    x: Array,
    parameters: Parameters,
    statistics: Mapping[str, Array],
    *,
    stride: int = 1,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Array, dict[str, Array]]:
    r"""A basic block of the first residual networks: two convolutions, each with batch normalization, and what passes them:

    .. math:: h = \max(0, \mathrm{BN}_1(W_1 * x)), \quad y = \max(0, \mathrm{BN}_2(W_2 * h) + s), \quad
        s = x \text{ or } \mathrm{BN}_s(W_s * x).

    Kernels of 3 by 3 have a padding of 1 on each side. The first has the ``stride``, as has the kernel of 1 by 1 through which
    x passes if ``shortcut_weight`` is given. BN is ``batch_norm`` with the keywords of this block.

    Shapes: ``x`` (N, C, H, W); the first result (N, O, ⌈H/stride⌉, ⌈W/stride⌉). ``parameters`` is a dict of ``first_weight``
    (O, C, 3, 3), ``second_weight`` (O, O, 3, 3), ``first_scale``, ``first_offset``, ``second_scale``, ``second_offset`` (O); with
    a projection also ``shortcut_weight`` (O, C, 1, 1), ``shortcut_scale``, ``shortcut_offset`` (O). ``statistics`` is a dict of
    ``first_mean``, ``first_variance`` (O), … of each normalization, and so is the second result, of the new ones.
    Special values: in training NaN makes everything NaN in the channels that it reaches.
    Raises: ``ValueError`` if a parameter or statistic is missing or unknown, shapes do not fit, x passes unchanged though the
    stride or the number of channels changes, or as ``batch_norm`` does.
    Source: He et al. (2016), "Deep residual learning for image recognition", fig. 2 and eq. 1 and 2.
    """
    keywords: dict[str, Any] = {"stride": stride, "training": training, "epsilon": epsilon, "momentum": momentum}
    found = values_of(*_residual(x, parameters, statistics, **keywords, running_variance_estimate=running_variance_estimate))
    return found["y"], {name: found[f"new_{name}"] for name in statistics}


def _residual(x: Array, parameters: Parameters, statistics: Mapping[str, Array], *, stride: int, **keywords: Any) -> Parts:
    layers = (*BRANCH, PROJECTION) if f"{PROJECTION}_weight" in parameters else BRANCH
    require_parameters(parameters, [f"{name}_{kind}" for name in layers for kind in ("weight", "scale", "offset")])
    require(
        set(statistics) == {f"{name}_{kind}" for name in layers for kind in ("mean", "variance")},
        "statistics",
        f"mean and variance of {', '.join(layers)}",
        ", ".join(sorted(statistics)),
    )
    require_rank(x, "x", 4)
    channels = parameters["first_weight"].shape[0]
    require_shape(parameters["first_weight"], "first_weight", (channels, x.shape[1], 3, 3))
    require_shape(parameters["second_weight"], "second_weight", (channels, channels, 3, 3))
    if PROJECTION in layers:
        require_shape(parameters["shortcut_weight"], "shortcut_weight", (channels, x.shape[1], 1, 1))
    else:
        require(stride == 1, "stride", "1 without a projection", stride)
        require(channels == x.shape[1], "first_weight", f"{x.shape[1]} channels without a projection", channels)
    strides = (stride, stride)
    projected = (
        *_normalized(PROJECTION, "x", {"stride": strides}, keywords),
        Step("sum", "add", {"a": "second_normalized", "b": "shortcut_normalized"}),
    )
    steps = (
        *_normalized("first", "x", {"stride": strides, "padding": AROUND}, keywords),
        Step("active", "relu", {"x": "first_normalized"}),
        *_normalized("second", "active", {"padding": AROUND}, keywords),
        *(projected if PROJECTION in layers else (Step("sum", "add", {"a": "second_normalized", "b": "x"}),)),
        Step("y", "relu", {"x": "sum"}),
    )
    return steps, {"x": x, **parameters, **statistics}


def _normalized(name: str, x: str, geometry: Mapping[str, Any], keywords: Mapping[str, Any]) -> tuple[Step, Step]:
    """A convolution and its batch normalization."""
    inputs = {"scale": f"{name}_scale", "offset": f"{name}_offset"}
    running = {"running_mean": f"{name}_mean", "running_variance": f"{name}_variance"}
    after = (f"new_{name}_mean", f"new_{name}_variance")
    return (
        Step(f"{name}_maps", "conv2d", {"x": x, "weight": f"{name}_weight"}, geometry),
        Step(f"{name}_normalized", "batch_norm", {"x": f"{name}_maps", **inputs, **running}, keywords, after),
    )


def _vjp(
    dy: Array,
    x: Array,
    parameters: Parameters,
    statistics: Mapping[str, Array],
    *,
    stride: int = 1,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> Gradients:
    """The gradients of the steps, from the last to the first; x has those of both ways."""
    keywords: dict[str, Any] = {"stride": stride, "training": training, "epsilon": epsilon, "momentum": momentum}
    parts = _residual(x, parameters, statistics, **keywords, running_variance_estimate=running_variance_estimate)
    return block_gradients({"y": dy}, parts, parameters)


def _work(
    x: Array,
    parameters: Parameters,
    statistics: Mapping[str, Array],
    *,
    stride: int = 1,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> Work:
    """That of the steps."""
    keywords: dict[str, Any] = {"stride": stride, "training": training, "epsilon": epsilon, "momentum": momentum}
    keywords["running_variance_estimate"] = running_variance_estimate
    return work_of(*_residual(shaped(x), shaped_arrays(parameters), shaped_arrays(statistics), **keywords))


class Sizes(NamedTuple):
    """The sizes of a block; what comes in passes through a projection if there are channels that come in."""

    batch: int = 2
    channels: int = 3
    height: int = 5
    width: int = 6
    coming: int = 0


PLAIN = Sizes()
PROJECTED = PLAIN._replace(coming=2)


def _inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """Weights, scales near one, offsets and statistics near zero and one."""
    channels, coming = sizes.channels, sizes.coming or sizes.channels
    layers = (*BRANCH, PROJECTION) if sizes.coming else BRANCH
    shapes = {
        "first": (channels, coming, 3, 3),
        "second": (channels, channels, 3, 3),
        "shortcut": (channels, coming, 1, 1),
    }
    drawn = stream("parameters")
    parameters, statistics = {}, {}
    for name in layers:
        shape = shapes[name]
        parameters[f"{name}_weight"] = 1.5 * weights(drawn(f"{name}_weight"), shape, shape[1] * shape[2] * shape[3])
        parameters[f"{name}_scale"] = 1.0 + 0.2 * drawn(f"{name}_scale").normal((channels,))
        parameters[f"{name}_offset"] = 0.3 * drawn(f"{name}_offset").normal((channels,))
        statistics[f"{name}_mean"] = 0.3 * drawn(f"{name}_mean").normal((channels,))
        statistics[f"{name}_variance"] = drawn(f"{name}_variance").uniform((channels,), 0.5, 2.0)
    x = ordinary(stream("x"), (sizes.batch, coming, sizes.height, sizes.width))
    return {"x": x, "parameters": parameters, "statistics": statistics}


def _beside_kinks(inputs: dict[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """With offsets that leave no unit near a kink, first those of the first relu, then those of the second."""
    given = {**(residual_block.__kwdefaults__ or {}), **keywords}
    for offset, before in (("first_offset", "first_normalized"), ("second_offset", "sum")):
        parameters = inputs["parameters"]
        found = values_of(*_residual(**inputs, **given))[before]
        moved = {**parameters, offset: parameters[offset] + beside_kinks(found, 1)}
        inputs = {**inputs, "parameters": moved}
    return inputs


def _samples(stream: Stream) -> Iterator[Sample]:
    """Identity and projection, strides, training and inference, sizes of one, magnitudes, NaN, epsilon, momentum, estimates."""

    def sample(name: str, sizes: Sizes = PLAIN, scaled: float = 1.0, keywords: Any = None, **others: Any) -> Sample:
        inputs = _inputs(stream(name), sizes)
        inputs["x"] *= scaled
        keywords = keywords or {}
        return Sample(name=name, inputs=_beside_kinks(inputs, keywords), keywords=keywords, **{"dtypes": SINGLE, **others})

    fine = ("float64", "float32", "float16")
    yield sample("plain_block", dtypes=fine)
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield sample("plain_projection", PROJECTED, keywords={"stride": 2}, dtypes=fine)
    yield sample("size_large", Sizes(3, 16, 9, 8))
    yield sample("geometry_projection_of_stride_one", PROJECTED)
    yield sample("geometry_even_sides_halved", Sizes(2, 3, 6, 4, 3), keywords={"stride": 2})
    yield sample("unit_batch", PLAIN._replace(batch=1))
    yield sample("unit_channel", PLAIN._replace(channels=1))
    yield sample("unit_position", Sizes(7, 3, 1, 1))
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    yield sample("statistics_inference", keywords={"training": False}, dtypes=fine)
    yield sample("statistics_inference_projection", PROJECTED, keywords={"training": False, "stride": 2})
    yield sample("statistics_momentum_half", PROJECTED, keywords={"momentum": 0.5})
    for estimate in ESTIMATES:
        yield sample(f"convention_{estimate}", keywords={"running_variance_estimate": estimate}, required=False)
    yield sample("optional_epsilon", PROJECTED, keywords={"epsilon": 0.1})
    yield sample("magnitude_small", scaled=0.01)
    yield sample("magnitude_large", scaled=30.0)
    # The gradient at NaN is left out: what relu makes of it is a matter of taste.
    undefined = sample("nan_one_example", keywords={"training": False}, gradient=False)
    inside: Any = undefined.inputs
    inside["x"][1, 2, 3, 4] = np.nan
    yield undefined


WORKLOADS = {"S": Sizes(1, 8, 8, 8), "M": Sizes(4, 32, 16, 16), "L": Sizes(8, 64, 32, 32)}


def _workload(stream: Stream, size: str) -> Sample:
    """Images that pass unchanged, in training."""
    return Sample(name=size, inputs=_inputs(stream, WORKLOADS[size]))


OPERATIONS = (
    Operation(
        function=residual_block,
        vjp=_vjp,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "parameters"),
        outputs=("y", "statistics"),
        axes=AXES,
        conventions={"running_variance_estimate": ESTIMATES},
        workload=_workload,
        work=_work,
    ),
)
