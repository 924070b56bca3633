"""Programs in 16 bits: what overflows on the way, what lies at a pole, and how declared operations explain failures."""

import numpy as np
import pytest
from faulty import Fault
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.conformance.selection.cases import Declared
from tensorproof.contract.declarations import Declaration
from tensorproof.contract.description import describe
from tensorproof.programs.building import Builder
from tensorproof.programs.campaigns.declared import DRAWN, programs_of
from tensorproof.programs.dtypes import PLAIN
from tensorproof.programs.evaluation import expected_of
from tensorproof.programs.judging import Subject
from tensorproof.programs.program import Input, Node, Program


def held(numbers: list[float], dtype: str = "float16") -> Input:
    return Input((len(numbers),), dtype, values=tuple(numbers))


def chain(dtype: str, numbers: list[float], *operations: str) -> Program:
    """Operations of one array, one after the other."""
    nodes = tuple(Node(name, (("x", place),)) for place, name in enumerate(operations))
    return Program((held(numbers, dtype),), nodes, (len(operations),))


def infinite_gradient(dy, x):
    """That of a reciprocal as frameworks compute it: -dy times the square, which overflows in float16."""
    with np.errstate(all="ignore"):
        square = np.asarray(np.asarray(1.0 / x, np.float16) ** 2, np.float32)
        return {"x": np.asarray(-dy * square, np.float32)}


OVERFLOWING = Fault(name="square_overflows", operation="reciprocal", group="compiled", mode="compiled", vjp=infinite_gradient)
TEXT = "v0: float16[4096]; v1 = reciprocal(v0) -> v1"


def known_programs(backend: SmallBackend, text: str) -> Declared:
    table = {"program": text, "explanation": "the square overflows", "mode": "compiled"}
    return Declared([Declaration("known_program", table, "small.toml")], describe(backend, None), KNOWN, 0)


def test_a_gradient_that_overflows_on_the_way_decides_nothing():
    """The gradient of the reciprocal of 1/512 is beyond the range, and multiplied by 1/4096 it is not."""
    program = chain("float16", [2.0**-9, 1.0], "square", "rsqrt")
    assert expected_of(program, KNOWN, {}, PLAIN).singular_gradient
    assert not expected_of(chain("bfloat16", [2.0**-9, 1.0], "square", "rsqrt"), KNOWN, {}, PLAIN).singular_gradient


def test_a_wrong_value_is_a_failure_though_a_gradient_is_infinite_there():
    wrong = Fault(name="wrong", operation="sqrt", group="eager", function=lambda x: np.sqrt(x) * 1.5)
    program = Program((held([0.0, 1.0, 4.0], "float32"),), (Node("sqrt", (("x", 0),)),), (1,))
    assert expected_of(program, KNOWN, {}, PLAIN).singular_gradient
    found = Subject(SmallBackend(wrong), "cpu", KNOWN).verdict(program, "eager")
    assert (found.status, found.reason.split()[0]) == ("failed", "value")
    assert found.message.startswith("v1:")


def beyond(answer):
    """A gradient of the reciprocal with this answer where it is beyond the range of float16."""

    def gradient(dy, x):
        dx = -dy / x**2
        return {"x": np.where(np.abs(dx) > 65504.0, answer * np.sign(dx), dx)}

    return Fault(name="beyond", operation="reciprocal", group="eager", vjp=gradient)


@pytest.mark.parametrize(
    ("answer", "alone", "with_another"),
    [(np.inf, "passed", "passed"), (np.nan, "failed", "not_meaningful"), (-np.inf, "failed", "not_meaningful")],
)
def test_what_is_beyond_the_range_is_that_infinity_and_after_other_calls_decides_nothing_else(answer, alone, with_another):
    """One call is judged as conformance judges it. Sums of several may have met both infinities on their way."""
    subject = Subject(SmallBackend(beyond(answer)), "cpu", KNOWN)
    for program, status in (
        (chain("float16", [2.0**-11, 1.0], "reciprocal"), alone),
        (chain("float16", [2.0**-11, 1.0], "negative", "reciprocal"), with_another),
    ):
        expected = expected_of(program, KNOWN, {}, PLAIN)
        assert np.abs(expected.gradients["v0"][0])[0] > 65504.0
        verdict = subject.verdict(program, "eager")
        outcomes = {item["label"]: item["outcome"] for item in verdict.judgements}
        assert outcomes.pop("d_v0") == status, (program.text, verdict)
        assert set(outcomes.values()) == {"passed"}


