"""The check of an operation fused with a neighbour, and which of the two fails alone where the fused one fails."""

from collections.abc import Mapping
from dataclasses import replace

from tensorproof.conformance.expectation import FUSED_SCALE, Expectation
from tensorproof.conformance.findings import Finding, Session, judged_gradients, judged_outputs
from tensorproof.conformance.selection.cases import Case
from tensorproof_reference import trees
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.rounding import round_to

NEIGHBOUR = "tanh"
"""The operation that every other is fused with."""


def check_fused(session: Session, case: Case) -> list[Finding]:
    """``tanh(op(a·x))`` and its gradient conform, with bars by composition; of a failure, which part fails alone."""
    expectation = session.expectation(case)
    run = session.runs.of(expectation, case.mode, expectation.arguments.primal_paths, fused=True)
    answers = run.first(gradient=True)
    outputs, gradients = expectation.fused
    findings = [*judged_outputs(case, expectation, answers, outputs), *judged_gradients(case, expectation, answers, gradients)]
    if not any(finding.outcome == "failed" for finding in findings):
        return findings
    alone = alone_outcomes(session, case, expectation)
    return [_attributed(case, finding, alone) if finding.outcome == "failed" else finding for finding in findings]


def _attributed(case: Case, finding: Finding, alone: Mapping[str, bool | None]) -> Finding:
    """A failure that says what the operation was fused with, and which part fails alone."""
    wrong = [name for name, right in alone.items() if right is False]
    text = f"; {' and '.join(wrong)} fail{'s' if len(wrong) == 1 else ''} alone too" if wrong else ""
    text = "; each is right alone" if all(alone.values()) else text
    line = f"{case.operation} fused with {NEIGHBOUR}{finding.message.removeprefix(case.operation)}{text}"
    return replace(finding, message=line, record={**finding.record, "line": line, "alone": wrong})


def alone_outcomes(session: Session, case: Case, expectation: Expectation) -> dict[str, bool | None]:
    """Whether an operation and its neighbour are right without each other, on the very values that they meet when fused.

    ``None`` of a part that cannot be run alone.
    """
    operation, sample = expectation.operation, expectation.sample
    first = expectation.arguments.primal_paths[0]
    inputs = trees.replace_leaves(dict(sample.inputs), lambda path, leaf: leaf * FUSED_SCALE if path == first else leaf)
    scaled = replace(sample, name=f"{sample.name}_scaled", inputs=inputs)
    alone = Expectation(operation, scaled, case.dtype, session.seed, expectation.precision)
    neighbour: Operation = session.specification[NEIGHBOUR]
    met = []
    for name in operation.cotangents:
        dtype = expectation.dtype_at(name)
        given = Sample(name=f"after_{operation.name}", inputs={"x": round_to(alone.outputs[name][0], dtype)})
        about = Expectation(neighbour, given, dtype, session.seed, expectation.precision_at(name))
        met.append(_is_right(session, replace(case, dtype=dtype), about))
    found = {operation.name: _is_right(session, case, alone)}
    found[NEIGHBOUR] = False if False in met else None if None in met else True
    return found


def _is_right(session: Session, case: Case, expectation: Expectation) -> bool | None:
    """Whether nothing is wrong with an operation alone; ``None`` if it cannot be told."""
    about = replace(case, operation=expectation.operation.name, check="gradient")
    try:
        answers = session.runs.of(expectation, case.mode, expectation.arguments.primal_paths).first(gradient=True)
        outputs = judged_outputs(about, expectation, answers, expectation.outputs)
        gradients = judged_gradients(about, expectation, answers, expectation.gradients)
    except Exception:
        # What was found of the fused ones stands; this only says whose fault it is.
        return None
    return all(finding.outcome != "failed" for finding in (*outputs, *gradients))
