"""Optimizers over parameters of several dtypes: mixed_adamw, master_adamw."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tensorproof_reference import trees
from tensorproof_reference.mixed._widening import widened
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers import adamw as plain
from tensorproof_reference.optimizers._adam import OUTPUTS, PLACEMENTS
from tensorproof_reference.optimizers._steps import Arrays, Gradients
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

NARROW = "bfloat16"


def mixed_adamw(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    maximum_second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Any = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.01,
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    r"""``adamw`` of parameters of several dtypes in one call: each step of each is computed in its own dtype.

    Shapes: as ``adamw``.
    Dtypes: gradients and moments have the dtype of their parameter.
    Special values: as ``adamw``.
    Raises: ``ValueError`` as ``adamw`` does.
    Source: Loshchilov & Hutter (2019), algorithm 2.
    """
    return plain.adamw(
        parameters,
        gradients,
        first_moment,
        second_moment,
        maximum_second_moment,
        taken=taken,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        epsilon_placement=epsilon_placement,
        bias_correction=bias_correction,
        amsgrad=amsgrad,
        maximum=maximum,
        weight_decay=weight_decay,
        counted=counted,
    )


def _mixed_samples(stream: Stream) -> Iterator[Sample]:
    """Those of ``adamw`` that bfloat16 holds, with every other parameter in bfloat16."""
    for sample in plain.samples(stream):
        if sample.required and NARROW in sample.dtypes:
            even = range(0, len(sample.inputs["parameters"]), 2)
            own = {f"{name}.{index}": NARROW for name in OUTPUTS for index in even}
            own |= {f"gradients.{step}.{index}": NARROW for step in range(len(sample.inputs["gradients"])) for index in even}
            yield replace(sample, dtypes=SINGLE, own_dtypes=own)


def _workload(stream: Stream, size: str) -> Sample:
    """That of ``adamw``, with all in bfloat16 but the last parameter."""
    sample = plain.workload(stream, size)
    last = len(sample.inputs["parameters"]) - 1
    own = {path: NARROW for path, _ in trees.leaves(dict(sample.inputs)) if not path.endswith(f".{last}")}
    return replace(sample, own_dtypes=own)


def master_adamw(
    master: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    weight_decay: float = 0.01,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    r"""``adamw`` of master weights: gradients of 16 bits, weights and moments of float32, and after the steps the weights rounded
    to 16 bits, with which the network goes on.

    A step may be smaller than what 16 bits show of a weight; in the master weight it is not lost.

    Shapes: as ``adamw``; without a maximum, and with the same learning rate for all.
    Dtypes: gradients and the first result (``parameters``) bfloat16, all else float32.
    Special values: as ``adamw``.
    Raises: ``ValueError`` as ``adamw`` does.
    Source: Micikevicius et al. (2018), section 3.1; Loshchilov & Hutter (2019), algorithm 2.
    """
    wide = [[None if gradient is None else widened(gradient) for gradient in step] for step in gradients]
    moved, first, second, _ = plain.adamw(
        master,
        wide,
        first_moment,
        second_moment,
        taken=taken,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        epsilon_placement=epsilon_placement,
        weight_decay=weight_decay,
    )
    return [weight.copy() for weight in moved], moved, first, second


KNOWN = ("taken", "learning_rate", "beta1", "beta2", "epsilon", "epsilon_placement", "weight_decay")
"""Keywords of ``adamw`` that it has."""


def _master(sample: Sample) -> Sample:
    """A sample of ``adamw`` with master weights."""
    inputs = {"master" if name == "parameters" else name: value for name, value in sample.inputs.items()}
    inputs.pop("maximum_second_moment", None)
    return replace(sample, inputs=inputs, own_dtypes={"parameters": NARROW, "gradients": NARROW})


def _master_samples(stream: Stream) -> Iterator[Sample]:
    """Those of ``adamw`` whose keywords it has, and steps too small for 16 bits."""
    for sample in plain.samples(stream):
        fits = set(sample.keywords) <= set(KNOWN) and not isinstance(sample.keywords.get("learning_rate"), tuple)
        # Parameters that lack gradients in some steps are counted in two ways.
        if fits and sample.required and "float32" in sample.dtypes and "gradient_" not in sample.name:
            yield replace(_master(sample), dtypes=SINGLE)
    for sample in plain.samples(stream("small")):
        if sample.name == "plain_fast":
            small = replace(_master(sample), name="magnitude_steps_below_16_bits", dtypes=SINGLE)
            yield replace(small, keywords={"learning_rate": 2.0**-14})


LEFT_OUT = (2, 3)
"""Parameters that are not timed: weights and copies of the others fill the cache."""


def _master_workload(stream: Stream, size: str) -> Sample:
    """That of ``adamw`` with fewer parameters."""
    sample = _master(plain.workload(stream, size))

    def fewer(arrays: Sequence[Any]) -> list[Any]:
        return [array for place, array in enumerate(arrays) if place not in LEFT_OUT]

    inputs = {name: fewer(arrays) for name, arrays in sample.inputs.items() if name != "gradients"}
    return replace(sample, inputs={**inputs, "gradients": [fewer(step) for step in sample.inputs["gradients"]]})


def _master_work(
    master: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    weight_decay: float = 0.01,
) -> Work:
    """That of ``adamw``; copies are no operations."""
    return plain.work(master, gradients, epsilon_placement=epsilon_placement, weight_decay=weight_decay)


OPERATIONS: tuple[Operation, ...] = (
    replace(plain.OPERATION, function=mixed_adamw, samples=_mixed_samples, profile=EXTENDED, workload=_workload, version=1),
    Operation(
        function=master_adamw,
        vjp=None,
        samples=_master_samples,
        family="master_optimizer",
        differentiable=(),
        outputs=("parameters", "master", "first_moment", "second_moment"),
        cotangents=(),
        conventions={"epsilon_placement": PLACEMENTS},
        profile=EXTENDED,
        workload=_master_workload,
        work=_master_work,
    ),
)
