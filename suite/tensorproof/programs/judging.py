"""A program on a backend in a mode, and the verdict on it: value and gradients, judged as those of one operation are."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tensorproof.backend import Backend, Native, Unsupported, numpy_dtype
from tensorproof.conformance.compiled import fallback_text
from tensorproof.conformance.execution import Answer, is_out_of_memory
from tensorproof.conformance.expectation import Expected, is_floating
from tensorproof.conformance.findings import SAFE_DISTANCE
from tensorproof.conformance.selection.cases import Declared
from tensorproof.conformance.verdict import (
    FAILED,
    LARGEST_Z,
    LEAST_ELEMENTS_FOR_RMS,
    NOT_MEANINGFUL,
    PASSED,
    Judgement,
    judge,
)
from tensorproof.contract.declarations import Declaration, Situation, matches
from tensorproof.errors import sentence
from tensorproof.programs.building import alone, with_values
from tensorproof.programs.evaluation import Conventions, Expectations, closest_of, expected_of, name_of, primals_of
from tensorproof.programs.function import ProgramFunction
from tensorproof.programs.program import BOOLEAN, MalformedProgram, Program
from tensorproof_reference.errorbars.rules import Precision, precision_of
from tensorproof_reference.operation import Operation

NEAR = "near_a_branch"
FELL_BACK = "fell_back"
UNSUPPORTED = "unsupported"
ERROR = "error"
KNOWN = "known_failure"
OUT_OF_MEMORY = "out_of_memory"
SUSPICIOUS = 0.5
"""The share of what is allowed from which on an operation that is declared to fail is taken to be the reason."""


@dataclass(frozen=True)
class Verdict:
    """What is found of a program in a mode."""

    status: str
    """``passed``, ``failed``, ``known_failure``, ``not_meaningful``, ``near_a_branch``, ``fell_back``, ``unsupported``,
    ``error``, ``out_of_memory``, ``crashed`` or ``timed_out``."""
    message: str = ""
    reason: str = ""
    """What kind of failure it is; another program fails for the same reason if status and reason are the same."""
    judgements: tuple[Mapping[str, Any], ...] = ()
    """Of each output and gradient, as records have them."""
    compiled: Mapping[str, int] = field(default_factory=dict)
    """What compiling did, by ``Backend.compile_counters``."""

    @property
    def cause(self) -> tuple[str, str]:
        """What must stay the same while the program is shrunk."""
        return self.status, self.reason


class Subject:
    """A backend on a device, as programs are judged on it."""

    def __init__(
        self, backend: Backend, device: str, specification: Mapping[str, Operation], declared: Declared | None = None
    ) -> None:
        self.backend = backend
        self.device = device
        self.specification = specification
        self.declared = declared
        self.conventions: Conventions = {
            name: declared.conventions(name) for name in specification if declared is not None and declared.conventions(name)
        }

    def declarations_of(self, program: Program, mode: str, kinds: tuple[str, ...]) -> list[Declaration]:
        """The declarations of some kinds that speak of an operation of the program, in any of its samples."""
        if self.declared is None:
            return []
        found = []
        for node in program.nodes:
            arguments = frozenset(name for name, _ in node.operands)
            for kind in kinds:
                for item in self.declared.of_kind(kind):
                    check = item.table.get("check", "forward")
                    situation = Situation(
                        node.operation,
                        _one_of(item.table.get("sample", "")),
                        program.dtype,
                        mode,
                        self.device,
                        _one_of(check),
                        {**self.conventions.get(node.operation, {}), **dict(node.keywords)},
                        arguments,
                    )
                    if "operation" in item.table and matches(item, situation):
                        found.append(item)
        return found

    def precision(self, program: Program, mode: str) -> Precision:
        """The arithmetic that the program is held to: the least precise that is declared of one of its operations."""
        tables = [item.table for item in self.declarations_of(program, mode, ("precision",))]
        bits = min((table.get("matmul_input_bits", 24) for table in tables), default=24)
        same = any(table.get("accumulate") == "same" for table in tables)
        return precision_of(program.dtype, matmul_input_bits=bits, accumulate="same" if same else "float32")

    def expected(self, program: Program, mode: str) -> Expectations:
        """What the reference expects.

        Raises:
            MalformedProgram: an operation rejects its arguments, or there is none of that name.
        """
        try:
            return expected_of(program, self.specification, self.conventions, self.precision(program, mode))
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise MalformedProgram(f"{program.name}: {sentence(error)}") from error

    def verdict(self, program: Program, mode: str) -> Verdict:
        """Run a program in a mode, forward and with its gradient, and judge what comes out.

        Raises:
            MalformedProgram: it is no program of the specification.
        """
        found = self._verdict(program, mode)
        return self._unless_known(program, mode, found) if found.status == FAILED else found

    def _unless_known(self, program: Program, mode: str, found: Verdict) -> Verdict:
        """The failure, unless operations that are declared to fail explain it.

        They do if each is off alone, on the same values, and the program passes with the reference's values in their places.
        """
        values = [value for value, _ in self.expected(program, mode).values]
        declared = {}
        for number in range(len(program.inputs), len(program.inputs) + len(program.nodes)):
            single = alone(program, values, number)
            tables = self.declarations_of(single, mode, ("known_failure", "unsupported"))
            if tables and _share(self._verdict(single, mode)) >= SUSPICIOUS:
                declared[number] = tables[0]
        rest = with_values(program, values, declared) if declared else program
        if not declared or (rest is not None and self._verdict(rest, mode).status == FAILED):
            return found
        text = "; ".join(dict.fromkeys(item.text for item in declared.values()))
        return replace(found, status=KNOWN, message=f"declared: {text} [{found.message}]", reason="")

    def _verdict(self, program: Program, mode: str) -> Verdict:
        expected = self.expected(program, mode)
        try:
            calls = Calls(self, program, mode, expected)
            judgements = [*calls.forward(), *calls.gradient()]
        except Unsupported as error:
            return Verdict(UNSUPPORTED, str(error))
        except Exception as error:
            status = OUT_OF_MEMORY if is_out_of_memory(error) else ERROR
            return Verdict(status, sentence(error)[:2000], type(error).__name__)
        return self._summed(program, mode, expected, judgements, calls)

    def _summed(
        self, program: Program, mode: str, expected: Expectations, judgements: list[Judgement], calls: "Calls"
    ) -> Verdict:
        records = tuple(item.to_record() for item in judgements)
        compiled = dict(calls.compiled)
        failed = [item for item in judgements if item.outcome == FAILED]
        if failed:
            worst = max(failed, key=lambda item: item.largest_z or np.inf)
            kind = "gradient" if all(item.label.startswith("d_") for item in failed) else "value"
            found = Verdict(FAILED, worst.line, f"{kind} {worst.reason}", records, compiled)
            return found if worst.reason in ("shape", "dtype") else self._unless_near(program, mode, expected, found)
        if calls.fallback:
            return Verdict(FELL_BACK, f"ran eagerly in mode {mode}: {calls.fallback}", "fell back", records, compiled)
        vague = [item for item in judgements if item.outcome == NOT_MEANINGFUL]
        if 2 * len(vague) >= len(judgements):
            return Verdict(NOT_MEANINGFUL, vague[0].line, "", records, compiled)
        return Verdict(PASSED, "", "", records, compiled)

    def _unless_near(self, program: Program, mode: str, expected: Expectations, found: Verdict) -> Verdict:
        """The failure, unless the reference stands at a branch where either side is right."""
        if expected.singular:
            text = f"a value or gradient of the reference is not finite [{found.message}]"
            return replace(found, status=NEAR, message=text, reason="")
        if expected.tied and found.reason.startswith("gradient"):
            return replace(found, status=NEAR, message=f"an operation stands on its kink [{found.message}]", reason="")
        precision = self.precision(program, mode)
        closest = closest_of(program, self.specification, self.conventions, precision)
        if closest < SAFE_DISTANCE:
            text = f"a branch of the reference lies {closest:.1f} bars away [{found.message}]"
            return replace(found, status=NEAR, message=text, reason="")
        return found


def _share(verdict: Verdict) -> float:
    """The largest share of what is allowed that an output or gradient takes; infinite for what no distance tells."""
    shares = [item["share"] for item in verdict.judgements if item["share"] is not None]
    return np.inf if verdict.status == FAILED else max(shares, default=0.0)


def _one_of(names: Any) -> str:
    """A name that a condition allows."""
    return str(names[0] if isinstance(names, list) else names)


class Calls:
    """The calls of one program in one mode, and what compiling did in them."""

    def __init__(self, subject: Subject, program: Program, mode: str, expected: Expectations) -> None:
        self.backend = subject.backend
        self.device = subject.device
        self.program = program
        self.mode = mode
        self.expected = expected
        self.function = ProgramFunction(subject.backend, program, subject.conventions)
        self.compiled: Counter[str] = Counter()
        self.fallback = ""

    def forward(self) -> list[Judgement]:
        """The verdicts on the outputs of the value alone."""
        forward = self.backend.forward(self.function, self.mode)
        outputs, _ = self._counted(lambda: forward(*self._inputs()))
        return self._judged_outputs(outputs, "")

    def gradient(self) -> list[Judgement]:
        """The verdicts on outputs and gradients computed together; none if the backend does not differentiate."""
        try:
            run = self.backend.value_and_vjp(self.function, self.mode)
            cotangents = tuple(
                self.backend.from_numpy(item.astype(numpy_dtype(self.program.dtype)), self.program.dtype, self.device)
                for item in self.expected.cotangents
            )
            outputs, _, gradients = self._counted(lambda: run(*self._inputs(), cotangents))
        except Unsupported:
            return []
        found = self._judged_outputs(outputs, " with gradients")
        for number, gradient in zip(primals_of(self.program), gradients, strict=True):
            name = name_of(number)
            expected = self.expected.gradients[name]
            answer = None if gradient is None else self._answer(gradient)
            found.append(self._judged(f"d_{name}", answer, expected))
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
            self.fallback = self.fallback or fallback_text(count, known=False)
        return results

    def _inputs(self) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """Fresh arrays of the framework: primals and constants."""
        made: dict[bool, list[Native]] = {False: [], True: []}
        for item in self.program.inputs:
            constant = item.dtype == BOOLEAN
            array = item.array if constant else item.array.astype(numpy_dtype(item.dtype))
            made[constant].append(self.backend.from_numpy(array, item.dtype, self.device))
        return tuple(made[False]), tuple(made[True])

    def _answer(self, value: Native) -> Answer:
        array = np.asarray(self.backend.to_numpy(value))
        # A copy in any case: what the framework gives may lie in memory that it uses again.
        kept = array.astype(np.float64) if is_floating(array) else array.copy()
        return Answer(kept, self.backend.dtype_of(value), self.backend.device_of(value))

    def _judged_outputs(self, outputs: Any, how: str) -> list[Judgement]:
        expected = self.expected.outputs
        if len(outputs) != len(expected):
            raise ValueError(f"expected {len(expected)} results, got {len(outputs)}")
        pairs = zip(expected.items(), outputs, strict=True)
        return [self._judged(f"{name}{how}", self._answer(value), item) for (name, item), value in pairs]

    def _judged(self, label: str, answer: Answer | None, expected: Expected) -> Judgement:
        value, bar = expected
        dtype = self.program.dtype
        found = judge(
            label,
            np.zeros_like(value) if answer is None else answer.value,
            value,
            bar,
            dtype,
            output_dtype=dtype if answer is None else answer.dtype,
            expected_dtype=dtype,
        )
        # A value of few elements that is broadcast makes one rounding error many; then the root mean square is of few.
        few = min(value.size for value, _ in self.expected.values[len(self.program.inputs) :]) < LEAST_ELEMENTS_FOR_RMS
        only_rms = found.outcome == FAILED and found.reason == "bars" and (found.largest_z or 0.0) <= LARGEST_Z
        return replace(found, outcome=PASSED) if few and only_rms else found
