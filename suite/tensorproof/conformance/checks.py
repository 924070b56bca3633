"""The checks: plain functions from a case to findings, and from findings to one result with a status."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tensorproof.backend import Unsupported
from tensorproof.conformance.attribution.adapter import check_adapter
from tensorproof.conformance.attribution.neighbour import check_fused
from tensorproof.conformance.compiled import compiled_in
from tensorproof.conformance.execution import Answers, Run, is_out_of_memory
from tensorproof.conformance.findings import (
    Finding,
    Session,
    judged_gradients,
    judged_outputs,
    most,
    placed,
    unless_near_a_branch,
)
from tensorproof.conformance.purity import purity_findings
from tensorproof.conformance.randomness import random_findings
from tensorproof.conformance.selection.cases import ADAPTER, Case
from tensorproof.conformance.training import check_fitting, check_training
from tensorproof.contract.models import implementation_of
from tensorproof.contract.untouched import message_of_replaced, replaced
from tensorproof.errors import frames, printable, sentence
from tensorproof.processes import interruption
from tensorproof_reference.sample_classes import class_of

STATUSES = (
    "passed",
    "failed",
    "unsupported",
    "known_failure",
    "not_meaningful",
    "error",
    "crashed",
    "timed_out",
    "out_of_memory",
    "fell_back",
    "not_run",
)
"""What can become of a check. ``failed`` is a wrong value, ``error`` an exception; ``crashed``, ``timed_out`` and
``out_of_memory`` ended the process or the call; ``fell_back`` was computed on another device than asked, or eagerly in a
compiled mode."""


@dataclass
class Result:
    """What became of one check."""

    case: Case
    status: str
    message: str = ""
    """One line a person reads: the worst output, the reason or the exception."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    declaration: str = ""
    """The declaration that speaks of the case, if one does."""
    stale: bool = False
    """Whether that declaration claims what is no longer so."""
    unverified: bool = False
    """Whether that declaration was never verified on this instruction set."""
    traceback: str = ""
    inputs: str = ""
    """Digest of the inputs."""
    source: str = ""
    placement: str = ""
    """Where the results were computed, or ``unverified``."""
    compiled: dict[str, int] = field(default_factory=dict)
    """What compiling did, by ``Backend.compile_counters``; nothing in eager mode, and where the framework does not tell."""
    duration_ns: int = 0
    framework_ns: int = 0


Judge: TypeAlias = Callable[[Case], None]
"""Runs a case's check, and ends the test that asks for it as the check ends: passed, skipped, expected to fail, or failed."""


def check_declared(session: Session, case: Case) -> list[Finding]:
    """The backend implements the operation or says why not."""
    table = session.backend.operations
    implementation = implementation_of(session.backend, case.operation)
    if implementation is not None:
        return [Finding("passed", f"{case.operation}: {implementation.source}")]
    if case.operation in table.reasons:
        raise Unsupported(table.reasons[case.operation])
    hint = f'implement it, or say operations.unsupported("{case.operation}", reason)'
    return [Finding("failed", f"{case.operation} is neither implemented nor declared unsupported: {hint}")]


def check_forward(session: Session, case: Case) -> list[Finding]:
    """The outputs conform. A compiler compiles value and gradient once, so where there is a gradient it gives both."""
    expectation = session.expectation(case)
    run = session.run(case)
    if expectation.sample.raises:
        return _raises(session, run, case)
    together = case.mode != "eager" and _runs_with_gradient(session, case, run)
    findings = judged_outputs(case, expectation, run.first(together), expectation.outputs)
    alone = class_of(expectation.sample) == "plain" and case.dtype == "float32" and expectation.operation.model is None
    if together and alone:
        # A value alone is another program to a compiler; one sample of each operation pays for it.
        findings += judged_outputs(case, expectation, run.first(gradient=False), expectation.outputs)
    return findings


def _runs_with_gradient(session: Session, case: Case, run: Run) -> bool:
    """Run value and vector-Jacobian product, if the sample has one and the backend can; say whether it did."""
    expectation = session.expectation(case)
    if not expectation.sample.gradient or expectation.operation.vjp is None:
        return False
    if session.declared.first("unsupported", replace(case, check="gradient")) is not None:
        return False
    try:
        run.first(gradient=True)
    except Exception as error:
        # The gradient check reports what went wrong; the value may still be had without it.
        if is_out_of_memory(error):
            raise
        return False
    return True


