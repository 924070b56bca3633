"""What the reference expects of a workload, and how far what was timed is from it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tensorproof.conformance.execution import Answer, Answers, dtype_of_array
from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.findings import (
    Finding,
    declared_precision,
    judged_gradients,
    judged_outputs,
    most,
    unless_near_a_branch,
    worst_of,
)
from tensorproof.conformance.selection.cases import Case, Declared
from tensorproof.timing.arrays import ITEMSIZES, save_arguments
from tensorproof_reference.operation import Operation, Work


@dataclass
class Expected:
    """The reference's answers for one workload, and where its arguments are for the workers."""

    expectation: Expectation
    path: Path
    wanted: list[tuple[str, list[int]]]
    """Names and shapes of what a backend returns: outputs, then (beginning with ``d_``) gradients."""

    def work(self) -> Work | None:
        """The operations of one call."""
        operation, arguments = self.expectation.operation, self.expectation.arguments
        if operation.work is None:
            return None
        keywords = {name: value for name, value in self.expectation.sample.keywords.items() if name != "conventions"}
        return operation.work(**arguments.inputs, **keywords)

    def numbers(self, direction: str) -> tuple[int, int]:
        """Floating numbers of the case's dtype that one call must read or write at least, and bytes of everything else."""
        expectation, leaves = self.expectation, self.expectation.arguments.leaves
        arrays = [*leaves.items(), *((path, value) for path, (value, _) in expectation.outputs.items())]
        if direction != "forward":
            arrays += [*expectation.cotangents.items()]
            arrays += [(path, leaves[path]) for path in expectation.arguments.primal_paths]
        counts: Counter[str] = Counter()
        for path, array in arrays:
            counts[dtype_of_array(expectation.sample, path, array, expectation.dtype)] += array.size
        numbers = counts.pop(expectation.dtype, 0)
        return numbers, sum(size * ITEMSIZES[dtype] for dtype, size in counts.items())


class References:
    """Expectations of the group in progress, one for each way in which its backends read the operation."""

    def __init__(self, folder: Path, operations: Mapping[str, Operation], seed: int) -> None:
        self._folder = folder
        self._operations = operations
        self._seed = seed
        self._kept: dict[str, Expectation] = {}
        self._of = ("", "", "")
        self._written = 0

    def expected(self, case: Case, declared: Declared, direction: str) -> Expected:
        """What is expected of a case, evaluated when it is first asked for; its arguments are written for the workers."""
        if self._of != (case.operation, case.sample, case.dtype):
            self._of = (case.operation, case.sample, case.dtype)
            self._kept.clear()
        sample = declared.sample(case)
        precision = declared_precision(declared, case)
        key = repr((sorted(sample.keywords.items()), precision))
        if key not in self._kept:
            operation = self._operations[case.operation]
            self._kept[key] = Expectation(operation, sample, case.dtype, self._seed, precision)
        return self._with_arguments(self._kept[key], direction)

    def _with_arguments(self, expectation: Expectation, direction: str) -> Expected:
        operation = expectation.operation
        backward = direction != "forward"
        first = [name for name in expectation.outputs if name.split(".")[0] in operation.cotangents]
        rest = [name for name in expectation.outputs if name.split(".")[0] not in operation.cotangents]
        wanted = [(name, list(expectation.outputs[name][0].shape)) for name in [*first, *rest]]
        if backward:
            leaves = expectation.arguments.leaves
            wanted += [(f"d_{path}", list(leaves[path].shape)) for path in expectation.arguments.primal_paths]
        self._written += 1
        path = self._folder / f"arguments_{self._written}.npz"
        cotangents = expectation.cotangents if backward else {}
        save_arguments(path, replace(expectation.sample, inputs=expectation.arguments.inputs), cotangents)
        return Expected(expectation, path, wanted)


def judged(case: Case, expected: Expected, outputs: Path, described: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """How far results are from the reference, as a record says it: the worst of them in bars."""
    answers = Answers({})
    with np.load(outputs, allow_pickle=False) as file:
        for place, ((name, _), told) in enumerate(zip(expected.wanted, described, strict=True)):
            answer = None if told is None else Answer(file[f"a{place}"], told["dtype"], told["device"])
            if name.startswith("d_"):
                answers.gradients[name.removeprefix("d_")] = answer
            elif answer is not None:
                answers.outputs[name] = answer
    expectation = expected.expectation
    found = judged_outputs(case, expectation, answers, expectation.outputs)
    if answers.gradients:
        found += judged_gradients(case, expectation, answers, expectation.gradients)
    is_network = expectation.operation.model is not None
    found = most(unless_near_a_branch(case, found, expectation)) if is_network else found
    worst = worst_of([*found, *_placed_elsewhere(case, described)])
    return {
        "outcome": worst.outcome,
        "largest_bars": _largest(found, "largest_z"),
        "rms_bars": _largest(found, "rms_z"),
        "line": worst.message,
    }


def _placed_elsewhere(case: Case, described: Sequence[Mapping[str, Any] | None]) -> list[Finding]:
    """A failure for each place where results are that was not asked for: what was timed is another device."""
    places = {str(told["device"]) for told in described if told is not None and told["device"] is not None} - {case.device}
    return [Finding("failed", f"computed on {place}, asked for {case.device}") for place in sorted(places)]


def _largest(found: Sequence[Any], name: str) -> float | None:
    values = [item.record.get(name) for item in found]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return max(numbers) if numbers else None
