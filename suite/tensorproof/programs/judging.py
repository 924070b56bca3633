"""A program on a backend in a mode, and the verdict on it: value and gradients, judged as those of one operation are."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Function, Unsupported
from tensorproof.conformance.execution import is_out_of_memory
from tensorproof.conformance.findings import SAFE_DISTANCE
from tensorproof.conformance.selection.cases import Declared
from tensorproof.conformance.verdict import (
    FAILED,
    NOT_MEANINGFUL,
    PASSED,
    Judgement,
)
from tensorproof.contract.backends import specification
from tensorproof.contract.declarations import DeclarationError, read_declarations
from tensorproof.contract.description import Description, describe, on_declared_device
from tensorproof.errors import UsageError, sentence
from tensorproof.programs.building import alone, packed, with_values
from tensorproof.programs.calls import Calls, inputs_of, kept_memories, run
from tensorproof.programs.dtypes import dtypes_of
from tensorproof.programs.evaluation import (
    Conventions,
    Expectations,
    constants_of,
    expected_of,
    primals_of,
)
from tensorproof.programs.function import ProgramFunction
from tensorproof.programs.known import Known
from tensorproof.programs.memory import Unwritten, Views, expected_after_writes, unwritten, views_among, without_overs
from tensorproof.programs.program import MalformedProgram, Program
from tensorproof.programs.wider_bars import closest_of, expected_either_way, with_common_errors
from tensorproof_reference.operation import Operation
from tensorproof_reference.rounding import HELD

NEAR = "near_a_branch"
BRANCH = "branch"
"""Why a failure decides nothing until both sides of the branch are allowed."""
FELL_BACK = "fell_back"
UNSUPPORTED = "unsupported"
ERROR = "error"
KNOWN = "known_failure"
OUT_OF_MEMORY = "out_of_memory"
MEMORY = "memory"
"""The reason of a failure where values are right, and share memory in one mode and not in another."""
WITH_RULES = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "negative", "abs", "square", "sqrt", "reciprocal", "where"),
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("exp", "log", "reshape", "permute", "strided_slice", "concatenate", "stack", "pad", "flip", "roll", "tile"),
    )
)
"""Operations for which IEEE 754, or moving numbers, leaves no choice of where infinities and NaN come out."""
SUSPICIOUS = 0.5
"""The share of what is allowed from which on an operation that is declared to fail is taken to be the reason."""


Cotangents: TypeAlias = tuple[NDArray[Any], ...]


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
        self._views_of_last: tuple[str, Views] = ("", {})
        """Name and views of the program that was asked for last."""
        self._kept: dict[str, tuple[str, ...]] = {}
        """By dtype, how inputs may lie in memory."""
        self.conventions: Conventions = {
            name: declared.conventions(name) for name in specification if declared is not None and declared.conventions(name)
        }
        self.known = Known(declared, specification, self.conventions, device)

    def expected(self, program: Program, mode: str, cotangents: Cotangents = ()) -> Expectations:
        """What the reference expects; of a program without writes with these cotangents, if some are given.

        Raises:
            MalformedProgram: an operation rejects its arguments, or there is none of that name.
        """
        try:
            arithmetic = self.known.arithmetic(program, mode)
            if not program.writes:
                return expected_of(program, self.specification, self.conventions, arithmetic, cotangents)
            plain = self._unwritten(program)
            return expected_after_writes(program, plain, self.specification, self.conventions, arithmetic)
        except MalformedProgram:
            raise
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise MalformedProgram(f"{program.name}: {sentence(error)}") from error

    def _unwritten(self, program: Program) -> Unwritten:
        """The program without writes that computes the same, with those views that the backend's first mode makes."""
        return unwritten(program, self.specification, self.conventions, self._views(program))

    def _views(self, program: Program) -> Views:
        """The values that share memory with an operand in the backend's first mode."""
        name, views = self._views_of_last
        if name != program.name:
            function = ProgramFunction(self.backend, without_overs(program), self.conventions)
            inputs = inputs_of(self.backend, self.device, [program])
            outputs, _ = self.backend.forward(function, next(iter(self.backend.modes)))(*inputs)
            given = (*primals_of(program), *constants_of(program))
            values = dict(zip(given, (*inputs[0], *inputs[1]), strict=True))
            views = views_among(self.backend, program, values | dict(enumerate(outputs, start=len(program.inputs))))
            self._views_of_last = program.name, views
        return views

    @functools.cached_property
    def refusal(self) -> str:
        """Why programs write over no values on this backend, in its words; empty if they may."""
        one, other = (self.backend.from_numpy(np.ones(2, np.float32), "float32", self.device) for _ in range(2))
        try:
            self.backend.write(one, other)
        except Unsupported as error:
            return str(error)
        return ""

    def memories(self, dtype: str, mode: str) -> tuple[str, ...]:
        """How inputs of a dtype may lie in memory in a mode, besides contiguous."""
        if self.backend.copies_arguments(mode):
            return ()
        if dtype not in self._kept:
            self._kept[dtype] = kept_memories(self.backend, self.device, dtype)
        return self._kept[dtype]

    def refused(self, program: Program, mode: str) -> str:
        """Why a program cannot be run here: of what it writes over, or of how an input lies in memory; empty if it can."""
        if program.writes and self.refusal:
            return self.refusal
        for number, memory in program.memories:
            dtype = program.inputs[number].dtype
            kept = self.memories(dtype, mode)
            if memory not in kept:
                if self.backend.copies_arguments(mode):
                    return f"mode {mode} hands copies of the arguments over, which are contiguous"
                return f"arrays of {dtype} keep {'none of their strides' if not kept else f'no strides that are {memory}'}"
        return ""

    def verdict(self, program: Program, mode: str) -> Verdict:
        """Run a program in a mode, forward and with its gradient, and judge what comes out.

        Raises:
            MalformedProgram: it is no program of the specification.
        """
        found = self._verdict(program, mode)
        return self.unless_known(program, mode, found) if found.status == FAILED else found

    def unless_known(self, program: Program, mode: str, found: Verdict) -> Verdict:
        """The failure of a program, or of a function that computes it, unless operations that are declared to fail explain it.

        They do if each is off alone, on the same values and cotangents, and the program passes with the reference's values in
        their places. An operation is declared by its name, or as a program of one call.
        An operation in a layout of the backend's own explains nothing: programs hold arrays as the reference has them.

        Raises:
            MalformedProgram: it is no program of the specification.
        """
        expected = self.expected(program, mode)
        values = [value for value, _ in expected.values]
        dtypes = dtypes_of(program, self.specification)
        declared = {}
        for number in range(len(program.inputs), len(program.inputs) + len(program.nodes)):
            node = program.nodes[number - len(program.inputs)]
            arranged = self.backend.declared_layout(node.operation)
            if self.known.declared is None or arranged or all(dtypes[item] not in HELD for item in node.numbers):
                continue
            single = alone(program, values, dtypes, number)
            texts = [item.text for _, item in self.known.declarations_of(single, mode, ("known_failure", "unsupported"))]
            plain = replace(single, inputs=tuple(item.contiguous for item in single.inputs))
            text = next(iter(texts), "") or self.known.why(plain, mode)
            pulled = () if program.writes or number not in expected.pulled else (expected.pulled[number],)
            if text and _share(self._verdict(single, mode, pulled)) >= SUSPICIOUS:
                declared[number] = text
        rest = with_values(program, values, dtypes, declared) if declared else program
        if not declared or (rest is not None and self._verdict(rest, mode).status == FAILED):
            return found
        text = "; ".join(dict.fromkeys(declared.values()))
        return replace(found, status=KNOWN, message=f"declared: {text} [{found.message}]", reason="")

    def _verdict(self, program: Program, mode: str, cotangents: Cotangents = ()) -> Verdict:
        refused = self.refused(program, mode)
        if refused:
            return Verdict(UNSUPPORTED, refused)
        try:
            function = ProgramFunction(self.backend, program, self.conventions)
            if program.writes:
                self._views(program)
        except Unsupported as error:
            return Verdict(UNSUPPORTED, str(error))
        except Exception as error:  # whatever a framework raises
            return _raised(error)
        return self._verdict_on(function, program, self.expected(program, mode, cotangents), mode, True)

    def verdict_on(self, function: Function, program: Program, mode: str, with_gradients: bool = True) -> Verdict:
        """Run a function of a user that should compute a program, forward and with its gradient, and judge what comes out.

        Raises:
            MalformedProgram: it is no program of the specification.
        """
        # What a user's function does to its arguments is its own affair.
        return self._verdict_on(function, program, replace(self.expected(program, mode), arguments={}), mode, with_gradients)

    def _verdict_on(
        self, function: Function, program: Program, expected: Expectations, mode: str, with_gradients: bool
    ) -> Verdict:
        found = self._judged(function, program, expected, mode, with_gradients)
        if found.reason == BRANCH:
            undecided = replace(found, reason="")
            if program.writes:
                return undecided
            arithmetic = self.known.arithmetic(program, mode)
            careful = expected_either_way(program, self.specification, self.conventions, arithmetic, expected)
            if careful is None:
                return undecided
            expected, with_gradients = careful, with_gradients and bool(careful.gradients)
            found = self._judged(function, program, expected, mode, with_gradients)
            if found.status != FAILED:
                return undecided
        if found.status != FAILED or not found.reason.endswith(" bars") or program.writes:
            return found
        arithmetic = self.known.arithmetic(program, mode)
        wider = with_common_errors(program, self.specification, self.conventions, arithmetic, expected)
        return self._judged(function, program, wider, mode, with_gradients)

    def _judged(self, function: Function, program: Program, expected: Expectations, mode: str, with_gradients: bool) -> Verdict:
        try:
            calls = Calls(self.backend, self.device, mode, function, [(program, expected)])
            judgements = run(calls, with_gradients and not program.is_special)[0]
        except Unsupported as error:
            return Verdict(UNSUPPORTED, str(error))
        except Exception as error:  # whatever a framework, or a user's function, raises
            return _raised(error)
        return self._summed(program, mode, expected, judgements, calls)

    def verdicts(self, programs: Sequence[Program], mode: str) -> list[Verdict | None]:
        """The verdicts on programs that are compiled as one; ``None`` for each that must be asked alone, for all is not well.

        Raises:
            MalformedProgram: one is no program of the specification.
        """
        if any(self.refused(program, mode) for program in programs):
            return [None] * len(programs)
        parts = [(program, self.expected(program, mode)) for program in programs]
        try:
            function = ProgramFunction(self.backend, packed(programs), self.conventions)
            calls = Calls(self.backend, self.device, mode, function, parts)
            found = run(calls, True)
        except Exception:  # whatever a framework raises: the program that it is raised for is found alone
            return [None] * len(parts)
        return [
            None
            if calls.fallback or calls.sharing or any(item.outcome == FAILED for item in judgements)
            else self._summed(program, mode, expected, judgements, calls)
            for (program, expected), judgements in zip(parts, found, strict=True)
        ]

    def _summed(self, program: Program, mode: str, expected: Expectations, judgements: list[Judgement], calls: Calls) -> Verdict:
        """The verdict that the judgements on a program's values come to."""
        records = tuple(item.to_record() for item in judgements)
        compiled = dict(calls.compiled)
        failed = [item for item in judgements if item.outcome == FAILED]
        if failed:
            values = [item for item in failed if not item.label.startswith("d_")]
            worst = max(values or failed, key=lambda item: item.largest_z or np.inf)
            kind = "value" if values else "gradient"
            found = Verdict(FAILED, worst.line, f"{kind} {worst.reason}", records, compiled)
            return found if worst.reason in ("shape", "dtype") else self._unless_near(program, mode, expected, found)
        if calls.sharing:
            return Verdict(FAILED, calls.sharing, MEMORY, records, compiled)
        if calls.fallback:
            return Verdict(FELL_BACK, calls.fallback, "fell back", records, compiled)
        vague = [item for item in judgements if item.outcome == NOT_MEANINGFUL]
        if 2 * len(vague) >= len(judgements):
            return Verdict(NOT_MEANINGFUL, vague[0].line, "", records, compiled)
        return Verdict(PASSED, "", "", records, compiled)

    def _unless_near(self, program: Program, mode: str, expected: Expectations, found: Verdict) -> Verdict:
        """The failure, unless the reference stands at a branch where either side is right."""
        singular = expected.singular or (expected.singular_gradient and found.reason.startswith("gradient"))
        if singular and not (program.is_special and _has_rules(program)):
            text = f"a value or gradient of the reference is not finite, or beyond the range of its dtype [{found.message}]"
            return replace(found, status=NEAR, message=text, reason="")
        if expected.at_an_edge:
            text = f"an argument lies at a pole, or at an end of where an operation is defined [{found.message}]"
            return replace(found, status=NEAR, message=text, reason="")
        if expected.tied and found.reason.startswith("gradient"):
            return replace(found, status=NEAR, message=f"an operation stands on its kink [{found.message}]", reason="")
        if expected.hold_either_way:
            return found
        plain = self._unwritten(program).program if program.writes else program
        closest = closest_of(plain, self.specification, self.conventions, self.known.arithmetic(program, mode))
        if closest < SAFE_DISTANCE:
            text = f"a branch of the reference lies {closest:.1f} bars away [{found.message}]"
            return replace(found, status=NEAR, message=text, reason=BRANCH)
        return found


