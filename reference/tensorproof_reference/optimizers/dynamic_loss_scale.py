"""A loss scaled so that its gradients stay within range: see ``dynamic_loss_scale``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.optimizers._samples import SHAPES, arguments
from tensorproof_reference.optimizers._schedules import require_count
from tensorproof_reference.optimizers._steps import Arrays, require_step
from tensorproof_reference.optimizers._workloads import numbers_in, optimizer_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

GROWS = ("at_interval", "after_interval")


def dynamic_loss_scale(
    parameters: Arrays,
    gradients: list[Arrays],
    scale: Array,
    *,
    finite: int = 0,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
    grows: str = "at_interval",
    learning_rate: float = 0.01,
) -> tuple[list[Array], Array]:
    r"""Steps of ``gradient_descent`` along gradients of a loss that was multiplied by a ``scale`` S, which adapts itself.

    If all numbers of all ``gradients`` of a step are finite, :math:`\theta \leftarrow \theta - \alpha g / S`. Else the parameters
    stay, and :math:`S \leftarrow b S` with b the ``backoff``. After n finite steps in a row, with n the ``interval``,
    :math:`S \leftarrow a S` with a the ``growth``, and counting begins again: at the n-th one, or at the one after it
    (``grows="after_interval"``), for which the step is still with the old scale. ``finite`` steps came before.

    Shapes: ``parameters`` is a list of arrays of any shape; ``gradients`` is a list over steps of lists over them; ``scale``
    has no axes. The results are the parameters and the scale; the arguments stay as they are.
    Special values: NaN and ±∞ in a gradient change no parameter.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, ``scale`` has axes, ``growth`` is not above 1, ``backoff``
    not between 0 and 1, ``interval`` no positive integer, a number negative, or the convention unknown.
    Source: Micikevicius et al. (2018), §3.2; the text of ``torch.amp.GradScaler``.
    """
    require_rank(scale, "scale", 0)
    require(growth > 1, "growth", "a number above 1", growth)
    require(0 < backoff < 1, "backoff", "a number between 0 and 1", backoff)
    require_count(interval=interval)
    require(finite >= 0, "finite", "a number that is not negative", finite)
    require(learning_rate >= 0, "learning_rate", "a number that is not negative", learning_rate)
    require_choice(grows, "grows", GROWS)
    moved, last = list(parameters), interval - (grows == "at_interval")
    for of_step in gradients:
        require_step(of_step, moved)
        if not all(bool(np.all(np.isfinite(gradient))) for gradient in of_step):
            scale, finite = scale * backoff, 0
            continue
        moved = [parameter - learning_rate * (g / scale) for parameter, g in zip(moved, of_step, strict=True)]
        scale, finite = (scale * growth, 0) if finite == last else (scale, finite + 1)
    return moved, scale


def samples(stream: Stream) -> Iterator[Sample]:
    """The cases, of which those in float16 are not required: what is unscaled are gradients of weights of more digits.

    Nor are those of other factors than the usual ones, which not every framework lets its users choose.
    """
    for sample in _cases(stream):
        kind, _, rest = sample.name.partition("_")
        factors = {"growth", "backoff"} & set(sample.keywords)
        wide = tuple(dtype for dtype in sample.dtypes if dtype != "float16")
        yield replace(sample, dtypes=wide, required=not factors)
        yield replace(sample, name=f"{kind}_half_{rest}", dtypes=("float16",), required=False)


def _cases(stream: Stream) -> Iterator[Sample]:
    """Scales that are powers of two, finite steps and others, and counts around the interval."""

    def case(name: str, *shapes: tuple[int, ...], bad: Any = None, steps: int = 3, **keywords: Any) -> Sample:
        inputs = arguments(stream(name), shapes or SHAPES, steps=steps, scale=2.0**4)
        for step, value in (bad or {}).items():
            inputs["gradients"][step][-1].reshape(-1)[-1] = value
        return Sample(name=name, inputs={**inputs, "scale": asarray(2.0**10)}, keywords={"learning_rate": 0.5, **keywords})

    plain = case("plain_defaults")
    yield replace(plain, keywords={})
    yield case("plain_fast")
    yield case("size_large", (64, 128), (128,), steps=1)
    yield case("rank_zero_and_three", (), (2, 3, 4), bad={1: np.inf})
    yield case("unit_axes", (1, 5, 1), (1,), bad={1: np.inf})
    yield case("nan_in_one_step", bad={1: np.nan})
    yield case("infinity_in_one_step", bad={0: np.inf})
    yield case("infinity_in_all_steps", bad=dict.fromkeys(range(3), -np.inf))
    zeros = case("zero_gradients")
    yield replace(zeros, inputs={**zeros.inputs, "gradients": [[np.zeros(shape) for shape in SHAPES] for _ in range(3)]})
    yield case("state_one_before_growth", finite=1998)
    yield case("state_none_finite_after_growth", finite=1999, bad={1: np.inf})
    yield case("bounds_interval_one", interval=1)
    yield case("bounds_interval_as_many_as_steps", interval=3)
    yield case("bounds_interval_begins_again", interval=2, steps=4, bad={1: np.nan})
    yield case("optional_factors", interval=2, growth=4.0, backoff=0.125, steps=5, bad={4: np.inf})
    yield case("optional_growth", interval=2, growth=4.0)
    yield case("optional_backoff", backoff=0.125, bad={1: np.nan})
    for grows in GROWS:
        yield case(f"convention_grows_{grows}", interval=2, grows=grows)
        yield case(f"convention_grows_{grows}_skipped", interval=2, grows=grows, steps=5, bad={0: np.inf})


def workload(stream: Stream, size: str) -> Sample:
    """One step with finite gradients."""
    sample = optimizer_workload(stream, size)
    return replace(sample, inputs={**sample.inputs, "scale": asarray(2.0**10)})


def work(
    parameters: Arrays,
    gradients: list[Arrays],
    scale: Array,
    *,
    finite: int = 0,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
    grows: str = "at_interval",
    learning_rate: float = 0.01,
) -> Work:
    """A comparison, a quotient, a product and a difference for each number in each step, all taken to be finite."""
    return Work(flops=4 * len(gradients) * numbers_in(parameters))


OPERATION = Operation(
    function=dynamic_loss_scale,
    vjp=None,
    samples=samples,
    family="loss_scaling",
    differentiable=(),
    outputs=("parameters", "scale"),
    cotangents=(),
    conventions={"grows": GROWS},
    profile=EXTENDED,
    version=2,
    workload=workload,
    work=work,
)
