"""Networks that encode and decode: variational_autoencoder."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require_rank, require_shape
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
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import shaped, weights
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

LAYERS = ("encoder", "mean", "log_variance", "decoder", "output")
PARAMETERS = tuple(f"{name}_{kind}" for kind in ("weight", "bias") for name in LAYERS)
AXES = {
    **dict.fromkeys(("x", "reconstruction"), "n d"),
    "noise": "n z",
    "encoder_weight": "d h",
    **dict.fromkeys(("mean_weight", "log_variance_weight"), "h z"),
    "decoder_weight": "z h",
    "output_weight": "h d",
    **dict.fromkeys(("encoder_bias", "decoder_bias"), "h"),
    **dict.fromkeys(("mean_bias", "log_variance_bias"), "z"),
    "output_bias": "d",
    "divergence": "n",
}


def variational_autoencoder(x: Array, parameters: Parameters, noise: Array | None = None) -> tuple[Array, Array]:
    r"""Each row through a distribution of few numbers and back, and how far that is from the standard normal one:

    .. math:: h = \tanh(x W_{enc} + b_{enc}), \quad \mu = h W_\mu + b_\mu, \quad \log \sigma^2 = h W_\sigma + b_\sigma, \quad
        z = \mu + \sigma \odot \epsilon,

    .. math:: r = \mathrm{sigmoid}(\tanh(z W_{dec} + b_{dec})\, W_{out} + b_{out}), \quad
        d_n = \tfrac{1}{2} \sum_j (\mu_{nj}^2 + \sigma_{nj}^2 - \log \sigma_{nj}^2 - 1).

    ``noise`` is :math:`\epsilon`, drawn from the standard normal distribution; left out, z is the mean. The second result is the
    Kullback-Leibler divergence of each row.

    Shapes: ``x`` and the first result (N, D); ``noise`` (N, Z), without gradient; the second result (N). ``parameters`` is a dict
    of ``encoder_weight`` (D, H), ``mean_weight`` and ``log_variance_weight`` (H, Z), ``decoder_weight`` (Z, H), ``output_weight``
    (H, D), and for each a bias of its columns (``encoder_bias`` …).
    Special values: NaN makes its own row NaN.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Kingma & Welling (2014), "Auto-encoding variational Bayes", eq. 10 and appendices B and C.1.
    """
    found = values_of(*_autoencoder(x, parameters, noise))
    return found["reconstruction"], found["divergence"]


def _autoencoder(x: Array, parameters: Parameters, noise: Array | None) -> Parts:
    require_parameters(parameters, PARAMETERS)
    require_rank(x, "x", 2)
    if noise is not None:
        require_shape(noise, "noise", (x.shape[0], parameters["mean_weight"].shape[1]))
    moved = (
        Step("half_logarithm", "multiply", {"a": "log_variance", "b": "half"}),
        Step("deviation", "exp", {"x": "half_logarithm"}),
        Step("distance", "multiply", {"a": "deviation", "b": "noise"}),
        Step("latent", "add", {"a": "mean", "b": "distance"}),
    )
    steps = (
        _dense("hidden", "x", "encoder", "tanh"),
        _dense("mean", "hidden", "mean", "linear"),
        _dense("log_variance", "hidden", "log_variance", "linear"),
        *(() if noise is None else moved),
        _dense("decoded", "mean" if noise is None else "latent", "decoder", "tanh"),
        _dense("reconstruction", "decoded", "output", "sigmoid"),
        Step("square", "square", {"x": "mean"}),
        Step("variance", "exp", {"x": "log_variance"}),
        Step("both", "add", {"a": "square", "b": "variance"}),
        Step("less_logarithm", "subtract", {"a": "both", "b": "log_variance"}),
        Step("terms", "subtract", {"a": "less_logarithm", "b": "one"}),
        Step("sums", "reduce_sum", {"x": "terms"}, {"axis": 1}),
        Step("divergence", "multiply", {"a": "sums", "b": "half"}),
    )
    # Of the coarser dtype that NumPy computes in, so that results have that of the other operand.
    numbers = {"half": np.asarray(0.5, np.float32), "one": np.asarray(1.0, np.float32)}
    return steps, {"x": x, "noise": noise, **parameters, **numbers}


def _dense(result: str, x: str, name: str, activation: str) -> Step:
    inputs = {"x": x, "weight": f"{name}_weight", "bias": f"{name}_bias"}
    return Step(result, "dense", inputs, {"activation": activation})


def _vjp(cotangents: tuple[Array, Array], x: Array, parameters: Parameters, noise: Array | None = None) -> Gradients:
    """The gradients of the steps, from the last to the first; mean and variance have those of both results."""
    results = dict(zip(("reconstruction", "divergence"), cotangents, strict=True))
    return block_gradients(results, _autoencoder(x, parameters, noise), parameters)


def _work(x: Array, parameters: Parameters, noise: Array | None = None) -> Work:
    """That of the steps."""
    return work_of(*_autoencoder(shaped(x), shaped_arrays(parameters), None if noise is None else shaped(noise)))


class Sizes(NamedTuple):
    """The numbers of rows, of their features, of those of hidden layers, and of latent ones."""

    rows: int = 5
    features: int = 7
    hidden: int = 6
    latent: int = 3


PLAIN = Sizes()


def _inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """Features from 0 to 1, and means around 1 or -1, so that the divergence is not what is left of larger numbers."""
    rows, features, hidden, latent = sizes
    ends = {
        "encoder": (features, hidden),
        "mean": (hidden, latent),
        "log_variance": (hidden, latent),
        "decoder": (latent, hidden),
        "output": (hidden, features),
    }
    drawn = stream("parameters")
    parameters = {
        **{f"{name}_weight": 1.5 * weights(drawn(f"{name}_weight"), shape, shape[0]) for name, shape in ends.items()},
        **{f"{name}_bias": 0.3 * drawn(f"{name}_bias").normal(shape[1:]) for name, shape in ends.items()},
    }
    signs = drawn("signs").integers((latent,), 0, 2) * 2 - 1
    parameters["mean_bias"] = parameters["mean_bias"] + signs
    noise = stream("noise").normal((rows, latent))
    return {"x": stream("x").uniform((rows, features)), "parameters": parameters, "noise": noise}


def _samples(stream: Stream) -> Iterator[Sample]:
    """With noise and without, sizes of one, variances far from one, magnitudes, NaN."""

    def sample(name: str, sizes: Sizes = PLAIN, **others: Any) -> Sample:
        return Sample(name=name, inputs=_inputs(stream(name), sizes), **{"dtypes": SINGLE, **others})

    yield sample("plain_rows", dtypes=("float64", "float32", "float16"))
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield sample("size_large", Sizes(17, 65, 33, 16))
    yield sample("unit_row", PLAIN._replace(rows=1))
    yield sample("unit_feature", PLAIN._replace(features=1))
    yield sample("unit_hidden", PLAIN._replace(hidden=1))
    yield sample("unit_latent", PLAIN._replace(latent=1))
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    still = sample("optional_no_noise")
    inputs: Any = still.inputs
    inputs["noise"] = None
    yield still
    for word, factor in (("small", 0.01), ("large", 30.0)):
        scaled = sample(f"magnitude_{word}")
        inputs = scaled.inputs
        inputs["x"] *= factor
        yield scaled
    for word, shift in (("small", -12.0), ("large", 6.0)):
        spread = sample(f"magnitude_{word}_variance")
        inputs = spread.inputs
        inputs["parameters"]["log_variance_bias"] += shift
        yield spread
    undefined = sample("nan_one_row")
    inputs = undefined.inputs
    inputs["x"][2, 3] = np.nan
    yield undefined


WORKLOADS = {"S": Sizes(4, 64, 32, 8), "M": Sizes(100, 784, 200, 20), "L": Sizes(1024, 784, 512, 64)}


def _workload(stream: Stream, size: str) -> Sample:
    """With noise."""
    return Sample(name=size, inputs=_inputs(stream, WORKLOADS[size]))


OPERATIONS = (
    Operation(
        function=variational_autoencoder,
        vjp=_vjp,
        samples=_samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "parameters"),
        outputs=("reconstruction", "divergence"),
        cotangents=("reconstruction", "divergence"),
        axes=AXES,
        workload=_workload,
        work=_work,
    ),
)
