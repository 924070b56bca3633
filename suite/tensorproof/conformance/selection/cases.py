"""Which checks there are: every operation's samples, in every dtype and mode, and which of them run by default."""

import functools
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tensorproof.contract.declarations import Declaration, Situation, argument_names, in_force, matches, verified_on
from tensorproof.contract.description import INDICES, Description, lacking
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.evaluation import is_large, operations_of
from tensorproof_reference.operation import SIZES, Operation, Sample
from tensorproof_reference.sample_classes import class_of
from tensorproof_reference.stream import Stream

FUSED_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes of outputs that are fused with a neighbour: those that a neighbour computes in."""
SPREAD_CLASSES = ("plain", "geometry", "padding", "overhang", "mask", "recurrent", "nan", "magnitude", "statistics", "labels")
"""The classes of which a compiler that is paid dearly gets one sample each."""
EXPENSIVE = "expensive"
"""The class of samples that only ``--thorough`` runs."""
NONE = "none"
"""The sample, dtype and mode of a check that is about an operation as a whole."""
ADAPTER = "adapter"
"""The operation and check of what is about arrays on their way to the framework and back."""


@dataclass(frozen=True)
class Case:
    """One check of one operation's sample on a backend."""

    backend: str
    device: str
    mode: str
    operation: str
    sample: str
    dtype: str
    check: str
    required: bool
    by_default: bool
    """Whether it runs without ``--thorough``."""
    versions: tuple[int, int]
    """Of the operation and of the sample."""

    @property
    def name(self) -> str:
        """What stands in a test's brackets: ``torch:cpu-eager-softmax-plain_rows-float32``."""
        if self.check == "declared":
            return f"{self.backend}:{self.device}-{self.operation}"
        if self.check == ADAPTER:
            return f"{self.backend}:{self.device}-{self.operation}-{self.dtype}"
        return f"{self.backend}:{self.device}-{self.mode}-{self.operation}-{self.sample}-{self.dtype}"

    @property
    def key(self) -> str:
        """Identifies the check within a backend and device, across runs and versions."""
        return f"{self.check}[{self.mode}-{self.operation}-{self.sample}-{self.dtype}]"


@functools.cache
def samples_of(operation: Operation, seed: int) -> Mapping[str, Sample]:
    """An operation's samples by name, in order.

    Raises:
        ValueError: two samples share a name, or a name begins with no class or has a hyphen.
    """
    found: dict[str, Sample] = {}
    for sample in operation.samples(Stream(seed)(operation.name)):
        class_of(sample)
        if sample.name in found or "-" in sample.name:
            raise ValueError(f"{operation.name}: sample {sample.name!r}: names are unique and have no hyphen")
        found[sample.name] = sample
    return found


@functools.lru_cache(maxsize=2)  # large ones fill memory
def workload_of(operation: Operation, seed: int, size: str) -> Sample:
    """What an operation is timed on.

    Raises:
        ValueError: the operation is not timed.
    """
    if operation.workload is None:
        raise ValueError(f"{operation.name} has no workload")
    return operation.workload(Stream(seed)(operation.name)("workload")(size), size)


def dtypes_of(operation: Operation, sample: Sample, dtypes: Iterable[str]) -> list[str]:
    """The dtypes in which a sample is checked: one suffices where nothing is floating."""
    meaningful = [dtype for dtype in dtypes if dtype in sample.dtypes]
    if operation.output_dtype == "any" and not operation.differentiable:
        return [dtype for dtype in meaningful if dtype == "float32"] or meaningful[:1]
    return meaningful


def own_dtypes(specification: Mapping[str, Operation], seed: int) -> frozenset[str]:
    """The dtypes that samples name for single arrays."""
    found = (sample for operation in specification.values() for sample in samples_of(operation, seed).values())
    return frozenset(dtype for sample in found for dtype in sample.own_dtypes.values())


def spread(samples: Mapping[str, Sample]) -> frozenset[str]:
    """The names of the first sample of each class in ``SPREAD_CLASSES``."""
    first: dict[str, str] = {}
    for sample in samples.values():
        first.setdefault(class_of(sample), sample.name)
    return frozenset(first[name] for name in SPREAD_CLASSES if name in first)


