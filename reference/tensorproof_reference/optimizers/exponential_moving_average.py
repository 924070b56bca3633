"""The exponential moving average of weights: see ``exponential_moving_average``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.optimizers._samples import SHAPES, also_given
from tensorproof_reference.optimizers._steps import Arrays, require_fraction, slot
from tensorproof_reference.optimizers._workloads import SHAPES as SHAPES_BY_SIZE
from tensorproof_reference.optimizers._workloads import TAKEN, numbers_in
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

STARTS = ("first", "zero")


def exponential_moving_average(
    parameters: Sequence[Arrays],
    accumulated: Arrays | None = None,
    *,
    decay: float = 0.999,
    taken: int = 0,
    start: str = "first",
    warmup: bool = False,
) -> tuple[list[Array], list[Array]]:
    r"""The running mean of the weights of a training, in which older ones count less:
    :math:`a_t = d\, a_{t-1} + (1 - d)\, \theta_t` with the ``decay`` d.

    The sum starts at the ``first`` weights, :math:`a_1 = \theta_1`, or at ``zero``, :math:`a_0 = 0`. From zero the average is
    corrected for what it lacks: :math:`\bar\theta_t = a_t / (1 - d^t)`; else :math:`\bar\theta_t = a_t`.
    With a ``warmup`` the decay of the step t is :math:`\min(d, (1 + t) / (10 + t))`. The number t goes on from ``taken``.

    Shapes: ``parameters`` is a list over steps of lists of arrays of any shape; ``accumulated`` is a list of arrays of these
    shapes, left out in the beginning. The results are the averages, and what is accumulated; the arguments stay as they are.
    Special values: NaN stays in its place of the average for ever.
    Raises: ``ValueError`` if there is no step, lists differ in length, arrays in shape, ``decay`` is outside [0, 1), ``taken`` is
    negative, the start is unknown, or there is a warm-up from zero, which no framework corrects.
    Source: Kingma & Ba (2015), §7.2; the text of ``tf.train.ExponentialMovingAverage``.
    """
    require_fraction(decay=decay)
    require(taken >= 0, "taken", "a number that is not negative", taken)
    require(start in STARTS, "start", f"one of {STARTS}", start)
    require(not (warmup and start == "zero"), "warmup", "False where the sum starts at zero", warmup)
    require(len(parameters) > 0, "parameters", "at least one step", "none")
    if accumulated is None and start == "first":
        kept, parameters, count = list(parameters[0]), parameters[1:], taken + 1
    else:
        kept, count = slot(parameters[0], "accumulated", accumulated), taken
    for weights in parameters:
        require(len(weights) == len(kept), "parameters", f"{len(kept)} arrays in each step", f"{len(weights)}")
        count += 1
        rate = min(decay, (1.0 + count) / (10.0 + count)) if warmup else decay
        for index, weight in enumerate(weights):
            require_shape(weight, "parameters", kept[index].shape)
            kept[index] = rate * kept[index] + (1.0 - rate) * weight
    return [average / (1.0 - decay**count) for average in kept] if start == "zero" else list(kept), kept


def _arguments(stream: Stream, shapes: Any = SHAPES, steps: int = 3, scale: float = 1.0, given: bool = False) -> dict[str, Any]:
    """Weights of each step, and what was accumulated before."""
    arrays = [
        [asarray(scale * stream(f"{step}")(f"{index}").normal(shape)) for index, shape in enumerate(shapes)]
        for step in range(steps)
    ]
    before = [asarray(scale * stream("accumulated")(str(index)).normal(shape)) for index, shape in enumerate(shapes)]
    return {"parameters": arrays, **({"accumulated": before} if given else {})}


def samples(stream: Stream) -> Iterator[Sample]:
    """From the beginning and resumed; both starts; warm-up."""

    def case(name: str, *shapes: tuple[int, ...], how: Mapping[str, Any] | None = None, **others: Any) -> Sample:
        given = bool({"given", "state"} & set(name.split("_")))
        inputs = _arguments(stream(name), shapes or SHAPES, given=given, **others)
        return Sample(name=name, inputs=inputs, keywords={**({"taken": 5} if given else {}), **(how or {})})

    yield case("plain_defaults")
    yield case("plain_one_step", steps=1)
    yield case("size_large", (64, 128), (128,))
    yield case("size_many_parameters", (3, 4), (4,), (4, 4), (4,), (4, 2), (2,))
    yield case("rank_zero_and_three", (), (2, 3, 4))
    yield case("rank_four", (4, 3, 3, 2), how={"decay": 0.75})
    yield case("unit_axes", (1, 5, 1), (1,), how={"decay": 0.75})
    yield case("state_given")
    yield case("state_decay", how={"decay": 0.75})
    yield case("state_of_long_ago", how={"taken": 1000, "decay": 0.75})
    zeros = case("zero_weights_given", how={"decay": 0.75})
    yield Sample(
        name=zeros.name,
        inputs={**zeros.inputs, "parameters": [[np.zeros(shape) for shape in SHAPES] for _ in range(3)]},
        keywords=zeros.keywords,
    )
    lanes = case("nan_each_parameter", (3, 3), (3,), how={"decay": 0.75})
    for step, weights in enumerate(lanes.inputs["parameters"]):
        for array in weights:
            array.reshape(-1)[step] = np.nan
    yield lanes
    yield case("magnitude_thousands_given", scale=2.0**10, how={"decay": 0.75})
    yield case("magnitude_small_given", scale=2.0**-8, how={"decay": 0.75})
    yield case("long_ten_steps", steps=10, how={"decay": 0.75})
    variants: dict[str, Mapping[str, Any]] = {
        "optional_decay": {"decay": 0.5},
        "optional_warmup": {"warmup": True},
        "bounds_decay_zero": {"decay": 0.0},
        **{f"convention_start_{start}": {"start": start} for start in STARTS},
        **{f"convention_start_{start}_decay": {"start": start, "decay": 0.75} for start in STARTS},
    }
    for name, how in also_given(variants).items():
        yield case(name, how=how)
    yield case("optional_warmup_ends_given", how={"warmup": True, "decay": 0.75, "taken": 25})


def workload(stream: Stream, size: str) -> Sample:
    """One step of weights, averaged before."""
    inputs = _arguments(stream, SHAPES_BY_SIZE[size], steps=1, given=True)
    return Sample(name=size, inputs=inputs, keywords={"taken": TAKEN})


def work(
    parameters: Sequence[Arrays],
    accumulated: Arrays | None = None,
    *,
    decay: float = 0.999,
    taken: int = 0,
    start: str = "first",
    warmup: bool = False,
) -> Work:
    """Two products and a sum for each number in each step but a copied one; from zero a quotient in the end."""
    copied = accumulated is None and start == "first"
    steps = len(parameters) - copied
    return Work(flops=(3 * steps + (start == "zero")) * numbers_in(parameters[0]))


OPERATION = Operation(
    function=exponential_moving_average,
    vjp=None,
    samples=samples,
    family="average",
    differentiable=(),
    outputs=("average", "accumulated"),
    cotangents=(),
    conventions={"start": STARTS},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
