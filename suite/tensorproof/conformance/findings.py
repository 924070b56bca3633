"""What a check knows of the backend (``Session``) and what it finds out (``Finding``)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend
from tensorproof.conformance.diagnosis import earlier
from tensorproof.conformance.diagnosis.fits import fits
from tensorproof.conformance.execution import Answer, Answers, Run, Runs
from tensorproof.conformance.expectation import Expectation, Expected, Source, computed, expectation_of, is_floating
from tensorproof.conformance.selection.cases import Case, Declared
from tensorproof.conformance.verdict import Judgement, error_map, judge, plain
from tensorproof.contract.untouched import judging_functions
from tensorproof_reference.errorbars.rules import Precision, precision_of
from tensorproof_reference.operation import Operation

SAFE_DISTANCE = 10.0
"""The distance in bars from a kink or a tie within which a backend may rightly take the other branch, and so another gradient."""

Answered: TypeAlias = Mapping[str, NDArray[Any]]
"""Outputs or gradients that were judged together, by name."""

NO_MAP = ("dtype", "sign of zero")
"""Reasons of failures that no place of an output is a part of by its distance."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found out: a judged output, or a plain statement."""

    outcome: str
    message: str
    record: Mapping[str, Any] = field(default_factory=dict)
    placement: str = ""


def declared_precision(declared: Declared, case: Case) -> Precision:
    """The arithmetic that a backend is held to: full, unless declared otherwise."""
    declaration = declared.first("precision", case)
    table = declaration.table if declaration else {}
    bits = table.get("matmul_input_bits", 24)
    return precision_of(case.dtype, matmul_input_bits=bits, accumulate=table.get("accumulate", "float32"))


class Session:
    """A backend on a device, with what is needed to check cases of it."""

    def __init__(
        self,
        backend: Backend,
        device: str,
        specification: Mapping[str, Operation],
        declared: Declared,
        seed: int,
        attempt_unsupported: bool = False,
        source: Source = computed,
    ) -> None:
        self.backend = backend
        self.device = device
        self.specification = specification
        self.declared = declared
        self.seed = seed
        self.attempt_unsupported = attempt_unsupported
        self.source = source
        self.runs = Runs(backend, device)
        self.judging = judging_functions()
        self.compiled: dict[tuple[str, str], Counter[str]] = {}
        """What compiling did for the training of a model in a mode, in this process."""

    def precision(self, case: Case) -> Precision:
        """The arithmetic that the backend is held to."""
        return declared_precision(self.declared, case)

    def expectation(self, case: Case) -> Expectation:
        """What the reference expects."""
        operation, sample = self.specification[case.operation], self.declared.sample(case)
        return expectation_of(operation, sample, case.dtype, self.seed, self.precision(case), self.source)

    def run(self, case: Case) -> Run:
        """The run that the checks of this case's sample, dtype and mode share."""
        expectation = self.expectation(case)
        return self.runs.of(expectation, case.mode, expectation.arguments.primal_paths)


def _expected_dtype(expectation: Expectation, path: str, value: NDArray[Any]) -> str | None:
    """The dtype that a result must have; ``None`` where documentation leaves it free, as it does of integers."""
    free = expectation.operation.output_dtype == "any" or not is_floating(value)
    dtype = expectation.dtype_at(path)
    return None if free and dtype == expectation.dtype else dtype


def _judged(
    case: Case, expectation: Expectation, path: str, name: str, answer: Answer | None, expected: Expected, together: Answered
) -> Finding:
    value, bar = expected
    sample, dtype = expectation.sample, expectation.dtype_at(path)
    output = np.zeros_like(value) if answer is None else answer.value
    judgement: Judgement = judge(
        f"{case.operation} {case.sample} {case.dtype} {name}{f' ({dtype})' if dtype != case.dtype else ''}",
        output,
        value,
        bar,
        dtype,
        output_dtype=dtype if answer is None else answer.dtype,
        expected_dtype=_expected_dtype(expectation, path, value),
        exact_zero=name in sample.exact_zero,
        sign_of_zero=sample.sign_of_zero,
    )
    placement = "" if answer is None else answer.device or "unverified"
    record = {"output": name, **judgement.to_record()}
    if judgement.outcome == "failed":
        record |= _of_the_failure(case, expectation, record, together, expected)
        found = None if judgement.reason in NO_MAP else error_map(output, value, bar, dtype)
        record |= {} if found is None else {"map": found}
    return Finding(judgement.outcome, record["line"], record, placement)


