"""What is timed: series in groups, whose contenders are timed in the same rounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tensorproof.conformance.selection.cases import Case
from tensorproof_reference.operation import Operation

DIRECTIONS = ("forward", "forward+backward")


@dataclass(frozen=True)
class Contender:
    """A backend on a device in a mode from an environment."""

    origin: int
    """Its place among the origins."""
    label: str
    backend: str
    environment: str
    device: str
    mode: str

    @property
    def name(self) -> str:
        """What a table calls it: ``torch eager``, ``new torch compile``."""
        return f"{self.label} {self.mode}"


@dataclass(frozen=True)
class Group:
    """Contenders that are asked for the same, in rounds of their own."""

    operation: str
    workload: str
    direction: str
    dtype: str
    contenders: tuple[Contender, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the group in a record."""
        return (self.operation, self.workload, self.direction, self.dtype, *(item.name for item in self.contenders))

    def case(self, contender: Contender, operation: Operation) -> Case:
        """The check that declarations and verdicts speak of."""
        check = "training" if operation.family == "training" else "forward" if self.direction == "forward" else "gradient"
        return Case(
            contender.backend,
            contender.device,
            contender.mode,
            self.operation,
            self.workload,
            self.dtype,
            check,
            required=operation.required,
            by_default=True,
            versions=(operation.version, 1),
        )


def directions_of(operation: Operation, workload: str) -> tuple[str, ...]:
    """The directions in which an operation is timed. Nobody learns from one example, which is what size S of a model is."""
    if workload == "S" and operation.family in ("model", "training"):
        return DIRECTIONS[:1] if operation.family == "model" else ()
    return DIRECTIONS if operation.vjp is not None and operation.differentiable else DIRECTIONS[:1]


def groups(
    contenders: Sequence[Contender],
    operations: Mapping[str, Operation],
    workloads: Sequence[str],
    directions: Sequence[str],
    dtypes_of: Mapping[str, Sequence[str]],
    dtypes: Sequence[str],
) -> Iterator[Group]:
    """All groups, in the order in which they are timed: those that share inputs are neighbours.

    Contenders of several environments meet those of the same backend and mode only.
    """
    for operation in operations.values():
        if operation.workload is None:
            continue
        for workload in workloads:
            for dtype in dtypes:
                able = [item for item in contenders if dtype in dtypes_of[item.label]]
                for direction in directions_of(operation, workload):
                    if direction in directions:
                        for together in _that_meet(able):
                            yield Group(operation.name, workload, direction, dtype, together)


def _that_meet(contenders: Sequence[Contender]) -> list[tuple[Contender, ...]]:
    if not contenders:
        return []
    if len({item.environment for item in contenders}) < 2:
        return [tuple(contenders)]
    apart: dict[tuple[str, str], list[Contender]] = {}
    for item in contenders:
        apart.setdefault((item.backend, item.mode), []).append(item)
    return [tuple(items) for items in apart.values()]
