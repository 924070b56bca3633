"""How good a backend is, in numbers: share passed, and how near to the reference its passing results lie, by mode and dtype."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorproof_reports.conformance.runs import Run

DTYPES = ("float64", "float32", "bfloat16", "float16")
ASIDE = ("unsupported", "not_meaningful", "not_run")
"""Statuses that prove nothing for or against."""


@dataclass
class Score:
    """The checks of one run, mode and dtype."""

    run: str
    mode: str
    dtype: str
    counts: Counter[str] = field(default_factory=Counter)
    bars: list[float] = field(default_factory=list, repr=False)
    """Largest errors of passing checks."""
    rms: list[float] = field(default_factory=list, repr=False)

    @property
    def judged(self) -> int:
        """Checks that prove something."""
        return sum(count for status, count in self.counts.items() if status not in ASIDE)

    @property
    def share(self) -> float | None:
        """The share of these that pass."""
        return self.counts["passed"] / self.judged if self.judged else None

    @property
    def median_rms(self) -> float | None:
        """The median of the root mean square errors of passing checks, in bars."""
        return statistics.median(self.rms) if self.rms else None

    @property
    def worst(self) -> float | None:
        """The largest error that still passes."""
        return max(self.bars, default=None)


def scores(runs: Sequence[Run]) -> list[Score]:
    """The scores in the order of runs, modes and dtypes."""
    found: list[Score] = []
    for run in runs:
        own: dict[tuple[str, str], Score] = {}
        rows = run.rows
        grouped: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for index, key in enumerate(zip(rows.mode, rows.dtype, strict=True)):
            grouped[key].append(index)
        for (mode, dtype), indices in grouped.items():
            if mode == "none":
                continue
            score = own[mode, dtype] = Score(run.key, mode, dtype)
            score.counts.update(rows.status[index] for index in indices)
            passed = [index for index in indices if rows.status[index] == "passed"]
            score.bars = [value for index in passed if isinstance(value := rows.bars[index], float)]
            score.rms = [value for index in passed if isinstance(value := rows.rms[index], float)]
        order = {mode: number for number, mode in enumerate(run.modes)}
        found += sorted(own.values(), key=lambda score: (order[score.mode], rank(score.dtype)))
    return found


def rank(dtype: str) -> tuple[int, str]:
    """The place of a dtype among others, wide ones first."""
    return (DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES)), dtype
