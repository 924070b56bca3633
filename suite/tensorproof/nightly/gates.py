"""The first two gates: change points of each series' history, and the false discovery rate over all series.

What passes is a candidate, never an alarm: the third gate (``confirm``) measures old and new packages against each other.

The nights of a series are its log-ratios to the anchor kernel, x_1 … x_n, on one class of machine.

1. Change points minimise the within-segment sum of squares plus a penalty for each change (Killick, Fearnhead and Eckley 2012,
   PELT, in the implementation of ``ruptures``). The penalty is 2 σ² log n, the Schwarz criterion for the level and
   the place of a change (Yao 1988). σ is 1.4826 × the median absolute deviation of x_{i+1} - x_i, over √2: differences do not
   feel levels, and medians do not feel single bad nights. A night that stands alone between two others is a bad night and set
   aside; the last night never is.
2. A change counts if the present level began within the last 7 nights. Its p-value is that of Student's test with pooled variance
   between the present segment and the last one of at least 5 nights before the 7, times 7 (Bonferroni) for the places that it was
   chosen from. A rank test cannot do this work: with 20 nights before and one after its smallest p-value is 0.1, and over 1,656
   series one of 3·10⁻⁵ is needed.
3. Benjamini and Hochberg 1995 over all series that have enough history; a series without a change has p = 1.
4. Changes of less than 3 % are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import ruptures

from tensorproof.nightly.series import SeriesHistory

RECENT = 7
"""In how many of the last nights a level may have begun to count as new."""
BEFORE = 5
"""How many nights a level must have lasted to be compared with."""
RATE = 0.05
"""The expected share of false candidates among all candidates."""
SMALLEST = 0.03
"""Relative changes below this are never shown as candidates."""
SIGMA_FLOOR = 1e-4
"""Lower limit of σ, of log-ratios: a history of equal numbers has none."""


@dataclass(frozen=True)
class Change:
    """A level that began within the last nights."""

    history: SeriesHistory
    since: str
    """The first night of the new level."""
    last_before: str
    """The last night of the old level."""
    factor: float
    """Time after / time before: above 1 is slower."""
    p_value: float
    nights_before: int
    nights_after: int


class Unchanged(Enum):
    """Why a history has no change."""

    NO_CHANGE = "no change"
    TOO_LITTLE_HISTORY = "too little history"


@dataclass(frozen=True)
class Gated:
    """What the gates let through on one night."""

    candidates: tuple[Change, ...]
    tested: int
    too_little_history: int
    changes: int
    """Change points before the second gate."""


def breaks(log_ratios: np.ndarray) -> list[int]:
    """Where segments end, the last being ``len(log_ratios)``.

    >>> breaks(np.log([1, 1.01, 0.99, 1, 1.01, 1.2, 1.21]))
    [5, 7]
    """
    count = len(log_ratios)
    if count < 3:
        return [count]
    deviation = float(np.median(np.abs(np.diff(log_ratios))))
    sigma = max(1.4826 * deviation / np.sqrt(2), SIGMA_FLOOR)
    search = ruptures.KernelCPD(kernel="linear", min_size=1).fit((log_ratios / sigma).reshape(-1, 1))
    return [int(end) for end in search.predict(pen=2 * np.log(count))]


def without_bad_nights(log_ratios: np.ndarray) -> np.ndarray:
    """The indices of the nights that are kept: all but those that stand alone between two others.

    >>> without_bad_nights(np.log([1, 1.01, 0.99, 1, 2, 1, 1.01, 1, 0.99, 1.5])).tolist()
    [0, 1, 2, 3, 5, 6, 7, 8, 9]
    """
    ends = breaks(log_ratios)
    starts = [0, *ends[:-1]]
    alone = {start for start, end in zip(starts, ends, strict=True) if end - start == 1 and start > 0 and end < len(log_ratios)}
    return np.array([index for index in range(len(log_ratios)) if index not in alone], dtype=int)


def change_of(history: SeriesHistory) -> Change | Unchanged:
    """The change of a history's level within the last nights, or why there is none."""
    logs = np.log([point.ratio for point in history.points])
    if len(logs) <= BEFORE:
        return Unchanged.TOO_LITTLE_HISTORY
    kept = without_bad_nights(logs)
    logs = logs[kept]
    ends = breaks(logs)
    starts = [0, *ends[:-1]]
    recent = len(logs) - RECENT
    if starts[-1] == 0 or starts[-1] < recent:
        return Unchanged.NO_CHANGE
    earlier = [(start, end) for start, end in zip(starts, ends, strict=True) if end - start >= BEFORE and end < len(logs)]
    if not earlier:
        return Unchanged.TOO_LITTLE_HISTORY
    start, end = earlier[-1]
    before, after = logs[start:end], logs[starts[-1] :]
    p_value = min(1.0, RECENT * _student(before, after))
    factor = float(np.exp(after.mean() - before.mean()))
    nights = [history.points[index].night for index in kept]
    return Change(history, nights[end], nights[end - 1], factor, p_value, len(before), len(after))


def _student(before: np.ndarray, after: np.ndarray) -> float:
    """Two-sided p-value of Student's test with pooled variance; one night after is enough."""
    from scipy import stats  # here, since only nights need it and importing it takes half a second

    spread = [max(float(group.std(ddof=1)), SIGMA_FLOOR) if len(group) > 1 else 0.0 for group in (before, after)]
    result = stats.ttest_ind_from_stats(
        before.mean(), spread[0], len(before), after.mean(), spread[1], len(after), equal_var=True
    )
    return float(result.pvalue)


def gate(histories: Sequence[SeriesHistory], tonight: str) -> Gated:
    """The candidates among the series that were measured tonight, the largest change first."""
    changes: list[Change] = []
    tested = too_little = 0
    for history in histories:
        if not history.points or history.points[-1].night != tonight:
            continue
        change = change_of(history)
        if change is Unchanged.TOO_LITTLE_HISTORY:
            too_little += 1
            continue
        tested += 1
        if isinstance(change, Change):
            changes.append(change)
    from scipy import stats

    p_values = np.ones(tested)
    p_values[: len(changes)] = [change.p_value for change in changes]
    adjusted = stats.false_discovery_control(p_values, method="bh") if tested else p_values
    passed = [
        change
        for change, p_value in zip(changes, adjusted[: len(changes)], strict=True)
        if p_value <= RATE and abs(np.log(change.factor)) >= np.log1p(SMALLEST)
    ]
    passed.sort(key=lambda change: -abs(float(np.log(change.factor))))
    return Gated(tuple(passed), tested, too_little, len(changes))