def subject_of(backend: Backend, device: str | None) -> tuple[Subject, Description]:
    """A backend as programs are judged on it, with its declarations; and what it says of itself.

    Raises:
        UsageError: there is no such device, or its file of declarations is malformed.
    """
    description, operations = describe(backend, device), specification()
    path = description.declarations
    try:
        known = read_declarations(Path(path), operations, description.every_mode, samples={}) if path else []
    except DeclarationError as error:
        raise UsageError(str(error)) from error
    description = on_declared_device(description, known)
    return Subject(backend, description.device, operations, Declared(known, description, operations, 0)), description


def _raised(error: Exception) -> Verdict:
    """The verdict on a program of which a framework, or a user's function, raised an exception."""
    status = OUT_OF_MEMORY if is_out_of_memory(error) else ERROR
    return Verdict(status, sentence(error)[:2000], type(error).__name__)


def _has_rules(program: Program) -> bool:
    return all(node.operation in WITH_RULES for node in program.nodes)


def _share(verdict: Verdict) -> float:
    """The largest share of what is allowed that an output or gradient takes; infinite for what no distance tells."""
    if verdict.status == FAILED or any(item["outcome"] == FAILED for item in verdict.judgements):
        return np.inf
    shares = [item["share"] for item in verdict.judgements if item["share"] is not None]
    return max(shares, default=0.0)
