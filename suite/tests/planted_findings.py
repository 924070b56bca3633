"""What is found of a planted miscompilation: the first program that fails, shrunk, and the node that is blamed."""

from collections.abc import Iterable
from dataclasses import dataclass

from planted_rewrites import Planted
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.judging import Subject, Verdict
from tensorproof.programs.program import Program
from tensorproof.programs.shrinking import blamed, shrunk


def first_found(
    subject: Subject, planted: Planted, programs: Iterable[tuple[str, Program]]
) -> tuple[int, Program, Verdict] | None:
    """Number, program and verdict of the first program that fails when compiled; those without the operations cannot."""
    for number, (_, program) in enumerate(programs):
        if set(planted.operations) <= {node.operation for node in program.nodes}:
            verdict = subject.verdict(program, "compiled")
            if verdict.status in ("failed", "error"):
                return number, program, verdict
    return None


@dataclass(frozen=True)
class Told:
    """What is told of a failure."""

    smallest: Program
    blamed: str


def told(subject: Subject, program: Program, verdict: Verdict) -> Told:
    """The program shrunk, and the node to blame."""

    def ask(candidate: Program) -> Verdict:
        return subject.verdict(candidate, "compiled")

    smallest = shrunk(program, verdict.cause, ask, dict(KNOWN), {})
    return Told(smallest, blamed(smallest, verdict.cause, ask, KNOWN))


def told_of_first(planted: Planted, programs: Iterable[tuple[str, Program]]) -> tuple[Subject, Told]:
    """What is told of the first program that a miscompilation makes fail: at most four nodes, its own calls among them."""
    subject = Subject(SmallBackend(planted.fault), "cpu", KNOWN)
    found = first_found(subject, planted, programs)
    assert found is not None
    _, program, verdict = found
    finding = told(subject, program, verdict)
    operations = [node.operation for node in finding.smallest.nodes]
    assert len(operations) <= 4
    assert set(planted.operations) <= set(operations)
    return subject, finding
