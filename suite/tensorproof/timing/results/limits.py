"""How fast this machine can be: its roofline, measured, and where a timing stands below it.

Source: Williams, Waterman & Patterson (2009), "Roofline". The roof for memory depends on how much is moved: what fits into a
cache moves faster, so bandwidth is measured at several footprints.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorproof_reference.operation import Work

FOOTPRINTS = tuple(1 << exponent for exponent in (16, 18, 20, 22, 24, 26))
"""64 KiB to 64 MiB."""
GEMM_SIZE = 384
PASSED_BYTES = 1 << 20
"""About how many bytes one block of a measurement of bandwidth moves."""

BEYOND = 1.05
"""A share of the roof above which a timing is not believable."""

Ask = Callable[..., dict[str, Any]]


def measured_bandwidth(ask: Ask) -> list[dict[str, float]]:
    """Bandwidth of the host's memory at each footprint."""
    rows = []
    for footprint in FOOTPRINTS:
        answer = ask("kernel", name="bandwidth", footprint=footprint, calls=max(1, PASSED_BYTES // footprint))
        rows.append({"footprint_bytes": footprint, "bytes_per_s": answer["bytes_per_s"]})
    return rows


def measured_gemm(ask: Ask) -> dict[str, float]:
    """The floating-point operations per second of NumPy's matrix product, by dtype."""
    return {dtype: ask("kernel", name="gemm", size=GEMM_SIZE, dtype=dtype)["flops_per_s"] for dtype in ("float32", "float64")}


def bandwidth_at(footprint: int, rows: Sequence[Mapping[str, float]]) -> float:
    """The bandwidth that holds for so many bytes: the best that was measured at the next smaller footprint or any larger one."""
    smaller = [row["footprint_bytes"] for row in rows if row["footprint_bytes"] <= footprint]
    least = max(smaller, default=0)
    return max(row["bytes_per_s"] for row in rows if row["footprint_bytes"] >= least)


def work_done(work: Work, direction: str, numbers: int, itemsize: int, other_bytes: int) -> dict[str, float]:
    """Operations and bytes of one call: ``numbers`` are the floating elements of arguments and results, read or written once."""
    backward = direction != "forward"
    return {
        "flops": work.flops + (work.backward_flops if backward else 0),
        "bytes": max(0, numbers - work.untouched) * itemsize + other_bytes,
        "transcendentals": work.transcendentals + (work.backward_transcendentals if backward else 0),
    }


def rates(work: Mapping[str, float], footprint: int, dtype: str, median_ns: float, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Operations and bytes per second, and the share of the roof that limits: the longer of the two times that the machine
    needs at least, over the time that was measured. ``roof_share`` is ``None`` where the dtype's peak was not measured."""
    seconds = median_ns * 1e-9
    found: dict[str, Any] = {
        "flops_per_s": work["flops"] / seconds,
        "bytes_per_s": work["bytes"] / seconds,
        "roof": None,
        "roof_share": None,
    }
    peak = limits["gemm_flops_per_s"].get(dtype)
    if peak is None or not limits["bandwidth"]:
        return found
    least = {
        "compute": work["flops"] / peak,
        "bandwidth": work["bytes"] / bandwidth_at(footprint, limits["bandwidth"]),
    }
    roof = max(least, key=lambda name: least[name])
    return {**found, "roof": roof, "roof_share": least[roof] / seconds}
