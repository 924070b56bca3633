"""Binary cross-entropy from probabilities: see ``binary_cross_entropy``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._draw import bits, sixteenths
from tensorproof_reference.losses._probabilities import clipped, require_clipping, unclipped_cotangent
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import clipping_work, reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

CLIPPING = ("none", "probability", "log")


def binary_cross_entropy(
    probabilities: Array, target: Array, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean"
) -> Array:
    r"""The negative log likelihood of binary labels: :math:`y = -[t \log q + (1 - t) \log(1 - q)]`, averaged over elements.

    ``clipping`` says what happens near q = 0 and q = 1: ``"none"``, IEEE arithmetic; ``"probability"``, q is brought into
    [ε, 1 - ε] first; ``"log"``, both logarithms are at least -100 (and ε is not used).

    Shapes: ``probabilities`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``.
    Special values: unclipped, q = 0 and q = 1 give +∞ against any other target, and NaN against the target itself (0 · log 0);
    q outside [0, 1] gives NaN. NaN gives NaN.
    Raises: ``ValueError`` if the shapes differ, if ``clipping`` or ``reduction`` is unknown, or if ``epsilon`` is not in
    (0, 0.5).
    Source: Bishop (2006), eq. 4.90; the texts, 004 §3.3, 001 §4.2.
    """
    require_shape(target, "target", probabilities.shape)
    require_clipping(clipping, CLIPPING)
    q = clipped(probabilities, clipping, epsilon)
    log_q, log_rest = np.log(q), np.log(1.0 - q)
    if clipping == "log":
        log_q, log_rest = np.maximum(log_q, -100.0), np.maximum(log_rest, -100.0)
    return reduced(-(target * log_q + (1.0 - target) * log_rest), reduction)


def vjp(
    dy: Array,
    probabilities: Array,
    target: Array,
    *,
    clipping: str = "none",
    epsilon: float = 1e-7,
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dq = [(1 - t)/(1 - q) - t/q] \, dy`, divided by the number of elements where the mean is taken.

    With ``clipping="probability"`` it is zero outside [ε, 1 - ε]. With ``"log"`` it is, as PyTorch has it,
    :math:`(q - t) / \max(q (1 - q), 10^{-12}) \, dy`, which stays finite.
    """
    dy = spread(dy, probabilities.shape, reduction)
    if clipping == "log":
        return {"probabilities": dy * (probabilities - target) / np.maximum(probabilities * (1.0 - probabilities), 1e-12)}
    q = clipped(probabilities, clipping, epsilon)
    dq = dy * ((1.0 - target) / (1.0 - q) - target / q)
    return {"probabilities": unclipped_cotangent(dq, probabilities, clipping, epsilon)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Hard and soft labels, reductions, and exact 0 and 1 under each convention."""

    def pair(name: str, *shape: int, soft: bool = False, least: float = 0.05) -> dict[str, Array]:
        draw = sixteenths if soft else bits
        return {"probabilities": stream(name).uniform(shape, least, 1.0 - least), "target": draw(stream(name), shape)}

    keywords: dict[str, Any]
    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="labels_soft", inputs=pair("labels_soft", 5, 7, soft=True))
    yield Sample(name="labels_all_one", inputs={**pair("labels_all_one", 5, 7), "target": np.ones((5, 7))})
    yield Sample(name="labels_all_zero", inputs={**pair("labels_all_zero", 5, 7), "target": np.zeros((5, 7))})
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7, soft=True), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128), keywords=none)
    for width in (1, 2, 3, 8, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width, least=0.25))
    yield Sample(name="rank_one", inputs=pair("rank_one", 7))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5, soft=True), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_column", inputs=pair("unit_column", 7, 1))
    yield from with_each(
        Sample(name="unit_everything", inputs=pair("unit_everything", 1, 1, least=0.25)),
        [{"reduction": "sum"}, none, {"clipping": "probability"}, {"clipping": "log"}],
    )
    yield from long_samples(lambda name, length: pair(name, length, least=0.25), "vector")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    ends = 2.0 ** -asarray([20, 16, 12, 8])
    inputs = {"probabilities": np.concatenate([ends, 1.0 - ends] * 2), "target": np.repeat([0.0, 1.0], 8)}
    yield Sample(name="magnitude_near_ends", inputs=inputs, keywords=none, dtypes=("float64", "float32"))
    inputs = pair("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["probabilities"], np.nan)
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["probabilities"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    inputs = {"probabilities": asarray([np.inf, np.inf, -np.inf, -np.inf]), "target": asarray([0.0, 1.0, 0.0, 1.0])}
    yield Sample(name="infinity_probability", inputs=inputs, keywords=none, expected={"y": np.full(4, np.nan)})

    exact = {"probabilities": asarray([0.0, 0.0, 1.0, 1.0, 0.0, 1.0]), "target": asarray([0.0, 1.0, 0.0, 1.0, 0.25, 0.25])}
    yield Sample(
        name="zero_and_one",
        inputs=exact,
        keywords=none,
        expected={
            "y": asarray([np.nan, np.inf, np.inf, np.nan, np.inf, np.inf]),
        },
    )
    for clipping in ("probability", "log"):
        for reduction in ("mean", "none"):
            name = f"convention_{clipping}_interior_{reduction}"
            keywords = {"clipping": clipping, "reduction": reduction}
            yield Sample(name=name, inputs=pair(name, 5, 7, soft=reduction == "none"), keywords=keywords)
    # 2^-7 and 1 - 2^-7 are numbers of every dtype; 1 - 1e-7 is one of float64 only, up to a rounding that shows.
    yield Sample(
        name="convention_probability_zero_and_one",
        inputs=exact,
        keywords={"clipping": "probability", "epsilon": 2.0**-7, "reduction": "none"},
        expected={"d_probabilities": np.zeros(6)},
        exact_zero=("d_probabilities",),
    )
    yield Sample(
        name="convention_probability_zero_and_one_1e_minus_7",
        inputs=exact,
        keywords={"clipping": "probability", "reduction": "none"},
        expected={"d_probabilities": np.zeros(6)},
        exact_zero=("d_probabilities",),
        dtypes=("float64",),
    )
    mixed = pair("convention_probability_mixed", 5, 7, soft=True)
    mixed["probabilities"][::2, ::3] = 0.0
    mixed["probabilities"][1::2, ::3] = 1.0
    keywords = {"clipping": "probability", "epsilon": 2.0**-7}
    yield Sample(name="convention_probability_mixed", inputs=mixed, keywords=keywords)
    keywords = {"clipping": "log", "reduction": "none"}
    ends = asarray([0.0, 100.0, 100.0, 0.0, 25.0, 75.0])
    yield Sample(name="convention_log_zero_and_one", inputs=exact, keywords=keywords, expected={"y": ends}, gradient=False)
    # 1e-12 is no number of float16, and the gradient of 1e12 none either.
    wide = ("float64", "float32")
    yield Sample(name="convention_log_zero_and_one_gradient", inputs=exact, keywords=keywords, dtypes=wide)


def workload(stream: Stream, size: str) -> Sample:
    """Probabilities from 0.05 to 0.95, and labels 0 and 1."""
    probabilities = stream("probabilities").uniform(PLANES[size], 0.05, 0.95)
    return Sample(name=size, inputs={"probabilities": probabilities, "target": bits(stream, PLANES[size])})


def work(probabilities: Array, target: Array, *, clipping: str = "none", epsilon: float = 1e-7, reduction: str = "mean") -> Work:
    """Two logarithms, two differences, two products and a sum; back, two quotients, a difference and a product.

    Clipped logarithms: two comparisons more; back, a difference, two products, a comparison and a quotient.
    """
    numbers = count(probabilities)
    extra = 2 if clipping == "log" else 0
    terms = Work(flops=(5 + extra) * numbers, transcendentals=2 * numbers, backward_flops=(5 if extra else 4) * numbers)
    return terms + clipping_work(numbers, clipping) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=binary_cross_entropy,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("probabilities",),
    conventions={"clipping": CLIPPING},
    documents=("004 §3.3", "001 §4.2", "002 §4", "004 §4.4"),
    workload=workload,
    work=work,
)
