"""The calls of programs on a backend, and the judgements on what they give."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Function, Native, Unsupported, numpy_dtype, numpy_strides
from tensorproof.conformance.compiled import fallback_text
from tensorproof.conformance.execution import Answer, answer_of, unpacked
from tensorproof.conformance.expectation import Expected, is_floating
from tensorproof.conformance.verdict import FAILED, LARGEST_Z, LEAST_ELEMENTS_FOR_RMS, NOT_MEANINGFUL, PASSED, Judgement, judge
from tensorproof.contract.strides import CONTIGUOUS, MEMORIES, as_shared, in_memory
from tensorproof.programs.evaluation import Expectations, constants_of, name_of, primals_of
from tensorproof.programs.program import Input, Program
from tensorproof.programs.singularities import beyond_range
from tensorproof_reference.rounding import HELD


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
        self.sharing = ""
        """What shares memory in this mode or in the backend's first, and not in the other, in words."""

    def forward(self) -> list[list[Judgement]]:
        """The verdicts on the outputs of the value alone, by program, and on the arguments after the call."""
        forward = self.backend.forward(self.function, self.mode)
        inputs = self._inputs()
        outputs, others = unpacked("forward", self._counted(lambda: forward(*inputs)), 2)
        self.sharing = self._shared_elsewhere((*inputs[0], *inputs[1]), (*outputs, *others))
        found = self._judged_outputs(outputs, "")
        self._judge_arguments(found, inputs, " after the call")
        return found

    def refuses_gradients(self) -> bool:
        """Whether a program writes over values, and the backend's first mode raises an exception where it is differentiated."""
        if not any(program.writes for program, _ in self.parts):
            return False
        try:
            self.backend.value_and_vjp(self.function, self._first_mode)(*self._inputs(), self._cotangents())
        except Exception:  # whatever a framework raises for a value that it needs and that was written over
            return True
        return False

    @property
    def _first_mode(self) -> str:
        return next(iter(self.backend.modes))

    def _cotangents(self) -> tuple[Native, ...]:
        backend, device = self.backend, self.device
        return tuple(
            _native(backend, device, item, expected.dtypes[name])
            for _, expected in self.parts
            for name, item in zip(expected.outputs, expected.cotangents, strict=True)
        )

    def _judge_arguments(
        self, found: list[list[Judgement]], inputs: tuple[tuple[Native, ...], tuple[Native, ...]], how: str
    ) -> None:
        """Add a verdict on each argument that the program writes over, or that is not what it was."""
        if self.backend.copies_arguments(self.mode):
            return
        primals, constants = map(iter, inputs)
        for judged, (program, expected) in zip(found, self.parts, strict=True):
            written = {node.over for node in program.nodes}
            for number in (*primals_of(program), *constants_of(program)):
                native = next(primals if program.inputs[number].dtype in HELD else constants)
                name = name_of(number)
                if name in expected.arguments:
                    item, answer = expected.arguments[name], self._answer(native)
                    if number in written or not np.array_equal(answer.value, item[0], equal_nan=is_floating(item[0])):
                        judged.append(_judged(name, f"{name}{how}", answer, item, program, expected))

    def _shared_elsewhere(self, arguments: Sequence[Native], results: Sequence[Native]) -> str:
        """Which results and arguments share memory here and not in the first mode, or the other way round."""
        if self.mode == self._first_mode or self.backend.copies_arguments(self.mode):
            return ""
        here = self._sharing(arguments, results)
        if here is None:
            return ""
        given = self._inputs()
        try:
            outputs, others = self.backend.forward(self.function, self._first_mode)(*given)
        except Exception:  # what the first mode rejects has nothing to compare with; a campaign in that mode tells of it
            return ""
        there = self._sharing((*given[0], *given[1]), (*outputs, *others)) or frozenset()
        texts = [
            f"{one} and {other} share memory in mode {mode}, and not in mode {elsewhere}"
            for pairs, mode, elsewhere in (
                (here - there, self.mode, self._first_mode),
                (there - here, self._first_mode, self.mode),
            )
            for one, other in sorted(pairs)
        ]
        return "; ".join(texts)

    def _sharing(self, arguments: Sequence[Native], results: Sequence[Native]) -> frozenset[tuple[str, str]] | None:
        """Pairs that share memory, of which one at least is a result; ``None`` where no program could notice."""
        outputs = [name for _, expected in self.parts for name in expected.outputs]
        names = [*outputs, *(f"other result {place}" for place in range(len(results) - len(outputs)))]
        names += [*self.function.primal_paths, *self.function.constant_paths]
        named = list(zip(names, (*results, *arguments), strict=True))
        found = set()
        for place, (one, first) in enumerate(named[: len(results)]):
            for other, second in named[place + 1 :]:
                shares = self.backend.shares_memory(first, second)
                if shares is None:
                    return None
                if shares:
                    found.add((one, other))
        return frozenset(found)

    def gradient(self) -> list[list[Judgement]]:
        """The verdicts on outputs and gradients computed together, by program; none if the backend does not differentiate."""
        try:
            run = self.backend.value_and_vjp(self.function, self.mode)
            inputs, cotangents = self._inputs(), self._cotangents()
            results = self._counted(lambda: run(*inputs, cotangents))
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
                judged.append(_judged(name, f"d_{name}", answer, expected.gradients[name], program, expected))
        self._judge_arguments(found, inputs, " after the call with gradients")
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
        return inputs_of(self.backend, self.device, [program for program, _ in self.parts])

    def _judged_outputs(self, outputs: Any, how: str) -> list[list[Judgement]]:
        count = sum(len(expected.outputs) for _, expected in self.parts)
        if len(outputs) != count:
            raise ValueError(f"expected {count} results, got {len(outputs)}")
        left = iter(outputs)
        return [
            [
                _judged(name, f"{name}{how}", self._answer(next(left)), item, program, expected)
                for name, item in expected.outputs.items()
            ]
            for program, expected in self.parts
        ]


