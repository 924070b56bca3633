"""Numbers with units that read well: durations, sizes, rates."""

import math

MISSING = "–"
"""What stands where there is no number."""

DURATIONS = (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9))
SIZES = (("B", 1.0), ("KiB", 2.0**10), ("MiB", 2.0**20), ("GiB", 2.0**30), ("TiB", 2.0**40))


def significant(value: float, digits: int = 3) -> str:
    """``value`` to so many significant digits, with all digits before the point.

    >>> significant(812.34), significant(0.012345), significant(0.0), significant(1234567.0)
    ('812', '0.0123', '0', '1.23e+06')
    """
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def _unit(value: float, units: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    return next((unit for unit in reversed(units) if abs(value) >= unit[1]), units[0])


def duration(ns: float | None, digits: int = 3) -> str:
    """A duration in nanoseconds, in the unit that reads best.

    >>> duration(812.0), duration(1.5e6), duration(None)
    ('812 ns', '1.50 ms', '–')
    """
    if ns is None:
        return MISSING
    unit, size = _unit(ns, DURATIONS)
    return f"{significant(ns / size, digits)} {unit}"


def duration_with_interval(median_ns: float | None, low_ns: float | None, high_ns: float | None) -> str:
    """A median and its interval, in the unit and with the decimals of the median.

    >>> duration_with_interval(1100.0, 990.0, 1200.0)
    '1.100 µs [0.990, 1.200]'
    >>> duration_with_interval(1100.0, None, None)
    '1.100 µs'
    """
    if median_ns is None:
        return MISSING
    if low_ns is None or high_ns is None:
        return duration(median_ns, 4)
    unit, scale = _unit(median_ns, DURATIONS)
    median = significant(median_ns / scale, 4)
    decimals = len(median.partition(".")[2]) if "e" not in median else 0
    low, high = (
        f"{value / scale:.{decimals}f}" if value / scale < 1e6 else f"{value / scale:.3e}" for value in (low_ns, high_ns)
    )
    return f"{median} {unit} [{low}, {high}]"


def size(number_of_bytes: float | None) -> str:
    """A number of bytes in binary units.

    >>> size(131072), size(None)
    ('128 KiB', '–')
    """
    if number_of_bytes is None:
        return MISSING
    unit, scale = _unit(number_of_bytes, SIZES)
    return f"{significant(number_of_bytes / scale)} {unit}"


def giga(value: float | None) -> str:
    """A rate per second, divided by 10⁹.

    >>> giga(9.1e10), giga(None)
    ('91.0', '–')
    """
    return MISSING if value is None else significant(value / 1e9)


def percent(share: float | None) -> str:
    """A share in percent.

    >>> percent(0.434), percent(None)
    ('43.4 %', '–')
    """
    return MISSING if share is None else f"{significant(share * 100)} %"


def count(value: float | None) -> str:
    """A number of things.

    >>> count(31.0), count(None)
    ('31', '–')
    """
    if value is None:
        return MISSING
    return f"{value:.0f}" if abs(value) < 1e15 else significant(value)


def ratio(value: float | None) -> str:
    """A ratio with three decimals, fewer where it is large.

    >>> ratio(1.2345), ratio(0.0123), ratio(25.0), ratio(None)
    ('1.234', '0.0123', '25.0', '–')
    """
    if value is None:
        return MISSING
    return f"{value:.3f}" if 0.1 <= value < 10 else significant(value)
