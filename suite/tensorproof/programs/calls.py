"""The calls of programs on a backend, and the judgements on what they give."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Function, Native, Unsupported, numpy_dtype
from tensorproof.conformance.compiled import fallback_text
from tensorproof.conformance.execution import Answer, answer_of, unpacked
from tensorproof.conformance.expectation import Expected, is_floating
from tensorproof.conformance.verdict import FAILED, LARGEST_Z, LEAST_ELEMENTS_FOR_RMS, PASSED, Judgement, judge
from tensorproof.programs.evaluation import Expectations, constants_of, name_of, primals_of
from tensorproof.programs.program import Input, Program


class Calls:
    """The calls of programs that share one function in one mode, and what compiling did in them."""

    def __init__(
        self, backend: Backend, device: str, mode: str, function: Function, parts: Sequence[tuple[Program, Expectations]]
    ) -> None:
        """``function`` takes the inputs of the programs of ``parts`` one after the other, and gives their outputs so."""
        self.backend = backend
        self.device = device
        self.mode = mode
        self.function = function
        self.parts = parts
        self.compiled: Counter[str] = Counter()
        self.fallback = ""
        """How it was not computed as asked, in words."""

    def forward(self) -> list[list[Judgement]]:
        """The verdicts on the outputs of the value alone, by program."""
        forward = self.backend.forward(self.function, self.mode)
        outputs, _ = unpacked("forward", self._counted(lambda: forward(*self._inputs())), 2)
        return self._judged_outputs(outputs, "")

    def gradient(self) -> list[list[Judgement]]:
        """The verdicts on outputs and gradients computed together, by program; none if the backend does not differentiate."""
        try:
            run = self.backend.value_and_vjp(self.function, self.mode)
            cotangents = tuple(
                self._made(item, program.dtype) for program, expected in self.parts for item in expected.cotangents
            )
            results = self._counted(lambda: run(*self._inputs(), cotangents))
        except Unsupported:
            return [[] for _ in self.parts]
        outputs, _, gradients = unpacked("value_and_vjp", results, 3)
        found = self._judged_outputs(outputs, " with gradients")
        left = iter(gradients)
        for judged, (program, expected) in zip(found, self.parts, strict=True):
            for number in primals_of(program):
                gradient = next(left)
                answer = None if gradient is None else self._answer(gradient)
                name = name_of(number)
                judged.append(_judged(f"d_{name}", answer, expected.gradients[name], program, expected))
        return found

    def _counted(self, call: Callable[[], Any]) -> Any:
        before = dict(self.backend.compile_counters()) if self.mode != "eager" else {}
        results = call()
        self.backend.wait(results, self.device)
        if self.mode == "eager":
            return results
        after = self.backend.compile_counters()
        count = {name: int(number - before.get(name, 0)) for name, number in after.items()}
        self.compiled.update(count)
        if "compiled" in count:
            text = fallback_text(count, known=False)
            self.fallback = self.fallback or (text and f"ran eagerly in mode {self.mode}: {text}")
        return results

    def _answer(self, value: Native) -> Answer:
        answer = answer_of(self.backend, value)
        if answer.device not in (None, "", self.device):
            self.fallback = f"computed on {answer.device}, not on {self.device}"
        return answer

    def _inputs(self) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """Fresh arrays of the framework: primals and constants."""
        primals = [program.inputs[number] for program, _ in self.parts for number in primals_of(program)]
        constants = [program.inputs[number] for program, _ in self.parts for number in constants_of(program)]
        return self._all_made(primals), self._all_made(constants)

    def _all_made(self, inputs: Sequence[Input]) -> tuple[Native, ...]:
        return tuple(self._made(item.array, item.dtype) for item in inputs)

    def _made(self, array: NDArray[Any], dtype: str) -> Native:
        given = array.astype(numpy_dtype(dtype)) if is_floating(array) else array
        return self.backend.from_numpy(given, dtype, self.device)

    def _judged_outputs(self, outputs: Any, how: str) -> list[list[Judgement]]:
        count = sum(len(expected.outputs) for _, expected in self.parts)
        if len(outputs) != count:
            raise ValueError(f"expected {count} results, got {len(outputs)}")
        left = iter(outputs)
        return [
            [
                _judged(f"{name}{how}", self._answer(next(left)), item, program, expected)
                for name, item in expected.outputs.items()
            ]
            for program, expected in self.parts
        ]


def _judged(label: str, answer: Answer | None, item: Expected, program: Program, expected: Expectations) -> Judgement:
    value, bar = item
    floating = is_floating(value)
    dtype = program.dtype if floating else str(value.dtype)
    found = judge(
        label,
        np.zeros_like(value) if answer is None else answer.value,
        value,
        bar,
        program.dtype,
        output_dtype=dtype if answer is None else answer.dtype,
        expected_dtype=dtype,
    )
    # A value of few elements that is broadcast makes one rounding error many; then the root mean square is of few.
    few = min(value.size for value, _ in expected.values[len(program.inputs) :]) < LEAST_ELEMENTS_FOR_RMS
    only_rms = found.outcome == FAILED and found.reason == "bars" and (found.largest_z or 0.0) <= LARGEST_Z
    return replace(found, outcome=PASSED) if few and only_rms else found


def run(calls: Calls, with_gradients: bool) -> list[list[Judgement]]:
    """All judgements by program."""
    values = calls.forward()
    gradients = calls.gradient() if with_gradients else [[] for _ in values]
    return [[*one, *other] for one, other in zip(values, gradients, strict=True)]