def _checks(operation: Operation, sample: Sample, dtype: str, is_first: bool, mode: str) -> Iterator[str]:
    if operation.random and class_of(sample) == "statistics":
        if dtype == "float32" or (dtype == "float64" and operation.distribution is not None):
            yield "randomness"
        return
    if operation.family in ("training", "fitting"):
        if dtype in ("float64", "float32"):
            yield operation.family
        return
    yield "forward"
    if operation.family == "model":
        # Gradients of deep networks in 16 bits mean little, and a step of training looks at every one in 32.
        if dtype in ("float64", "float32"):
            yield "gradient"
        if dtype == "float32" and is_first:
            yield "purity"
        return
    gradient = sample.gradient and operation.vjp is not None and not sample.raises
    if gradient:
        yield "gradient"
    if dtype == "float32" and not sample.raises:
        yield "purity"
    if is_first and gradient and not operation.random:
        if dtype in ("float64", "float32") and sum(sample.inputs.get(name) is not None for name in operation.differentiable) > 1:
            yield "subset"
        if all(sample.dtype_at(name, dtype) in FUSED_DTYPES for name in operation.cotangents):
            yield "fused"


def _in_scope(scope: str, sample: Sample, dtype: str, chosen: frozenset[str], dtypes: list[str]) -> bool:
    if class_of(sample) == EXPENSIVE:
        return False
    single = "float32" if "float32" in dtypes else dtypes[0]
    return scope == "all" or (dtype == single and (scope == "float32" or sample.name in chosen))


def _is_costly(operation: Operation, mode: str, dtype: str, description: Description) -> bool:
    """Whether a check of training is left to ``--thorough``.

    Whole runs, and steps of one model on what another has just learnt, go in float64, where errors stay small, if there is one.
    Models of many weights train in the first mode only, and step by step in float32 only, which shows precision.
    """
    if operation.model is None or operation.family not in ("training", "fitting"):
        return False
    whole = operation.family == "fitting" or isinstance(operation.model, Adversaries)
    preferred = "float64" if whole and "float64" in description.dtypes else "float32"
    if is_large(operation.model):
        return (mode, dtype) != (next(iter(description.modes)), preferred)
    return operation.family == "fitting" and dtype != preferred


def all_cases(description: Description, specification: Mapping[str, Operation], seed: int) -> Iterator[Case]:
    """Every check of a backend on its device, whether it runs by default or not; those of one sample are neighbours."""
    device, backend = description.device, description.backend
    for operation in specification.values():
        yield Case(
            backend, device, NONE, operation.name, NONE, NONE, "declared", operation.required, True, (operation.version, 1)
        )
        samples = samples_of(operation, seed)
        chosen = spread(samples)
        version = operation.version
        first = next(iter(samples))
        for sample in samples.values():
            # As with the dtypes of checks, those that a device has not are not asked of it.
            promised = operation.required and sample.required and not lacking(sample, description.available)
            dtypes = dtypes_of(operation, sample, description.dtypes)
            for mode, scope in description.modes.items():
                if sample.raises and mode != "eager":
                    continue
                # A backend is not judged by how many variants it declares.
                required = promised and mode not in description.variants
                for dtype in dtypes:
                    default = _in_scope(scope, sample, dtype, chosen, dtypes)
                    default = default and not _is_costly(operation, mode, dtype, description)
                    for check in _checks(operation, sample, dtype, sample.name == first, mode):
                        yield Case(
                            *(backend, device, mode, operation.name, sample.name, dtype, check, required, default),
                            versions=(version, sample.version),
                        )


def adapter_cases(description: Description, own: Collection[str]) -> Iterator[Case]:
    """The checks that arrays come back from the framework as they were, one for each dtype; all other checks rest on them.

    ``own`` are the dtypes that samples name: those beside the usual ones are checked if the backend has them.
    """
    usual = (*description.dtypes, *INDICES)
    for dtype in (*usual, *(item for item in description.held if item in own and item not in usual)):
        yield Case(description.backend, description.device, NONE, ADAPTER, NONE, dtype, ADAPTER, True, True, (1, 1))


def seconds_for(case: Case, timeout: float) -> float:
    """After how long a check counts as hanging: a run of many training steps has five times as long as one call."""
    return 5 * timeout if case.check in ("training", "fitting") else timeout