def inputs_of(backend: Backend, device: str, programs: Sequence[Program]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
    """Fresh arrays of the framework for the inputs of programs: primals and constants."""
    primals = [program.inputs[number] for program in programs for number in primals_of(program)]
    constants = [program.inputs[number] for program in programs for number in constants_of(program)]

    def made(inputs: Sequence[Input]) -> tuple[Native, ...]:
        return tuple(_native(backend, device, item.array, item.dtype, item.memory) for item in inputs)

    return made(primals), made(constants)


def _native(backend: Backend, device: str, array: NDArray[Any], dtype: str, memory: str = CONTIGUOUS) -> Native:
    return backend.from_numpy(placed(array, dtype, memory), dtype, device)


def placed(array: NDArray[Any], dtype: str, memory: str) -> NDArray[Any]:
    """An array as ``Backend.from_numpy`` takes it; between its elements lies NaN, or 1 where they are no floats."""
    floating = is_floating(array)
    return in_memory(array.astype(numpy_dtype(dtype)) if floating else array, memory, np.nan if floating else 1)


def kept_memories(backend: Backend, device: str, dtype: str) -> tuple[str, ...]:
    """The ways to lie in memory that ``Backend.from_numpy`` keeps in a dtype, by ``Backend.strides``; none without strides."""
    if backend.strides(_native(backend, device, np.ones(2), dtype)) is None:
        return ()
    return tuple(memory for memory in MEMORIES if _keeps(backend, device, dtype, memory))


def _keeps(backend: Backend, device: str, dtype: str, memory: str) -> bool:
    """Whether an array of four axes comes to the framework with its strides."""
    array = as_shared(np.resize([1.0, 0.0, 1.0], (2, 3, 4, 5)), memory)
    given = placed(array if dtype in HELD else array.astype(dtype), dtype, memory)
    return backend.strides(backend.from_numpy(given, dtype, device)) == numpy_strides(given)


def _judged(name: str, label: str, answer: Answer | None, item: Expected, program: Program, expected: Expectations) -> Judgement:
    """The verdict on the value of that name, or on its gradient."""
    found = _compared(name, label, answer, item, expected)
    if found.outcome != FAILED:
        return found
    # A value of few elements that is broadcast makes one rounding error many; then the root mean square is of few.
    few = min(value.size for value, _ in expected.values[len(program.inputs) :]) < LEAST_ELEMENTS_FOR_RMS
    if few and found.reason == "bars" and (found.largest_z or 0.0) <= LARGEST_Z:
        return replace(found, outcome=PASSED)
    if answer is not None and found.reason in ("nan", "overflow") and len(program.nodes) > 1:
        # Sums of what overflows on the way are infinite or NaN, by their order. That decides nothing.
        value, bar = item
        either = ~np.isfinite(answer.value) & beyond_range(value, bar, HELD[expected.dtypes[name]].fmax)
        others = replace(answer, value=np.where(either, np.copysign(np.inf, value), answer.value))
        if _compared(name, label, others, item, expected).outcome != FAILED:
            return replace(found, outcome=NOT_MEANINGFUL)
    return found


def _compared(name: str, label: str, answer: Answer | None, item: Expected, expected: Expectations) -> Judgement:
    """The verdict by the rules for a single operation."""
    value, bar = item
    dtype = expected.dtypes[name] if is_floating(value) else str(value.dtype)
    return judge(
        label,
        np.zeros_like(value) if answer is None else answer.value,
        value,
        bar,
        expected.dtypes[name],
        output_dtype=dtype if answer is None else answer.dtype,
        expected_dtype=dtype,
        coarsest=expected.coarsest,
    )


def run(calls: Calls, with_gradients: bool) -> list[list[Judgement]]:
    """All judgements by program."""
    values = calls.forward()
    gradients = calls.gradient() if with_gradients and not calls.refuses_gradients() else [[] for _ in values]
    return [[*one, *other] for one, other in zip(values, gradients, strict=True)]
