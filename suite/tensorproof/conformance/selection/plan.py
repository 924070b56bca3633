"""What a run checks: its cases in order, and the declarations that speak of them."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorproof.conformance.selection.cases import ADAPTER, Case, Declared, adapter_cases, all_cases, own_dtypes, samples_of
from tensorproof.conformance.selection.options import selected, selection_of
from tensorproof.conformance.selection.quick import quick_cases, quick_set
from tensorproof.contract.declarations import Declaration, DeclarationError, read_declarations
from tensorproof.contract.description import Description, on_declared_device, with_variants
from tensorproof.errors import UsageError
from tensorproof_reference.catalogue import of_profile
from tensorproof_reference.operation import Operation


def asked_for(options: Any, specification: Mapping[str, Operation]) -> dict[str, Operation]:
    """The operations that a run's options ask for: those named, or all of the profile."""
    chosen = of_profile(specification, options.profile)
    return {name: operation for name, operation in chosen.items() if name in options.op} if options.op else chosen


class Plan:
    """The cases of a run in order, with the declarations that speak of them.

    ``listed`` are the operations whose cases are made: all of the profile where what is left out is counted.
    """

    def __init__(
        self, options: Any, description: Description, specification: Mapping[str, Operation], listed: Mapping[str, Operation]
    ) -> None:
        self.specification = dict(specification)
        chosen = of_profile(self.specification, options.profile)
        known = SampleNames(listed, max(options.seed, 0))
        declarations = _declarations(options.declarations, description, self.specification, known)
        self.declarations = [item for item in declarations if speaks_of_any(item, chosen)]
        description = on_declared_device(description, self.declarations)
        self.description = description = with_variants(description, options.mode, options.thorough)
        self.declared = Declared(self.declarations, description, self.specification, options.seed)
        names = [name for operation in listed for name in known[operation]]
        self.selection = selection_of(options, description, self.specification, names)
        self.cases: list[Case] = []
        self.left_out: dict[str, int] = {}
        everything = list(all_cases(description, listed, options.seed))
        quick = quick_cases(everything, description, quick_set(options.profile)) if options.quick else frozenset()
        self.quick_left: Counter[Hashable] = Counter()
        """How many cases of each kind ``--quick`` leaves out."""
        adapter = adapter_cases(description, own_dtypes(asked_for(options, self.specification), options.seed))
        for case, reason in selected([*adapter, *everything], self.selection, quick):
            if reason:
                self.left_out[reason] = self.left_out.get(reason, 0) + 1
                if reason == "quick":
                    self.quick_left[self.kind(case.mode, case.operation)] += 1
            else:
                self.cases.append(case)
        if not self.cases or (all(case.check == ADAPTER for case in self.cases) and ADAPTER not in self.selection.checks):
            raise UsageError("no check matches all of these options; tensorproof list prints every check there is")
        self.idle = self.declared.idle(everything)
        self.done: frozenset[str] = frozenset()
        """The keys of checks that an earlier run made, which this one goes on with."""
        self.order = {case: index for index, case in enumerate(_breadth_first(self.cases) if options.time_budget else self.cases)}

    def kind(self, mode: str, operation: str) -> Hashable:
        """Cases of one kind take about as long: those of a mode, of operations or of models."""
        known = self.specification.get(operation)
        return mode, known is not None and known.model is not None


class SampleNames(Mapping[str, Collection[str]]):
    """The names of samples by operation, drawn when they are asked for."""

    def __init__(self, specification: Mapping[str, Operation], seed: int) -> None:
        self._specification = specification
        self._seed = seed

    def __getitem__(self, operation: str) -> Collection[str]:
        return samples_of(self._specification[operation], self._seed).keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self._specification)

    def __len__(self) -> int:
        return len(self._specification)


def speaks_of_any(declaration: Declaration, operations: Collection[str]) -> bool:
    """Whether a declaration may speak of one of these operations: it names one, or leaves them open. One of programs does not."""
    if declaration.kind == "known_program":
        return False
    named = declaration.table.get("operation")
    return named is None or any(name in operations for name in ([named] if isinstance(named, str) else named))


def _breadth_first(cases: Sequence[Case]) -> list[Case]:
    """The first sample of every operation, then the second of every operation, and so on: for a limited time."""
    seen: dict[str, dict[str, int]] = {}
    ranks = []
    for case in cases:
        samples = seen.setdefault(case.operation, {})
        ranks.append(samples.setdefault(case.sample, len(samples)))
    return [case for _, case in sorted(zip(ranks, cases, strict=True), key=lambda item: item[0])]


def _declarations(
    files: Iterable[str], description: Description, operations: dict[str, Operation], samples: Mapping[str, Collection[str]]
) -> list[Declaration]:
    paths = [Path(name) for name in files] + ([Path(description.declarations)] if description.declarations else [])
    found = []
    try:
        for path in paths:
            found += read_declarations(path, operations, description.every_mode, samples)
    except DeclarationError as error:
        raise UsageError(str(error)) from error
    return found
