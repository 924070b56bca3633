"""The matrix: operation × backend × mode × (values, gradients)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorproof.conformance.checks import STATUSES
from tensorproof_reports.conformance.operations import GROUPS, Described
from tensorproof_reports.conformance.runs import Run
from tensorproof_reports.conformance.statuses import GRADIENTS, SEVERITY, SYMBOLS, VALUES, mode_words, part_of, words


@dataclass
class Cell:
    """An operation in a mode of a backend: its checks of values, or of gradients."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def status(self) -> str:
        """The gravest status in the cell."""
        return next((status for status in SEVERITY if self.counts[status]), "not_run")

    @property
    def text(self) -> str:
        """Symbol and ``24/25``: passed of all that was asked."""
        if self.status == "unsupported" and not self.counts["passed"]:
            return SYMBOLS["unsupported"]
        return f"{SYMBOLS[self.status]} {self.counts['passed']}/{self.counts.total()}"

    @property
    def title(self) -> str:
        """All counts in words."""
        return ", ".join(f"{self.counts[status]} {words(status)}" for status in STATUSES if self.counts[status])


@dataclass(frozen=True)
class Column:
    """One backend in one mode."""

    run: str
    mode: str

    @property
    def words(self) -> str:
        """The mode as people read it."""
        return mode_words(self.mode)


@dataclass(frozen=True)
class MatrixRow:
    """An operation's cells, two for each column: values and gradients."""

    operation: str
    cells: list[Cell | None]


def matrix_of(runs: Sequence[Run], operations: Sequence[Described]) -> tuple[list[Column], list[tuple[str, list[MatrixRow]]]]:
    """The columns, and the rows by group; what was only declared, and is not wrong, has no row."""
    columns = [Column(run.key, mode) for run in runs for mode in run.modes]
    position = {(column.run, column.mode): 2 * number for number, column in enumerate(columns)}
    cells: dict[str, list[Cell | None]] = {item.name: [None] * (2 * len(columns)) for item in operations}
    for run in runs:
        rows = run.rows
        for operation, mode, check, status in zip(rows.operation, rows.mode, rows.check, rows.status, strict=True):
            if (run.key, mode) not in position:
                continue
            place = position[run.key, mode] + (VALUES, GRADIENTS).index(part_of(check))
            cell = cells[operation][place] or Cell()
            cell.counts[status] += 1
            cells[operation][place] = cell
    groups = [
        (title, [MatrixRow(item.name, cells[item.name]) for item in operations if item.group == group and any(cells[item.name])])
        for group, title in GROUPS.items()
    ]
    return columns, [(title, rows) for title, rows in groups if rows]
