"""AdamW: see ``adamw``."""

from collections.abc import Iterator

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._adam import CONVENTIONS, OUTPUTS, adam_samples, adam_steps
from tensorproof_reference.optimizers._steps import Arrays, Gradients, Rate
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def adamw(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    maximum_second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
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
    r"""Adam with decoupled weight decay: the parameter shrinks by :math:`\alpha\lambda\theta` beside the step of ``adam``, and
    the penalty does not enter the moments.

    :math:`\theta \leftarrow \theta - \alpha\lambda\theta - \alpha \hat m / (\sqrt{\hat v} + \epsilon)`, with the decay
    :math:`\lambda` scaled by the learning rate. Everything else is as in ``adam``. A parameter without a gradient does not decay.

    Shapes: as ``adam``.
    Special values: where g, m and v are zero, only the decay is left.
    Raises: ``ValueError`` as ``adam`` does.
    Source: Loshchilov & Hutter (2019), algorithm 2, with their schedule multiplier in the learning rate.
    """
    return adam_steps(
        parameters,
        gradients,
        first_moment,
        second_moment,
        maximum_second_moment,
        decoupled=True,
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


def samples(stream: Stream) -> Iterator[Sample]:
    """See ``adam_samples``."""
    return adam_samples(stream)


def workload(stream: Stream, size: str) -> Sample:
    """One step of parameters with gradients, and state."""
    return optimizer_workload(stream, size, states={"first_moment": "-", "second_moment": "+"}, counted=True)


def work(
    parameters: Arrays,
    gradients: Gradients,
    first_moment: Arrays | None = None,
    second_moment: Arrays | None = None,
    maximum_second_moment: Arrays | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.01,
    counted: str = "updates",
) -> Work:
    """The moments (three and four), their corrections, a root with ε, a quotient, and the move (two).

    A correction less where ε comes before it, and none without; one more for the largest moment, and two for the decay.
    """
    corrections = (2 if epsilon_placement == "after_correction" else 1) if bias_correction else 0
    extra = bool(amsgrad) + 2 * bool(weight_decay)
    return steps_work(parameters, gradients, flops=11 + corrections + extra, transcendentals=1)


OPERATION = Operation(
    function=adamw,
    vjp=None,
    samples=samples,
    family="optimizer",
    differentiable=(),
    outputs=OUTPUTS,
    cotangents=(),
    conventions=CONVENTIONS,
    workload=workload,
    work=work,
)
