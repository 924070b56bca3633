"""Whether a timing can be believed: one question each, answered with yes, no, or "could not be asked", and why."""

import contextlib
import functools
import math
import mmap
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.resources import caches
from tensorproof.timing.results.limits import BEYOND

THREADS_EXCESS = 1.05
FAULT_PAGES = 512
PAGE = 4096
FAULT_SHARE = 0.10
ROTATION = 0.10
KEPT = 0.5
"""A share of the time that caches do not explain: results are kept."""
ENOUGH = 5
FRESH = 2.0
FRESH_LEAST = 1.5
UNREADY = 0.20
RESOLUTION = math.log(1.02)
CLOCK_EXCESS = 1.02
CLOCK_SHARE = 1.6

Answer = dict[str, Any]


def _answer(ok: bool | None, value: float | None, message: str) -> Answer:
    return {"ok": ok, "value": value, "message": message}


def threads(cpu_ns: float, wall_ns: float, count: int) -> Answer:
    """Whether the process used no more cores than it was given: CPU time over time on the wall."""
    used = cpu_ns / max(wall_ns, 1.0)
    ok = used <= count * THREADS_EXCESS
    return _answer(ok, used, f"{used:.2f} cores in use of {count} given")


def output(error: Mapping[str, Any], differ: Sequence[bool]) -> Answer:
    """Whether what was timed was right, and was computed anew for other arguments."""
    if not all(differ):
        return _answer(False, None, "other arguments gave the same result: it was not computed from them")
    outcome = error["outcome"]
    bars = error["largest_bars"]
    if outcome in ("not_meaningful", "not_judged"):
        return _answer(None, bars, str(error["line"]))
    return _answer(outcome == "passed", bars, "within the error bars" if outcome == "passed" else str(error["line"]))


def roof(found: Mapping[str, Any] | None) -> Answer:
    """Whether the machine can be so fast."""
    share = found["roof_share"] if found else None
    if share is None or found is None:
        return _answer(None, None, "no roof is known for this operation, dtype or device")
    text = f"{share:.1%} of the roof of {found['roof']}"
    return _answer(share <= BEYOND, share, text if share <= BEYOND else f"not believable: {text}")


def rotation(same: Sequence[float], fresh: Sequence[float], footprint: int, caches: Mapping[str, int]) -> Answer:
    """Whether calls with never-seen arguments take as long as with seen ones, and with one set of them as long as with three.

    All measurements but one of five or more have to agree, since the system may let another process run in one. Where a cache may
    hold one set better than three, the former may be up to twice as fast, and that question cannot be asked.
    """
    unseen = statistics.median(fresh)
    if unseen > FRESH and _but_one(fresh)[0] > FRESH_LEAST:
        return _answer(False, unseen, f"arguments that were never seen take {unseen:.1f} times as long: results are kept")
    if not same:
        return _answer(True, unseen, "arguments that were never seen take no longer than seen ones")
    ratio = statistics.median(same)
    text = f"one set of arguments takes {ratio:.2f} of the time of three in turn"
    if not (_but_one(same)[0] > 1.0 + ROTATION or _but_one(same)[1] < 1.0 / (1.0 + ROTATION)):
        return _answer(True, ratio, text)
    if KEPT < ratio < 1.0 and any(size < ROTATED * footprint for size in caches.values()):
        return _answer(None, ratio, f"{text}: a cache may hold one better than three")
    return _answer(False, ratio, text)


def _but_one(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest, but for one outlier if there are enough of them."""
    ordered, left_out = sorted(values), int(len(values) >= ENOUGH)
    return ordered[left_out], ordered[-1 - left_out]


def ready(unready: Sequence[float]) -> Answer:
    """Whether results were there when the clock stopped: reading them takes no longer the first time than the second."""
    share = statistics.median(unready)
    if share > UNREADY:
        return _answer(
            False, share, f"reading the results took {share:.0%} of the block more the first time: it was not waited for"
        )
    return _answer(True, share, "results were ready when the clock stopped")


def accuses(audit: Mapping[str, Any], footprint: int) -> bool:
    """Whether an audit says that results are kept, or were not waited for: what is said only after a second look."""
    found = (rotation(audit["same"], audit["fresh"], footprint, caches()), ready(audit["unready"]))
    return any(answer["ok"] is False for answer in found)


@functools.cache
def fault_ns() -> float:
    """What the system takes for a minor page fault: a quarter of a microsecond on some machines, four on others."""
    best = math.inf
    for _ in range(5):
        with mmap.mmap(-1, FAULT_PAGES * PAGE) as memory:
            if hasattr(mmap, "MADV_NOHUGEPAGE"):
                with contextlib.suppress(OSError):  # a kernel without huge pages
                    memory.madvise(mmap.MADV_NOHUGEPAGE)
            start = time.perf_counter_ns()
            memory[::PAGE] = bytes(FAULT_PAGES)
            best = min(best, (time.perf_counter_ns() - start) / FAULT_PAGES)
    return best


def faults(count: float | None, call_ns: float) -> Answer:
    """Whether page faults, which are the allocator's, stay below a tenth of the time."""
    if count is None:
        return _answer(None, None, "this system does not count page faults")
    share = count * fault_ns() / call_ns
    return _answer(share <= FAULT_SHARE, count, f"{count:.1f} minor page faults a call, about {min(share, 1.0):.0%} of the time")


def clock(claimed_ns: Sequence[float], observed_ns: Sequence[float]) -> Answer:
    """Whether the worker's clock agrees with the controller's: no block takes longer inside than outside, and what is outside,
    the talk between the two, is little in at least one block (in others the system may have let another process run)."""
    ratio = sum(claimed_ns) / max(sum(observed_ns), 1.0)
    least = min(observed / max(claimed, 1.0) for claimed, observed in zip(claimed_ns, observed_ns, strict=True))
    text = f"the worker's clock saw {ratio:.0%} of the time that the controller's did, and {1.0 / least:.0%} at best"
    return _answer(ratio <= CLOCK_EXCESS and least <= CLOCK_SHARE, ratio, text)


def steady(counted: Mapping[str, int]) -> Answer:
    """Whether the compiler was done before the rounds began."""
    if "recompiles" not in counted:
        return _answer(None, None, "nothing was compiled, or the framework does not count it")
    again = counted["recompiles"]
    text = f"the compiler compiled {again} times anew while it was timed" if again else "the compiler was done before the rounds"
    return _answer(again == 0, again, text)


def resolution(log_ratio: float) -> Answer:
    """Whether contenders that are the same were found to be so in this run."""
    text = f"the same code against itself differed by {math.expm1(log_ratio):.1%} in this run"
    return _answer(log_ratio <= RESOLUTION, math.expm1(log_ratio), text)