def in_shard(case: Case, index: int, count: int) -> bool:
    """Whether a case is in shard ``index`` of ``count``, from 1; all checks of a sample fall in the same shard."""
    digest = hashlib.sha256(f"{case.operation}-{case.sample}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count == index - 1


def with_conventions(operation: Operation, sample: Sample, conventions: Mapping[str, Any]) -> Sample:
    """The sample with the conventions of a backend wherever it leaves the choice open."""
    chosen = {name: value for name, value in conventions.items() if name not in sample.keywords}
    return replace(sample, keywords={**chosen, **sample.keywords}) if chosen else sample


def conventions_of(declarations: Iterable[Mapping[str, Any]], operation: str) -> dict[str, Any]:
    """The conventions of an operation, from the tables of ``[[convention]]`` declarations."""
    chosen: dict[str, Any] = {}
    for table in declarations:
        named = table["operation"]
        if operation in (named if isinstance(named, list) else [named]):
            chosen |= table["keywords"]
    return chosen


def _situation(case: Case, operation: Operation, sample: Sample | None) -> Situation:
    keywords: Mapping[str, Any] = {}
    arguments: frozenset[str] = frozenset()
    if sample is not None:
        keywords = {**_defaults(operation), **sample.keywords}
        arguments = argument_names(sample)
    return Situation(case.operation, case.sample, case.dtype, case.mode, case.device, case.check, keywords, arguments)


@functools.cache
def _defaults(operation: Operation) -> dict[str, Any]:
    return dict(operation.function.__kwdefaults__ or {})


class Declared:
    """The declarations of a backend that are in force, and which cases they speak of."""

    def __init__(
        self, declarations: Iterable[Declaration], description: Description, specification: Mapping[str, Operation], seed: int
    ) -> None:
        self._declarations = [item for item in declarations if in_force(item, description.versions, description.kernels)]
        self._description = description
        self._specification = specification
        self._seed = seed
        self._by_operation: dict[tuple[str, str], list[Declaration]] = {}
        self._samples: dict[tuple[str, str], Sample] = {}

    def of_kind(self, kind: str) -> list[Declaration]:
        """The declarations of one kind that are in force."""
        return [item for item in self._declarations if item.kind == kind]

    def verified(self, declaration: Declaration) -> bool:
        """Whether a declaration was verified on this instruction set."""
        return verified_on(declaration, self._description.instructions)

    def conventions(self, operation: str) -> dict[str, Any]:
        """The backend's conventions of an operation."""
        return conventions_of((item.table for item in self.of_kind("convention")), operation)

    def sample(self, case: Case) -> Sample:
        """The sample, or the workload, of a case in the backend's conventions."""
        operation = self._specification[case.operation]
        if case.sample in SIZES:
            return self._in_conventions(operation, workload_of(operation, self._seed, case.sample))
        key = (case.operation, case.sample)
        if key not in self._samples:
            self._samples[key] = self._in_conventions(operation, samples_of(operation, self._seed)[case.sample])
        return self._samples[key]

    def _in_conventions(self, operation: Operation, sample: Sample) -> Sample:
        sample = with_conventions(operation, sample, self.conventions(operation.name))
        if operation.model is None:
            return sample
        named = {name: self.conventions(name) for name in operations_of(operation.model)}
        return replace(sample, keywords={**sample.keywords, "conventions": {k: v for k, v in named.items() if v}})

    def situation(self, case: Case) -> Situation:
        """What declarations' conditions are tested against."""
        sample = None if case.check == "declared" else self.sample(case)
        return _situation(case, self._specification[case.operation], sample)

    def first(self, kind: str, case: Case) -> Declaration | None:
        """The first declaration of a kind that speaks of a case."""
        key = (kind, case.operation)
        if key not in self._by_operation:
            self._by_operation[key] = [item for item in self.of_kind(kind) if _names(item, case.operation)]
        if not self._by_operation[key]:
            return None
        situation = self.situation(case)
        return next((item for item in self._by_operation[key] if matches(item, situation)), None)

    def idle(self, cases: Iterable[Case]) -> list[Declaration]:
        """The declarations that speak of no case at all."""
        waiting = [
            item
            for item in self._declarations
            if item.kind in ("unsupported", "known_failure") and _on_this_device(item, self._description)
        ]
        spoken: set[int] = set()
        by_operation: dict[str, list[Declaration]] = {}
        for case in cases:
            if case.operation not in by_operation:
                by_operation[case.operation] = [item for item in waiting if _names(item, case.operation)]
            asked = by_operation[case.operation]
            if asked:
                situation = self.situation(case)
                spoken.update(id(item) for item in asked if matches(item, situation))
                by_operation[case.operation] = [item for item in asked if id(item) not in spoken]
        return [item for item in waiting if id(item) not in spoken]


def _on_this_device(declaration: Declaration, description: Description) -> bool:
    """Whether a declaration may speak of this device: it names its dtypes, modes and name, or leaves them open."""
    present = {"dtype": description.dtypes, "mode": description.modes, "device": (description.device,)}
    for key, values in present.items():
        named = declaration.table.get(key, list(values))
        if not set(named if isinstance(named, list) else [named]).intersection(values):
            return False
    return True


def _names(declaration: Declaration, operation: str) -> bool:
    named = declaration.table.get("operation", operation)
    return operation in (named if isinstance(named, list) else [named])
