"""The verdict on a user's function in each mode, and the first of its values that is wrong."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tensorproof.backend import Native, Traced, flat_results
from tensorproof.conformance.verdict import FAILED, PASSED
from tensorproof.programs.campaigns.records import BAD
from tensorproof.programs.evaluation import name_of
from tensorproof.programs.functions.traced_program import TracedProgram, known_numbers, numbers_of, program_of, unknown_names
from tensorproof.programs.judging import ERROR, FELL_BACK, KNOWN, MEMORY, UNSUPPORTED, Subject, Verdict
from tensorproof_reference.operation import DTYPES

EAGER = "eager"
"""The mode that runs a function as it is."""
AS_GIVEN = "as given"
"""The mode of a function that its user has compiled."""
ONLY_TOGETHER = "only together: each value is right where it is returned"
NOWHERE = "not known, for the values on the way cannot be had"
DIFFERS = "traced, the function calls something else than when it is run eagerly"
MOST_GRADIENTS = 40
"""Values whose gradients are tried one after the other to find the first that is wrong."""

Compiler: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Takes a function and gives it compiled."""


@dataclass(frozen=True)
class ModeVerdict:
    """What is found of a function in one mode."""

    status: str
    """As of programs: ``passed``, ``failed``, ``near_a_branch``, ``not_meaningful``, ``fell_back``, ``unsupported``, ``error``,
    ``out_of_memory``."""
    message: str = ""
    wrong: str = ""
    """The first value that is wrong, in words."""
    largest: float | None = None
    """The largest distance from the reference in bars."""

    @property
    def is_wrong(self) -> bool:
        """Whether it is a finding, as of programs, or nothing ran: what fell back to eager is no pass of a compiler."""
        return self.status in (*BAD, UNSUPPORTED)


