"""Programs on a backend: a right compiler gives no alarm, and each kind of failure is told from the others."""

import numpy as np
from faulty import Fault
from made_programs import material
from planted_rewrites import PLANTED
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.backend import Function
from tensorproof.programs.building import Builder
from tensorproof.programs.judging import Subject, Verdict
from tensorproof.programs.program import Program
from tensorproof.programs.shrinking import blamed, shrunk
from tensorproof.programs.sources.neighbours import NEIGHBOURS, neighbour_programs
from tensorproof.programs.sources.random_programs import random_program

MANY = 100
BAR = 2.0**-23
"""About that of a sum of nine numbers, relative to it."""
QUIET = {"passed", "not_meaningful", "near_a_branch"}


def first_failure(subject: Subject, seed: int = 0) -> tuple[Program, Verdict]:
    """The first random program that fails when it is compiled."""
    for number in range(400):
        program = random_program(material(seed=seed), number)
        verdict = subject.verdict(program, "compiled")
        if verdict.status == "failed":
            return program, verdict
    raise AssertionError("no program fails")


def test_an_operation_that_is_wrong_alone_is_blamed_alone():
    wrong = Fault(name="off", operation="sin", group="compiled", mode="compiled", function=lambda x: np.sin(x) * 1.001)
    subject = Subject(SmallBackend(wrong), "cpu", KNOWN)
    program, verdict = first_failure(subject)

    def ask(candidate: Program) -> Verdict:
        return subject.verdict(candidate, "compiled")

    smallest = shrunk(program, verdict.cause, ask, dict(KNOWN), {})
    assert blamed(smallest, verdict.cause, ask, KNOWN) == "sin alone"


def test_a_right_compiler_gives_no_alarm():
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    found: dict[str, int] = {}
    for number in range(MANY):
        program = random_program(material(seed=11), number)
        for mode in ("eager", "compiled"):
            status = subject.verdict(program, mode).status
            found[status] = found.get(status, 0) + 1
    assert set(found) <= QUIET
    assert found["passed"] > 0.9 * 2 * MANY


def test_neighbours_give_no_alarm_and_find_a_pair():
    programs = dict(neighbour_programs(material()))
    assert len(programs) > 10 * len(NEIGHBOURS)
    right = Subject(SmallBackend(), "cpu", KNOWN)
    wrong = Subject(SmallBackend(PLANTED["sum_dropped_before_normalization"].fault), "cpu", KNOWN)
    some = {name: program for name, program in programs.items() if "layer_norm then" in name}
    assert {right.verdict(program, "compiled").status for program in some.values()} <= {
        "passed",
        "not_meaningful",
        "near_a_branch",
    }
    assert wrong.verdict(programs["residual then layer_norm"], "compiled").status == "failed"


class Lazy(SmallBackend):
    """A compiler that compiles nothing, and says so."""

    def prepared(self, function: Function, mode: str):
        return function


def test_programs_that_are_compiled_as_one_have_the_verdicts_that_they_have_alone():
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    programs = [random_program(material(), number) for number in range(4)]
    together = subject.verdicts(programs, "compiled")
    for program, verdict in zip(programs, together, strict=True):
        assert verdict is not None
        alone = subject.verdict(program, "compiled")
        assert (verdict.status, verdict.judgements) == (alone.status, alone.judgements)


def test_a_program_that_fails_among_others_must_be_asked_alone():
    wrong = Fault(name="off", operation="sin", group="compiled", mode="compiled", function=lambda x: np.sin(x) * 1.001)
    subject = Subject(SmallBackend(wrong), "cpu", KNOWN)
    builders = [Builder(KNOWN, "float32", 0) for _ in range(2)]
    programs = [
        builder.program([builder.call(name, {"x": builder.input((3,))})])
        for builder, name in zip(builders, ("sin", "cos"), strict=True)
    ]
    together = subject.verdicts(programs, "compiled")
    assert [verdict and verdict.status for verdict in together] == [None, "passed"]
    assert [subject.verdict(program, "compiled").status for program in programs] == ["failed", "passed"]


def test_a_compiler_that_leaves_a_program_eager_has_fallen_back():
    subject = Subject(Lazy(), "cpu", KNOWN)
    verdict = subject.verdict(random_program(material(), 0), "compiled")
    assert verdict.status == "fell_back"
    assert "nothing was compiled" in verdict.message


class Elsewhere(SmallBackend):
    """A framework that computes on another device than asked."""

    def device_of(self, value: object) -> str:
        return "host"


def test_what_another_device_computed_has_fallen_back():
    verdict = Subject(Elsewhere(), "cpu", KNOWN).verdict(random_program(material(), 0), "eager")
    assert (verdict.status, verdict.message) == ("fell_back", "computed on host, not on cpu")


def test_a_wrong_gradient_is_told_from_a_wrong_value():
    wrong = Fault(
        name="doubled",
        operation="tanh",
        group="compiled",
        mode="compiled",
        vjp=lambda dy, x: {"x": 2.0 * dy * (1.0 - np.square(np.tanh(x)))},
    )
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("exp", {"x": builder.call("tanh", {"x": builder.input((3, 5))})})])
    verdict = Subject(SmallBackend(wrong), "cpu", KNOWN).verdict(program, "compiled")
    assert (verdict.status, verdict.reason) == ("failed", "gradient bars")


class Swallowing(SmallBackend):
    """A framework that raises an exception for a sine of a sum."""

    def call(self, operation: str, *first: object, **others: object) -> object:
        if operation == "sin" and self.mode == "compiled":
            raise IndexError("lowering failed")
        return super().call(operation, *first, **others)


def test_an_exception_of_the_framework_is_a_finding_of_its_own_kind():
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("sin", {"x": builder.input((2,))})])
    verdict = Subject(Swallowing(), "cpu", KNOWN).verdict(program, "compiled")
    assert (verdict.status, verdict.reason) == ("error", "IndexError")
    assert "lowering failed" in verdict.message


def test_another_convention_at_a_kink_is_no_alarm():
    other = Fault(name="one_at_zero", operation="abs", group="eager", vjp=lambda dy, x: {"x": np.where(x >= 0, dy, -dy)})
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("abs", {"x": builder.number(0.0)})])
    assert Subject(SmallBackend(other), "cpu", KNOWN).verdict(program, "eager").status == "near_a_branch"


def test_one_rounding_error_that_is_broadcast_is_not_taken_for_many():
    builder = Builder(KNOWN, "float32", 4)
    x = builder.input((9, 12))
    total = builder.call("reduce_sum", {"x": x}, {"axis": 0})
    program = builder.program([builder.call("add", {"a": x, "b": total})])
    four_bars = Fault(
        name="off_by_four_bars",
        operation="reduce_sum",
        group="eager",
        function=lambda x, *, axis, keepdims=False: (np.sum(x, axis) + 4.0 * BAR * np.abs(np.sum(x, axis))).astype(x.dtype),
    )
    verdict = Subject(SmallBackend(four_bars), "cpu", KNOWN).verdict(program, "eager")
    assert verdict.status == "passed"
    assert max(item["rms_z"] for item in verdict.judgements) > 2.0


def test_what_is_wrong_in_a_variant_of_a_mode_is_found_there_only():
    wrong = Fault(name="off", operation="sin", group="compiled", mode="compiled:other", function=lambda x: np.sin(x) * 1.001)
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("exp", {"x": builder.call("sin", {"x": builder.input((5,))})})])
    subject = Subject(SmallBackend(wrong), "cpu", KNOWN)
    assert [subject.verdict(program, mode).status for mode in ("compiled", "compiled:other")] == ["passed", "failed"]