def test_what_is_within_the_range_must_not_be_infinite():
    program = chain("float16", [1.0, 2.0**-8 - 2.0**-12, 1.5, 2.0], "reciprocal")
    expected = expected_of(program, KNOWN, {}, PLAIN)
    assert np.abs(expected.gradients["v0"][0]).max() < 65504.0
    assert Subject(SmallBackend(OVERFLOWING), "cpu", KNOWN).verdict(program, "compiled").status == "failed"


def at_a_pole() -> Program:
    """The logarithm of 1 and a cosine that is nearly -1: the error bar of the cosine holds -1."""
    return chain("bfloat16", [3.125, 1.0], "cos", "log1p")


def test_an_argument_within_its_bars_of_a_pole_decides_nothing():
    off = Fault(name="minus_one", operation="cos", group="compiled", mode="compiled", function=lambda x: np.cos(x) - 2.0**-8)
    assert expected_of(at_a_pole(), KNOWN, {}, PLAIN).at_an_edge
    verdict = Subject(SmallBackend(off), "cpu", KNOWN).verdict(at_a_pole(), "compiled")
    assert verdict.status == "near_a_branch"
    assert "pole" in verdict.message
    exact = chain("bfloat16", [0.0, 1.0], "log1p")
    assert not expected_of(exact, KNOWN, {}, PLAIN).at_an_edge


def test_an_operation_that_is_declared_as_a_program_of_one_call_explains_a_failure():
    """With the cotangents that it has in the program: of the second number it is 0, and 0 times infinity is NaN."""
    builder = Builder(KNOWN, "float16", 0)
    y = builder.call("reciprocal", {"x": builder._added(held([1.0, 2.0**-9]))})
    program = builder.program([builder.call("strided_slice", {"x": y}, {"start": (0,), "stop": (1,), "step": (1,)})])
    backend = SmallBackend(OVERFLOWING)
    assert Subject(backend, "cpu", KNOWN).verdict(program, "compiled").status == "failed"
    declared = Subject(backend, "cpu", KNOWN, known_programs(backend, TEXT))
    verdict = declared.verdict(program, "compiled")
    assert (verdict.status, "the square overflows" in verdict.message) == ("known_failure", True)
    other = known_programs(backend, TEXT.replace("reciprocal", "rsqrt"))
    assert Subject(backend, "cpu", KNOWN, other).verdict(program, "compiled").status == "failed"


def test_a_mistake_beside_a_declared_operation_is_still_found():
    wrong = Fault(name="off", operation="exp", group="compiled", mode="compiled", function=lambda x: np.exp(x) * 1.1)
    backend = SmallBackend(wrong)
    program = chain("float16", [1.0, 0.5], "reciprocal", "exp")
    subject = Subject(backend, "cpu", KNOWN, known_programs(backend, TEXT))
    assert subject.verdict(program, "compiled").status == "failed"


def test_declared_programs_are_drawn_with_small_numbers_too():
    drawn = dict(zip(DRAWN, programs_of(TEXT, KNOWN), strict=True))
    small = drawn["small"].inputs[0].array
    assert 0.0 < small.max() < 0.02


def test_a_cast_is_explained_by_what_is_declared_of_the_cast_of_its_gradient():
    """The gradient of a cast to float64 is cast from float64."""
    backend = SmallBackend()
    table = {"operation": "cast", "dtype": "float64", "explanation": "it rounds twice"}
    known = Declared([Declaration("known_failure", table, "small.toml")], describe(backend, None), KNOWN, 0)
    subject = Subject(backend, "cpu", KNOWN, known)
    for dtype, count in (("float64", 1), ("float32", 0)):
        program = Program((held([1.0, 2.0]),), (Node("cast", (("x", 0),), (("dtype", dtype),)),), (1,))
        assert len(subject.known.declarations_of(program, "compiled", ("known_failure",))) == count
