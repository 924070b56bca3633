"""Faults to plant in the small framework, and the search for a check that notices one."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from small_backend import Nodes, SmallBackend
from small_operations import KNOWN, OPERATIONS

from tensorproof.backend import Backend
from tensorproof.conformance.checks import Result, run_check
from tensorproof.conformance.findings import Session
from tensorproof.conformance.selection.cases import Case, Declared, all_cases
from tensorproof.contract.description import describe, with_variants
from tensorproof_reference.operation import Operation

SEED = 0
NOTICED = ("failed", "error", "fell_back", "crashed", "timed_out", "out_of_memory")
"""The statuses that say that something is wrong."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with a backend."""

    name: str
    """What is wrong, in words joined by underscores."""
    operation: str
    group: str
    """The class of samples (``sample_classes.CLASSES``), the check, the mode or the dtype that ought to notice it first."""
    function: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    mode: str = ""
    """The only mode that has the fault, or "" for all."""
    backend: type[SmallBackend] = SmallBackend
    optimize: Callable[[Nodes], Nodes] | None = None
    """What the compiler does to a program."""
    kernels: Mapping[str, Operation] = field(default_factory=dict)
    """What the compiler may call besides the operations, by name."""
    missing: str = ""
    """For a fault that no check notices: why, and what would."""

    @property
    def key(self) -> str:
        """Identifies the fault: operation and name."""
        return f"{self.operation}-{self.name}"

    @property
    def is_formula(self) -> bool:
        """Whether it is a formula that is wrong in every mode: as wrong when compiled, so it is checked eagerly only."""
        return not self.mode and self.optimize is None and self.backend is SmallBackend


Row = tuple[str, str, str, Callable[..., Any]]
"""Operation, class, what is wrong, formula."""
Change = Callable[[dict[str, Any]], dict[str, Any]]
"""Of the arguments by name, those that are others, by name."""


@dataclass
class Faults:
    """A list of faults, filled by decorators whose functions are named after what is wrong, or by rows of a table."""

    found: list[Fault] = field(default_factory=list)

    def value(self, operation: str, group: str, **others: Any) -> Callable[[Any], Any]:
        """The decorated function computes the operation's value."""
        return self._add(operation, group, "function", others)

    def gradient(self, operation: str, group: str, **others: Any) -> Callable[[Any], Any]:
        """The decorated function is the operation's vector-Jacobian product."""
        return self._add(operation, group, "vjp", others)

    def compiler(self, operation: str, group: str, **others: Any) -> Callable[[Any], Any]:
        """The decorated function changes a traced program."""
        return self._add(operation, group, "optimize", others)

    def framework(self, operation: str, group: str, **others: Any) -> Callable[[Any], Any]:
        """The decorated class is a ``SmallBackend`` with the fault; CamelCase becomes words."""
        return self._add(operation, group, "backend", others)

    def rows(self, values: Iterable[Row], gradients: Iterable[Row]) -> None:
        """The formulas of ``values`` compute their operation's value, those of ``gradients`` its vector-Jacobian product."""
        for operation, group, name, wrong in values:
            self.found.append(Fault(name=name, operation=operation, group=group, function=wrong))
        for operation, group, name, wrong in gradients:
            self.found.append(Fault(name=name, operation=operation, group=group, vjp=wrong))

    def planted(self, operation: str, group: str, name: str, change: Callable[..., Any]) -> None:
        """``change(right, **arguments)`` computes the operation's value, where ``right`` is the right operation."""
        right = functools.partial(reference, operation)

        def wrong(**arguments: Any) -> Any:
            return change(right, **arguments)

        self.rows([(operation, group, name, wrong)], [])

    def with_keywords(self, operation: str, group: str, name: str, **keywords: Any) -> None:
        """The operation with keywords that the caller's cannot change."""
        self.planted(operation, group, name, lambda right, **arguments: right(**{**arguments, **keywords}))

    def _add(self, operation: str, group: str, part: str, others: dict[str, Any]) -> Callable[[Any], Any]:
        def add(thing: Any) -> Any:
            camel = isinstance(thing, type)
            name = "".join(f"_{c.lower()}" if c.isupper() else c for c in thing.__name__).lstrip("_") if camel else thing.__name__
            self.found.append(Fault(name=name, operation=operation, group=group, **{part: thing}, **others))
            return thing

        return add


def reference(operation: str, *arguments: Any, **keywords: Any) -> Any:
    """The right value of an operation."""
    return OPERATIONS[operation].function(*arguments, **keywords)


def changed(operation: str, change: Change) -> Callable[..., Any]:
    """The operation with some of its arguments changed before."""
    return lambda **given: reference(operation, **{**given, **change(given)})


def right_vjp(operation: str, *arguments: Any, **keywords: Any) -> Any:
    """The right vector-Jacobian product of an operation."""
    vjp = OPERATIONS[operation].vjp
    assert vjp is not None
    return vjp(*arguments, **keywords)


def checks_of(backend: Backend, operation: str, group: str = "") -> tuple[Session, list[Case]]:
    """A session on a backend without declarations, and all cases of an operation, also in variants of modes.

    Those of ``group`` come first, and float32 before the other dtypes.
    """
    specification = {operation: KNOWN[operation]}
    description = with_variants(describe(backend, None), (), thorough=True)
    session = Session(backend, description.device, KNOWN, Declared([], description, KNOWN, SEED), SEED)

    def order(case: Case) -> tuple[bool, bool]:
        # Checks of one sample stay neighbours, in order: what purity looks at depends on whether the gradient was run.
        return group not in (case.sample.split("_")[0], case.mode, case.dtype), case.dtype != "float32"

    return session, sorted(all_cases(description, specification, SEED), key=order)


def results_of(fault: Fault) -> Iterator[Result]:
    """The results of the checks of the fault's operation, one after the other; of a formula, the eager ones."""
    session, cases = checks_of(fault.backend(fault), fault.operation, fault.group)
    for case in cases:
        if case.mode == "eager" or not fault.is_formula:
            yield run_check(session, case)


def first_notice(fault: Fault) -> Result | None:
    """The first check that notices a fault."""
    return next((result for result in results_of(fault) if result.status in NOTICED), None)
