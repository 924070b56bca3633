"""Whether an output conforms to the reference: distances are counted in error bars.

``judge`` applies these rules in order:

1. Shape and dtype are equal. Integer and boolean outputs are equal exactly.
2. If every bar is 0, the output equals the reference exactly; +0 equals -0 unless the sign is asked for.
3. NaN stands exactly where the reference has it. Where the reference is infinite, or beyond the largest finite number by more
   than 10 bars, the output is infinite with that sign; where it is below that number by 10 bars, the output is finite.
4. With z = |y - r| / e (0/0 = 0), no z is above 10, and the root mean square of z is at most 2 over 16 elements or more.
5. A case whose bars are wide compared with its values, or often infinite, proves nothing, and passing it is reported as *not
   meaningful*. A failure of rules 1 to 4 is a failure in any case. Where the reference is identically zero, or declared to
   be zero in exact arithmetic, rule 4 alone judges.

Nothing is required of an element with an infinite bar. Empty outputs have a shape and a dtype only. A constant of the
reference that the dtype cannot represent may stand in the output as the nearest number of the dtype.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference.rounding import format_of, round_to, ulp_distance

LARGEST_Z = 10.0
LARGEST_RMS_Z = 2.0
LEAST_ELEMENTS_FOR_RMS = 16
LARGEST_UNBOUNDED_SHARE = 0.05

LARGEST_MAP = (12, 24)
"""Rows and columns of a map of errors."""
MAP_LEVELS = "0123456789n"

PASSED = "passed"
FAILED = "failed"
NOT_MEANINGFUL = "not_meaningful"

_DIGITS = {"float64": 17, "float32": 9, "bfloat16": 4, "float16": 5, "float8_e4m3fn": 3, "float8_e5m2": 3}


def largest_blur(dtype: str) -> float:
    """How wide 10 bars may be, as a share of the reference's size, for a case to prove something."""
    return 1e-3 if dtype in ("float64", "float32") else 0.25