@dataclass(frozen=True)
class FunctionVerdict:
    """What is found of a function."""

    name: str
    modes: Mapping[str, ModeVerdict]
    calls: tuple[str, ...] = ()
    """The operations that are known and judged, in order."""
    unknown: tuple[str, ...] = ()
    """The framework's names of what is not known."""
    notes: tuple[str, ...] = ()
    """What is left out, and why."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether something is judged, and nothing is wrong in any mode. What is not known is not judged."""
        return bool(self.modes) and not any(item.is_wrong for item in self.modes.values())

    @property
    def text(self) -> str:
        """The verdict as a person reads it."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"{self.name} ({versions}): {len(self.calls)} calls known"]
        lines += [f"  not known: {', '.join(self.unknown)}"] if self.unknown else []
        lines += [f"  {note}" for note in self.notes]
        for mode, found in self.modes.items():
            bars = "" if found.largest is None else f" (largest distance {found.largest:.3g} bars of 10)"
            told = f": {found.message}" if found.message else bars
            lines.append(f"  {mode}: {_WORDS.get(found.status, found.status.replace('_', ' '))}{told}")
            lines += [f"    first wrong: {found.wrong}"] if found.wrong else []
        return "\n".join(lines)


_WORDS = {"passed": "right", FAILED: "WRONG", FELL_BACK: "FELL BACK", ERROR: "ERROR", "not_meaningful": "not proven"}


class Called:
    """A user's function as backends run it (``tensorproof.backend.Function``)."""

    operation = ""

    def __init__(self, function: Callable[..., Any], floating: Sequence[bool], judged: Sequence[int] | None) -> None:
        """``floating`` says of each argument whether it is a primal; ``judged`` are the places of results that are judged."""
        self.function = function
        self.floating = tuple(floating)
        self.judged = judged
        self.primal_paths = tuple(f"argument {place}" for place, item in enumerate(floating) if item)
        self.constant_paths = tuple(f"argument {place}" for place, item in enumerate(floating) if not item)

    def arguments(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A function of a user has no arguments that the specification names."""
        raise TypeError("a user's function needs automatic differentiation")

    def __call__(self, primals: Sequence[Native], constants: Sequence[Native]) -> tuple[tuple[Native, ...], tuple[Native, ...]]:
        """The results that are judged, and the others."""
        first, second = list(primals), list(constants)
        arguments = [first.pop(0) if item else second.pop(0) for item in self.floating]
        results = flat_results(self.function(*arguments))
        judged = range(len(results)) if self.judged is None else self.judged
        others = [results[place] for place in range(len(results)) if place not in judged]
        return tuple([results[place] for place in judged]), tuple(others)


class FunctionJudge:
    """A function that was traced, as it is judged on a backend."""

    def __init__(
        self,
        subject: Subject,
        function: Callable[..., Any],
        traced: Traced,
        arguments: Sequence[Native],
        *,
        by_run: bool = False,
    ) -> None:
        """``by_run``: what was traced are the calls of a run, for the function calls others when it is traced itself. It would be
        for its gradients too, so they are not judged.
        """
        self.subject = subject
        self.function = traced.plain or function
        self.given = function
        self.traced = traced
        self.floating = [subject.backend.dtype_of(item) in DTYPES for item in arguments]
        self.known = known_numbers(traced.transcript)
        self.visible = self._judged_of(traced, self.known, traced.visible)
        """The values that are judged where they are returned."""
        judged = self._judged_of(traced, self.known, traced.results)
        self.places = [place for place, number in enumerate(traced.results) if number in judged]
        self.outputs = [traced.results[place] for place in self.places] or self._frontier()
        """The numbers of what is judged in each mode."""
        self.program = program_of(traced, subject.backend, subject.specification, self.outputs, 0) if self.outputs else None
        self.by_run = by_run
        self.with_gradients = not by_run and bool(self.places) and self.known.issuperset(traced.results)

    def _judged_of(self, traced: Traced, known: frozenset[int], numbers: Sequence[int]) -> list[int]:
        """Those that are judged: what known calls of operations give whose result is floating."""
        entries, specification = traced.transcript.entries, self.subject.specification
        calls = [number for number in numbers if number in known and entries[number].kind == "call"]
        return [number for number in calls if (found := specification.get(entries[number].operation)) and found.cotangents]

    def verdict(self, modes: Mapping[str, Compiler | None]) -> dict[str, ModeVerdict]:
        """The verdict in each mode: one of the backend's, or one of a compiler of the user's.

        Raises:
            MalformedProgram: the plugin wrote down what is no program.
        """
        if self.program is None:
            return {}
        found = {}
        for mode, compiler in modes.items():
            if self.places:
                function = self.given if mode == AS_GIVEN else compiler(self.function) if compiler else self.function
                called = Called(function, self.floating, self.places)
            else:
                called = self._returning(self.traced, self.outputs, compiler)
            found[mode] = self._in_mode(mode, compiler, self.program, called)
        return found

    def differs_when_traced(self) -> bool:
        """Whether the function gives wrong values where it is run eagerly, and the calls that were traced give right ones."""
        if self.program is None or not self.places:
            return False
        program = self.program.program
        run = self.subject.verdict_on(Called(self.function, self.floating, self.places), program, EAGER, False)
        if run.status != FAILED:
            return False
        return self.subject.verdict_on(self._returning(self.traced, self.outputs, None), program, EAGER, False).status == PASSED

    def _frontier(self) -> list[int]:
        """The values that are judged and that no other of them takes: what is judged where no result is known."""
        entries = self.traced.transcript.entries
        taken = {item for number in self.visible for item in numbers_of(entries[number])}
        return [number for number in self.visible if number not in taken]

    def _returning(self, traced: Traced, numbers: Sequence[int], compiler: Compiler | None) -> Called:
        function = traced.with_results(numbers)
        return Called(compiler(function) if compiler else function, self.floating, None)

    def _in_mode(self, mode: str, compiler: Compiler | None, traced: TracedProgram, called: Called) -> ModeVerdict:
        backend = self.subject.backend
        name = mode if mode in (*backend.modes, *backend.variants) and compiler is None else EAGER
        verdict = self.subject.verdict_on(called, traced.program, name, self.with_gradients)
        verdict = replace(verdict, message=_renamed(verdict, traced, self.places))
        distances = [item["largest_z"] for item in verdict.judgements if isinstance(item["largest_z"], float)]
        largest = max(distances, default=None)
        wrong = ""
        if verdict.status == FAILED and verdict.reason != MEMORY:
            views = [item for item in (self.traced.as_compiled, self.traced) if item is not None]
            found = (self._first_wrong(item, name, compiler, verdict.reason) for item in views)
            wrong = next((text for text in found if text), ONLY_TOGETHER) if mode != AS_GIVEN or compiler else NOWHERE
            # The plugin's own operations must fail as declared in this mode: what else fails so is new.
            own = mode == name and self.subject.verdict(traced.program, mode).status == KNOWN
            verdict = self.subject.unless_known(traced.program, mode, verdict) if own else verdict
        return ModeVerdict(verdict.status, verdict.message, wrong, largest)

    def _first_wrong(self, view: Traced, mode: str, compiler: Compiler | None, reason: str) -> str:
        """The first value that is wrong where each is returned; of gradients, the first value that has a wrong one; or ``""``."""
        numbers = self.visible if view is self.traced else self._judged_of(view, known_numbers(view.transcript), view.visible)
        if not numbers:
            return ""
        traced = program_of(view, self.subject.backend, self.subject.specification, numbers, 0)
        if not reason.startswith("gradient"):
            verdict = self.subject.verdict_on(self._returning(view, numbers, compiler), traced.program, mode, False)
            if verdict.status == ERROR:
                return f"{NOWHERE}: {verdict.message}"
            names = {item["label"].split()[0] for item in verdict.judgements if item["outcome"] == FAILED}
            wrong = (number for number in numbers if name_of(traced.numbers[number]) in names)
            return next((_described(view, number, traced) for number in wrong), "")
        for number in numbers[:MOST_GRADIENTS]:
            alone = program_of(view, self.subject.backend, self.subject.specification, [number], 0)
            verdict = self.subject.verdict_on(self._returning(view, [number], compiler), alone.program, mode)
            if verdict.status == FAILED:
                return f"the gradient of {_described(view, number, traced)}"
        return ""


def _described(view: Traced, number: int, traced: TracedProgram) -> str:
    entry = view.transcript.entries[number]
    given = [_operand_text(operand, traced) for operand in entry.operands.values()]
    given += [f"{name}={value!r}" for name, value in entry.keywords.items()]
    return f"{name_of(traced.numbers[number])} = {entry.operation}({', '.join(given)}), which is {entry.name}"


def _operand_text(operand: Any, traced: TracedProgram) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(_operand_text(item, traced) for item in operand)}]"
    return name_of(traced.numbers[operand])


def _renamed(verdict: Verdict, traced: TracedProgram, places: Sequence[int]) -> str:
    """The message with results and arguments by place instead of values by number."""
    label, colon, rest = verdict.message.partition(":")
    name, _, how = label.partition(" ")
    names = {name_of(number): f"result {place}" for place, number in zip(places, traced.program.outputs, strict=False)}
    if verdict.reason == MEMORY:
        return re.sub(r"\bv\d+\b", lambda found: names.get(found[0], found[0]), verdict.message)
    names |= {f"d_{name_of(number)}": f"gradient of argument {number}" for number in range(len(traced.program.inputs))}
    return f"{names.get(name, name)}{' ' + how if how else ''}{colon}{rest}" if verdict.message else ""


def judge_function(
    subject: Subject,
    function: Callable[..., Any],
    arguments: Sequence[Native],
    modes: Sequence[str],
    compilers: Mapping[str, Compiler],
) -> FunctionVerdict:
    """Trace a function and judge it in each mode, and as each compiler compiles it.

    Raises:
        Unsupported: the plugin cannot trace it.
        UsageError: none of its arrays is floating.
    """
    traced = subject.backend.trace(function, arguments)
    judge = FunctionJudge(subject, function, traced, arguments)
    asked: dict[str, Compiler | None] = {**dict.fromkeys(modes), **compilers}
    if traced.plain is not None:
        asked[AS_GIVEN] = traced.recompiled
    found = judge.verdict(asked)
    notes: list[str] = []
    if traced.as_run and any(item.status == FAILED for item in found.values()) and judge.differs_when_traced():
        by_run = _of_the_run(judge, function, traced.as_run, arguments)
        notes = [DIFFERS if by_run else f"{DIFFERS}; its run cannot be repeated call by call"]
        if by_run:
            judge, found = by_run, by_run.verdict(asked)
    entries = judge.traced.transcript.entries
    return FunctionVerdict(
        name=getattr(function, "__name__", type(function).__name__),
        modes=found,
        calls=tuple(entries[number].operation for number in sorted(judge.known) if entries[number].kind == "call"),
        unknown=unknown_names(judge.traced.transcript),
        notes=(*notes, *_notes(judge)),
        versions=subject.backend.versions(),
    )


def _of_the_run(
    judge: FunctionJudge, function: Callable[..., Any], as_run: Callable[[], Callable[..., Any]], arguments: Sequence[Native]
) -> FunctionJudge | None:
    """The judge of a function by the calls of its run, without gradients, for frameworks trace what they differentiate.

    ``None`` if not all that is judged otherwise comes of calls that can be repeated.
    """
    try:
        traced = judge.subject.backend.trace(as_run(), arguments)
    except Exception:  # whatever the function, or the framework, raises
        return None
    traced = replace(traced, plain=judge.traced.plain)
    by_run = FunctionJudge(judge.subject, function, traced, arguments, by_run=True)
    return by_run if by_run.places == judge.places else None


def _notes(judge: FunctionJudge) -> tuple[str, ...]:
    notes = []
    left = [str(place) for place in range(len(judge.traced.results)) if place not in judge.places]
    if left and judge.places:
        notes.append(f"results that are not judged: {', '.join(left)}")
    if not judge.places:
        notes.append("no result is judged; what is known is judged up to what is not" if judge.visible else "nothing is judged")
    if judge.by_run:
        notes.append("it is judged by its run, without gradients, for which it would be traced")
    elif judge.places and not judge.with_gradients:
        notes.append("gradients are not judged, for not all is known")
    elif judge.program is not None and judge.program.program.is_special:
        notes.append("gradients are not judged, for an argument is not finite")
    return tuple(notes)