def _raises(session: Session, run: Run, case: Case) -> list[Finding]:
    """An error, unless the backend declares another convention than the one by which there is an error."""
    arguments = run.native_arguments()
    try:
        # Only the backend's own error counts, so nothing here asks the reference, which raises too.
        outputs, others = run.backend.forward(run.function, run.mode)(*arguments)
        values = [run.backend.to_numpy(value) for value in (*outputs, *others)]
    except Unsupported:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return [Finding("passed", f"raised {type(error).__name__}, as it should")]
    asked = run.expectation.sample.keywords
    for name, value in session.declared.conventions(case.operation).items():
        if asked.get(name, value) != value:
            raise Unsupported(f"its convention is {name} = {value!r}, by which there is no error")
    shown = ", ".join(str(value.ravel()[:4]) for value in values)
    return [Finding("failed", f"{case.operation} {case.sample}: expected an error, got {shown}")]


def check_gradient(session: Session, case: Case) -> list[Finding]:
    """With a random cotangent, the gradient to every differentiable input conforms, and so does the value beside it."""
    expectation = session.expectation(case)
    answers = session.run(case).first(gradient=True)
    outputs = judged_outputs(case, expectation, answers, expectation.outputs) if case.mode == "eager" else []
    # Where a compiled value is judged, the forward check judges this very one.
    gradients = judged_gradients(case, expectation, answers, expectation.gradients)
    if expectation.operation.model is not None:
        judged = unless_near_a_branch(case, gradients, expectation)
        gradients = [*most(judged), *placed(judged)]
    return [*outputs, *gradients]


def check_subset(session: Session, case: Case) -> list[Finding]:
    """The gradient to each differentiable input alone is the same as among the others."""
    expectation = session.expectation(case)
    names = list(dict.fromkeys(path.split(".")[0] for path in expectation.arguments.primal_paths))
    findings = []
    for name in names:
        paths = [path for path in expectation.arguments.primal_paths if path.split(".")[0] == name]
        answers = session.runs.of(expectation, case.mode, paths).first(gradient=True)
        findings += judged_gradients(case, expectation, answers, expectation.gradients)
    return findings


def check_purity(session: Session, case: Case) -> list[Finding]:
    """The call leaves its inputs and cotangents as they were, gives the same again, and later calls do not change its results."""
    return purity_findings(session, case, _runs_with_gradient(session, case, session.run(case)))


def check_randomness(session: Session, case: Case) -> list[Finding]:
    """Draws have the right distribution, independent of each other, and repeat from a seed."""
    expectation = session.expectation(case)
    gradient = expectation.operation.vjp is not None
    placements: set[str] = set()

    def draw(seed: int) -> Answers:
        sample = replace(expectation.sample, keywords={**expectation.sample.keywords, "seed": seed})
        seeded = expectation.of(sample)
        answers = session.runs.of(seeded, case.mode, expectation.arguments.primal_paths).first(gradient)
        placements.update(answer.device or "unverified" for answer in answers.outputs.values())
        return answers

    findings = [
        Finding("passed" if good else "failed", f"{case.operation} {case.sample} {case.dtype}: {text}")
        for good, text in random_findings(expectation, draw)
    ]
    return [*findings, *placed([Finding("passed", "drawn", placement=place) for place in placements])]


CHECK_FUNCTIONS: Mapping[str, Callable[[Session, Case], list[Finding]]] = {
    ADAPTER: check_adapter,
    "declared": check_declared,
    "forward": check_forward,
    "gradient": check_gradient,
    "subset": check_subset,
    "purity": check_purity,
    "fused": check_fused,
    "randomness": check_randomness,
    "training": check_training,
    "fitting": check_fitting,
}


def _worst(findings: list[Finding], device: str) -> tuple[str, str]:
    """Status and message of the worst finding; a result from another device than asked is worse than a wrong one."""
    for finding in findings:
        if finding.placement not in ("", "unverified", device):
            return "fell_back", f"computed on {finding.placement}, not on {device}: {finding.message}"
    for outcome in ("failed", "not_meaningful"):
        for finding in findings:
            if finding.outcome == outcome:
                return outcome, finding.message
    return "passed", findings[0].message if findings else ""