def _of_the_failure(
    case: Case, expectation: Expectation, record: Mapping[str, Any], together: Answered, expected: Expected
) -> Any:
    """What is recorded of a failure beside the judgement: its input, shapes and keywords, and the mistakes that fit."""
    leaves, index = expectation.arguments.leaves, record["index"]
    # The input at the worst index, where inputs have the shape of the output.
    there = {path: leaf[tuple(index)].item() for path, leaf in leaves.items() if index and leaf.shape == expected[0].shape}
    shown = "".join(f"; {path} = {value:.17g}" for path, value in there.items())
    compared = case.check != "fused" and record["reason"] != "dtype"
    found = None if not compared else fits(expectation, record["output"], together, expected)
    return {
        "line": f"{record['line']}{shown}",
        "input": {path: plain(value) for path, value in there.items()},
        "shapes": {path: list(leaf.shape) for path, leaf in leaves.items()},
        "keywords": {name: repr(value) for name, value in expectation.sample.keywords.items()},
        **({} if found is None else {name: texts for name, texts in asdict(found).items() if texts is not None}),
    }


def _values(answers: Mapping[str, Answer | None], expected: Mapping[str, Expected]) -> dict[str, Any]:
    """The arrays of some answers; a gradient that is missing is zero."""
    return {
        name: np.zeros_like(expected[name][0]) if answer is None else np.asarray(answer.value) for name, answer in answers.items()
    }


def judged_outputs(case: Case, expectation: Expectation, answers: Answers, expected: Mapping[str, Expected]) -> list[Finding]:
    """What is found of each output."""
    together = _values(answers.outputs, expected)
    earlier.note(expectation)
    return [_judged(case, expectation, name, name, answers.outputs[name], expected[name], together) for name in answers.outputs]


def judged_gradients(case: Case, expectation: Expectation, answers: Answers, expected: Mapping[str, Expected]) -> list[Finding]:
    """What is found of the gradient of each primal."""
    together = {f"d_{path}": value for path, value in _values(answers.gradients, expected).items()}
    return [
        _judged(case, expectation, path, f"d_{path}", answer, expected[path], together)
        for path, answer in answers.gradients.items()
    ]


def unless_near_a_branch(case: Case, findings: list[Finding], expectation: Expectation) -> list[Finding]:
    """The findings, where a distance proves nothing if a kink or a tie of the reference is within ten bars: either side is right.

    Samples of operations stay away from kinks; among the many units of a network one may come near.
    """

    def far(finding: Finding) -> bool:
        return finding.outcome == "failed" and finding.record.get("reason") == "bars"

    if not any(far(finding) for finding in findings) or expectation.closest >= SAFE_DISTANCE:
        return findings
    text = f"{case.operation} {case.sample}: a branch of the reference lies {expectation.closest:.1f} bars away"
    return [
        replace(finding, outcome="not_meaningful", message=f"{text} [{finding.message}]") if far(finding) else finding
        for finding in findings
    ]


def most(findings: list[Finding]) -> list[Finding]:
    """The findings that mean something, if most do: one array or step that proves nothing is not the verdict on a run.

    A bias in front of batch normalization, say, has no effect, and so no gradient but rounding errors.
    """
    meaningful = [item for item in findings if item.outcome != "not_meaningful"]
    return meaningful if 2 * len(meaningful) > len(findings) else findings


def placed(findings: list[Finding]) -> list[Finding]:
    """Where anything was computed, each place once: also of findings that are left out of the verdict."""
    places = sorted({finding.placement for finding in findings if finding.placement})
    return [Finding("passed", f"computed on {place}", placement=place) for place in places]


def worst_of(findings: list[Finding]) -> Finding:
    """A failure before what proves nothing, and that before what passed."""
    ranked = ("failed", "not_meaningful", "passed")
    return min(findings, key=lambda item: ranked.index(item.outcome))
