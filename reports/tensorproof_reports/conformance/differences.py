"""What differs between backends by their own word: conventions, defaults and known failures, side by side."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorproof_reference.catalogue import known_operations
from tensorproof_reports import fields
from tensorproof_reports.conformance.runs import Run
from tensorproof_reports.fields import Line


@dataclass(frozen=True)
class Value:
    """What a backend does; ``title`` says why."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Difference:
    """A row: what it is about, and by run what it does there; ``None`` where the run says nothing of it."""

    operation: str
    subject: str
    values: list[Value | None]

    @property
    def differs(self) -> bool:
        """Whether two runs that say something say different things."""
        return len({value.text for value in self.values if value}) > 1


def _tables(run: Run, kind: str) -> Iterator[tuple[list[str], Line]]:
    """A run's declarations of a kind, each with its operations."""
    for item in fields.sequence(run.header, "declarations"):
        table = fields.mapping({"declarations": item}, "declarations")
        if table.get("kind") == kind:
            operations = table.get("operation", [])
            yield [operations] if isinstance(operations, str) else [str(name) for name in operations], table


def _side_by_side(found: dict[tuple[str, str], dict[int, Value]], runs: int) -> list[Difference]:
    return [
        Difference(operation, subject, [values.get(number) for number in range(runs)])
        for (operation, subject), values in sorted(found.items())
    ]


def conventions(runs: Sequence[Run]) -> list[Difference]:
    """Where documentation leaves a choice: what each backend chooses. What none declares otherwise is left out."""
    known = known_operations()
    found: dict[tuple[str, str], dict[int, Value]] = defaultdict(dict)
    for number, run in enumerate(runs):
        for operations, table in _tables(run, "convention"):
            for operation in operations:
                for keyword, value in fields.words(table, "keywords").items():
                    found[operation, keyword][number] = Value(value, fields.text(table, "reason"))
    for (operation, keyword), values in found.items():
        if operation in known:
            usual = (known[operation].function.__kwdefaults__ or {}).get(keyword)
            for number, run in enumerate(runs):
                if operation in set(run.rows.operation):
                    values.setdefault(number, Value(str(usual), "the specification's default"))
    return _side_by_side(found, len(runs))


def defaults(runs: Sequence[Run]) -> list[Difference]:
    """What layers and optimizers do unless told otherwise."""
    found: dict[tuple[str, str], dict[int, Value]] = defaultdict(dict)
    for number, run in enumerate(runs):
        every = fields.mapping(run.header, "defaults")
        for operation in every:
            for name, value in fields.words(every, operation).items():
                found[fields.clipped(operation, 80), name][number] = Value(value)
    return _side_by_side(found, len(runs))