def _of_exception(case: Case, error: BaseException) -> Result:
    """What an exception makes of a check, whatever it is: a plugin may raise ``SystemExit``, or a panic of a Rust extension.

    Raises:
        KeyboardInterrupt: a signal ends the run; one that the plugin raises itself is an exception like others.
    """
    if interruption():
        raise KeyboardInterrupt from None
    status = "out_of_memory" if is_out_of_memory(error) else "error"
    return Result(case, status, sentence(error)[:500], traceback=frames(error))


def _attempt(session: Session, case: Case) -> Result:
    try:
        findings = CHECK_FUNCTIONS[case.check](session, case)
    except Unsupported as error:
        return Result(case, "unsupported", printable(str(error)))
    except BaseException as error:
        return _of_exception(case, error)
    status, message = _worst(findings, case.device)
    compiled, fallback = compiled_in(session, case)
    if fallback and status in ("passed", "not_meaningful"):
        status, message = "fell_back", fallback
    placements = sorted({finding.placement for finding in findings if finding.placement})
    return Result(
        case,
        status,
        message,
        findings=[dict(finding.record) for finding in findings if finding.record],
        placement=", ".join(placements),
        compiled=compiled,
    )


def left_out(session: Session, case: Case) -> Result | None:
    """The result of a case that is unsupported without being tried: there is no such operation, or a declaration says so."""
    if case.check != "declared" and implementation_of(session.backend, case.operation) is None:
        reasons = session.backend.operations.reasons
        return Result(case, "unsupported", reasons.get(case.operation, "not implemented, and not declared"))
    declaration = session.declared.first("unsupported", case)
    if declaration is None or (session.attempt_unsupported and declaration.table.get("attempt", True)):
        return None
    return Result(case, "unsupported", declaration.text, declaration=declaration.source)


def run_check(session: Session, case: Case) -> Result:
    """Run one check under the declarations that speak of it; there is a result whatever is raised.

    A declared-unsupported case is not run, unless the session attempts those: then the declaration is stale if the check
    passes. A known failure excuses a wrong value only, and is stale if the check passes. One that comes and goes stays a known
    failure then. On an instruction set on which a declaration was never verified it is not stale but unverified.
    """
    start = time.perf_counter_ns()
    process = os.getpid()
    session.runs.clock.begin()
    try:
        # The adapter is no operation, so no declaration speaks of it.
        result = _attempt(session, case) if case.check == ADAPTER else _under_declarations(session, case)
    except BaseException as error:
        result = _of_exception(case, error)
    if os.getpid() != process:
        os._exit(1)  # a child that the operation forked, and let go on: its parent answers
    result.framework_ns = session.runs.clock.framework_ns
    result.duration_ns = time.perf_counter_ns() - start
    return result


def _under_declarations(session: Session, case: Case) -> Result:
    unsupported = session.declared.first("unsupported", case)
    known = session.declared.first("known_failure", case)
    implementation = implementation_of(session.backend, case.operation)
    result = left_out(session, case)
    if result is None:
        result = _attempt(session, case)
        if changed := replaced(session.judging):
            result = Result(case, "error", message_of_replaced(changed))
        passed = result.status == "passed"
        if unsupported is not None:
            result.declaration = unsupported.source
            result.stale = passed and session.declared.verified(unsupported)
            # What works where nobody had tried it is a pass: the declaration says nothing about this instruction set yet.
            if not passed or result.stale:
                result.status, result.message = "unsupported", unsupported.text
        elif known is not None:
            result.declaration = known.source
            sometimes = known.table.get("sometimes", False)
            result.stale = passed and session.declared.verified(known) and not sometimes
            # What comes and goes is one failure whether it came or not, so that two runs of one backend say the same.
            if result.status == "failed" or (passed and sometimes):
                said = "it passes this time" if passed else result.message
                result.status, result.message = "known_failure", f"{known.text} [{said}]"
    declaration = unsupported or known
    result.unverified = declaration is not None and not session.declared.verified(declaration)
    if case.check != "declared":
        if implementation is not None:
            result.source = implementation.source
        if result.status != "unsupported":
            result.inputs = session.expectation(case).arguments.digest
    return result
