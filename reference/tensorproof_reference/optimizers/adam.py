"""Adam: see ``adam``."""

from collections.abc import Iterator

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._adam import CONVENTIONS, OUTPUTS, adam_samples, adam_steps
from tensorproof_reference.optimizers._steps import Arrays, Gradients, Rate
from tensorproof_reference.optimizers._workloads import optimizer_workload, steps_work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def adam(
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
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    r"""Adam: a running mean of gradients, divided by the root of a running mean of their squares, both without bias.

    :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g`, :math:`v \leftarrow \beta_2 v + (1 - \beta_2) g^2`,
    :math:`\hat m = m / (1 - \beta_1^t)`, :math:`\hat v = v / (1 - \beta_2^t)`, and then, by ``epsilon_placement``,

    - ``"after_correction"``: :math:`\theta \leftarrow \theta - \alpha \hat m / (\sqrt{\hat v} + \epsilon)`;
    - ``"before_correction"``: :math:`\theta \leftarrow \theta - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \,
      m / (\sqrt{v} + \epsilon)`, which is the first with a larger epsilon in the first steps.

    ``bias_correction=False`` takes m and v as they are. ``amsgrad`` puts the largest v so far in place of v (``maximum="raw"``),
    or the largest :math:`\hat v` in place of :math:`\hat v` (``"corrected"``). ``weight_decay`` :math:`\lambda` adds
    :math:`\lambda\theta` to the gradient first. The number t of the step goes on from ``taken``; for a parameter that had no
    gradient in some steps it counts that parameter's own updates (``counted="updates"``), or all steps (``"steps"``).

    Shapes: ``parameters`` and the states are lists of arrays of any shape; states left out are zero. ``gradients`` is a list
    over steps of lists over parameters, or ``None`` where a parameter has no gradient in a step: it stays as it is, and so does
    its state. ``learning_rate`` is one number, or one per parameter. The results are the new parameters, moments, and largest
    second moments (an empty list unless ``amsgrad``); the arguments stay as they are.
    Special values: where g, m and v are zero the step is 0.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, a number is out of range, a convention is unknown, or the
    corrected maximum is asked for with epsilon before the correction.
    Source: Kingma & Ba (2015), algorithm 1 and the end of section 2; Reddi, Kale & Kumar (2018), algorithm 2.
    """
    return adam_steps(
        parameters,
        gradients,
        first_moment,
        second_moment,
        maximum_second_moment,
        decoupled=False,
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
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> Work:
    """The moments (three and four), their corrections, a root with ε, a quotient, and the move (two).

    A correction less where ε comes before it, and none without; one more for the largest moment, and two for the decay.
    """
    corrections = (2 if epsilon_placement == "after_correction" else 1) if bias_correction else 0
    extra = bool(amsgrad) + 2 * bool(weight_decay)
    return steps_work(parameters, gradients, flops=11 + corrections + extra, transcendentals=1)


OPERATION = Operation(
    function=adam,
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