@dataclass(frozen=True)
class Judgement:
    """The verdict on one output, and the numbers behind it; ``None`` where a number has no meaning."""

    label: str
    outcome: str
    """``passed``, ``failed`` or ``not_meaningful``."""
    reason: str
    """What decided: ``shape``, ``dtype``, ``exact``, ``sign of zero``, ``nan``, ``overflow``, ``bars``, ``blurred``,
    ``unbounded`` or ``empty``."""
    line: str
    """What a person reads."""
    size: int
    outside: int = 0
    """How many elements are not as they must be."""
    largest_z: float | None = None
    rms_z: float | None = None
    share: float | None = None
    """The larger share of the two allowances that was used, 1 at the limit."""
    index: tuple[int, ...] | None = None
    """Where the largest distance is, or the first element that is wrong otherwise."""
    got: float | None = None
    expected: float | None = None
    bar: float | None = None
    ulp: float | None = None
    """The distance in units of the dtype's last place."""

    @property
    def message(self) -> str:
        """The line, unless all is well."""
        return "" if self.outcome == PASSED else self.line

    def to_record(self) -> dict[str, Any]:
        """The judgement as JSON can hold it: infinite and undefined numbers are the strings ``inf``, ``-inf``, ``nan``."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["index"] = None if self.index is None else list(self.index)
        return {name: plain(value) for name, value in record.items()}


def judge(
    label: str,
    output: Any,
    reference: Any,
    bar: Any,
    dtype: str,
    *,
    output_dtype: str,
    expected_dtype: str | None,
    exact_zero: bool = False,
    sign_of_zero: bool = False,
    coarsest: str | None = None,
) -> Judgement:
    """The verdict on ``output`` against ``reference`` ± ``bar``, computed in ``dtype``.

    ``output`` holds the values that a backend returned (floating ones as float64), ``output_dtype`` what dtype it returned them
    in, and ``expected_dtype`` the one it should have (``None``: any). ``coarsest`` is the dtype with the fewest digits on the
    way to it, which says how wide bars may be (``None``: ``dtype``).

    Raises:
        ValueError: ``bar`` is not of the reference's shape, is negative or NaN, or ``dtype`` is unknown.
    """
    y, r = np.asarray(output), np.asarray(reference)
    if y.shape != r.shape:
        return _brief(label, FAILED, "shape", f"shape {y.shape}, expected {r.shape}", r.size)
    if expected_dtype is not None and output_dtype != expected_dtype:
        return _brief(label, FAILED, "dtype", f"dtype {output_dtype}, expected {expected_dtype}", r.size)
    if r.size == 0:
        return _brief(label, PASSED, "empty", f"empty, shape {r.shape}", 0)
    if r.dtype.kind in "biu":
        return _judge_whole(label, y, r)
    e = np.asarray(bar, np.float64)
    if e.shape != r.shape or not (e >= 0).all():
        raise ValueError(f"bar: expected numbers of at least 0 in shape {r.shape}, got shape {e.shape}")
    with np.errstate(all="ignore"):
        found = _Comparison(label, y.astype(np.float64), r.astype(np.float64), e, dtype)
        return found.verdict(exact_zero, sign_of_zero, largest_blur(coarsest or dtype))


def _judge_whole(label: str, y: NDArray[Any], r: NDArray[Any]) -> Judgement:
    """Rule 1 for integers and booleans."""
    wrong = ~(y == r)
    outside = int(np.count_nonzero(wrong))
    if not outside:
        return _brief(label, PASSED, "exact", f"equal, {r.size} of {r.size}", r.size)
    index = _first(wrong)
    text = f"not equal at {list(index)}: got {y[index]}, expected {r[index]}; {outside} of {r.size} outside"
    got, expected = float(y[index]), float(r[index])
    return Judgement(label, FAILED, "exact", f"{label}: {text}", r.size, outside, index=index, got=got, expected=expected)


def _brief(label: str, outcome: str, reason: str, text: str, size: int) -> Judgement:
    outside = size if outcome == FAILED else 0
    return Judgement(label, outcome, reason, f"{label}: {text}", size, outside)


def error_map(output: Any, reference: Any, bar: Any, dtype: str) -> dict[str, Any] | None:
    """Where an output is wrong: its last axis across, all others down, in blocks of which each has the largest error in it.

    A block is a character: ``0`` for at most 1 bar, ``1`` for at most 10 (the limit), ``2`` for at most 100, … up to ``9``
    for more than 10^8 and for what must be exact; ``n`` where NaN or infinity stands and must not, or the other way round.

    Returns:
        ``rows`` and ``columns`` of the whole, and ``cells``, at most 12 texts of at most 24 characters; ``None`` where there is
        no map: shapes differ, or there is one element or none.
    """
    y, r = np.asarray(output), np.asarray(reference)
    if y.shape != r.shape or r.size < 2:
        return None
    if r.dtype.kind in "biu":
        levels = np.where(y == r, 0, 9)
    else:
        with np.errstate(all="ignore"):
            bars = np.asarray(bar, np.float64)
            levels = _Comparison("", y.astype(np.float64), r.astype(np.float64), bars, dtype).levels()
    whole = levels.reshape(-1, levels.shape[-1])
    blocks = whole
    for axis, most in enumerate(LARGEST_MAP):
        length = whole.shape[axis]
        starts = np.arange(min(length, most)) * length // min(length, most)
        blocks = np.maximum.reduceat(blocks, starts, axis=axis)
    cells = ["".join(MAP_LEVELS[level] for level in row) for row in blocks.tolist()]
    return {"rows": whole.shape[0], "columns": whole.shape[1], "cells": cells}


class _Comparison:
    """An output ``y``, a reference ``r`` and bars ``e``, all float64 of one shape that is not empty."""

    def __init__(self, label: str, y: Any, r: Any, e: Any, dtype: str) -> None:
        self.label, self.y, self.r, self.e, self.dtype = label, y, r, e, dtype
        self.fmax = format_of(dtype).fmax
        self.bounded = np.isfinite(e)
        self.equal = (y == r) | (np.isnan(y) & np.isnan(r))
        exact = (e == 0) & ~self.equal
        if exact.any():
            self.equal |= exact & (y == round_to(r, dtype))

    def verdict(self, exact_zero: bool, sign_of_zero: bool, widest: float) -> Judgement:
        """Rules 2 to 5 in order; ``widest`` is how wide bars may be, as a share of values."""
        if not self.e.any() and not self.equal.all():
            return self._wrong("exact", ~self.equal)
        if sign_of_zero:
            signs = (self.r == 0) & (self.y == 0) & (self.e == 0) & (np.signbit(self.r) != np.signbit(self.y))
            if signs.any():
                return self._wrong("sign of zero", signs)
        if self._is_ordinary():
            return self._in_bars(exact_zero, self.bounded, widest)
        nan = self.bounded & (np.isnan(self.y) != np.isnan(self.r))
        if nan.any():
            return self._wrong("nan", nan)
        overflow = self._overflow()
        if overflow.any():
            return self._wrong("overflow", overflow)
        return self._in_bars(exact_zero, self.bounded & np.isfinite(self.r) & np.isfinite(self.y), widest)

    def _is_ordinary(self) -> bool:
        """Whether all is finite and far from overflow, so that rules 2 and 3 need not look closer."""
        return bool(np.isfinite(self.y).all() and (np.abs(self.r) + LARGEST_Z * self.e <= self.fmax).all())

    def _overflow(self) -> NDArray[np.bool_]:
        """Where the output is infinite and must not be, or the other way round, or has the wrong sign."""
        y, r, margin = self.y, self.r, LARGEST_Z * self.e
        infinite = np.isinf(y)
        must = np.isinf(r) | (np.abs(r) - margin > self.fmax)
        may = ~(np.abs(r) + margin <= self.fmax)
        wrong = (infinite & ~may) | (~infinite & must) | (infinite & (np.sign(y) != np.sign(r)))
        wrong &= self.bounded & ~np.isnan(r) & ~self.equal
        return np.asarray(wrong, np.bool_)

    def levels(self) -> NDArray[np.int64]:
        """By element the place in ``MAP_LEVELS`` of its error."""
        special = self.bounded & ~self.equal & ~(np.isfinite(self.y) & np.isfinite(self.r))
        z = np.where(self.equal | ~self.bounded, 0.0, np.abs(self.y - self.r) / self.e)
        decades = np.ceil(np.log10(np.clip(z, 1.0, 1e9)))
        return np.asarray(np.where(special, len(MAP_LEVELS) - 1, decades), np.int64)

    def _in_bars(self, exact_zero: bool, judged: NDArray[np.bool_], widest: float) -> Judgement:
        """Rules 4 and 5, of the elements that are judged by their distance."""
        z = np.where(judged & ~self.equal, np.abs(self.y - self.r) / self.e, 0.0)
        count = int(np.count_nonzero(judged))
        largest = float(np.max(z))
        rms = float(np.sqrt(np.sum(np.square(z)) / count)) if count else 0.0
        share = max(largest / LARGEST_Z, rms / LARGEST_RMS_Z if count >= LEAST_ELEMENTS_FOR_RMS else 0.0)
        outside = int(np.count_nonzero(z > LARGEST_Z))
        index = _first(z == largest) if largest > 0 or not judged.any() else _first(judged)
        outcome, reason, remark = (FAILED, "bars", "") if share > 1.0 else (PASSED, "bars", "")
        if outcome == PASSED and not exact_zero and (self.r != 0).any():
            blur = self._blur(widest)
            if blur:
                outcome, (reason, remark) = NOT_MEANINGFUL, blur
        rms_limit = f"limit {LARGEST_RMS_Z:g}" if count >= LEAST_ELEMENTS_FOR_RMS else f"of {count}"
        used = f"limit {LARGEST_Z:g}" if outcome == FAILED else f"{100 * largest / LARGEST_Z:.3g} % of the limit {LARGEST_Z:g}"
        ulp = float(ulp_distance(self.y[index], self.r[index], self.dtype))
        line = (
            f"{self.label}: {remark}{largest:.2g} bars from the reference ({used}) at {list(index)}: {self._values(index)}; "
            f"rms {rms:.2g} ({rms_limit}); {outside} of {self.r.size} outside; {ulp:.2g} ulp"
        )
        return self._judgement(outcome, reason, line, outside, index, ulp=ulp, largest_z=largest, rms_z=rms, share=share)

    def _blur(self, widest: float) -> tuple[str, str] | None:
        """Rule 5: why the case proves nothing, or ``None``."""
        unbounded = np.count_nonzero(~self.bounded) / self.r.size
        if unbounded > LARGEST_UNBOUNDED_SHARE:
            return "unbounded", f"not meaningful in {self.dtype}, {100 * unbounded:.3g} % of the elements have no finite bar; "
        sizes, bars = np.abs(self.r), self.e
        comparable = sizes <= self.fmax
        if not comparable.all():
            sizes, bars = sizes[comparable], bars[comparable]
        if not sizes.size:
            return None
        peak = float(np.max(sizes))
        rms = peak * float(np.sqrt(np.mean(np.square(sizes / peak)))) if peak else 0.0
        limit = widest * rms
        if LARGEST_Z * 2.0 * float(np.mean(bars)) <= limit:
            return None  # half of the bars at least are no larger than twice their mean, which costs less than their median
        blur = LARGEST_Z * float(np.median(bars))
        if blur > limit:
            width = f"{blur / rms if rms else math.inf:.2g} of the values (limit {widest:g})"
            return "blurred", f"not meaningful in {self.dtype}, 10 bars are {width}; "
        return None

    def _wrong(self, reason: str, wrong: NDArray[np.bool_]) -> Judgement:
        """A failure other than by distance, told by its first element."""
        index = _first(wrong)
        outside = int(np.count_nonzero(wrong))
        y, r = float(self.y[index]), float(self.r[index])
        ulp = float(ulp_distance(y, r, self.dtype))
        fact = deviation_text(y, r, self.dtype)
        line = f"{self.label}: {fact} at {list(index)}: {self._values(index)}; {outside} of {self.r.size} outside"
        # No count of ulp leads from a finite value to NaN or infinity.
        line += f"; {ulp:.2g} ulp" if math.isfinite(ulp) else ""
        return self._judgement(FAILED, reason, line, outside, index, ulp=ulp)

    def _values(self, index: tuple[int, ...]) -> str:
        digits = _DIGITS[self.dtype]
        return f"got {self.y[index]:.{digits}g}, expected {self.r[index]:.{digits}g} ± {self.e[index]:.2g}"

    def _judgement(self, outcome: str, reason: str, line: str, outside: int, index: Any, **numbers: float) -> Judgement:
        return Judgement(
            label=self.label,
            outcome=outcome,
            reason=reason,
            line=line,
            size=int(self.r.size),
            outside=outside,
            index=index,
            got=float(self.y[index]),
            expected=float(self.r[index]),
            bar=float(self.e[index]),
            **numbers,
        )


def deviation_text(got: float, expected: float, dtype: str) -> str:
    """What is wrong with a value that must not differ from the reference at all, or only if both are finite.

    >>> deviation_text(0.0, math.nan, "float32")
    'finite where the reference is NaN'
    >>> deviation_text(math.inf, 3e38, "float32")
    'overflowed to inf where the reference is finite'
    >>> deviation_text(3e38, 4e38, "float32")
    'finite where the reference exceeds the largest float32'
    """
    kind, other = _kind(got), _kind(expected)
    exceeds = other == "finite" and abs(expected) > format_of(dtype).fmax
    if got == expected == 0:
        return f"{got:g} where the reference is {expected:g}"
    if kind in ("inf", "-inf") and other == "finite" and not exceeds:
        return f"overflowed to {kind} where the reference is finite"
    if exceeds:
        side = "is below the lowest" if expected < 0 else "exceeds the largest"
        return f"{kind} where the reference {side} {dtype}"
    return f"{kind} where the reference is {other}" if kind != other else "differs from the exact reference"


def _kind(value: float) -> str:
    if math.isfinite(value):
        return "finite"
    return "NaN" if math.isnan(value) else f"{value:g}"


def _first(mask: Any) -> tuple[int, ...]:
    """The index of the first element that is true."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), np.shape(mask)))


def plain(value: Any) -> Any:
    """A number as JSON can hold it: ``inf``, ``-inf`` and ``nan`` are words."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
