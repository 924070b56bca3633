"""Equal resources for every worker: threads, cores, allocator; and what the system tells of their use.

Libraries read these settings when they are loaded, so they are set for a process before it starts. Whether they are kept is
measured afterwards.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC")
"""``NPROC`` is XLA's, whose other settings leave a second thread running."""

TUNABLES = ":".join(
    (
        "glibc.malloc.mmap_threshold=33554432",
        "glibc.malloc.trim_threshold=1073741824",
        "glibc.malloc.top_pad=67108864",
        "glibc.malloc.hugetlb=1",
    )
)
"""glibc keeps arrays of up to 32 MiB when they are freed. Otherwise each call that makes a large array spends most of its time
on page faults, by the allocator's luck and not by the framework's doing. Arrays lie in huge pages, where the system has any: with
small ones, which cache lines an array occupies is drawn anew in each launch, and moves the time of the same code by some
percent."""

PR_SET_THP_DISABLE = 41

FLUSH_AT_LEAST = 64 << 20


def environment(threads: int) -> dict[str, str]:
    """The environment variables of a worker with so many threads."""
    return {
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GLIBC_TUNABLES": TUNABLES,
        "PYTHONHASHSEED": "0",
    }


def has_affinity() -> bool:
    """Whether the system can tie a process to cores (macOS cannot)."""
    return hasattr(os, "sched_setaffinity")


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if has_affinity() else os.cpu_count() or 1


def worker_cores(threads: int) -> tuple[int, ...] | None:
    """The cores for workers, all the same since one works at a time: the last ones. ``None`` where there is no affinity."""
    return tuple(sorted(os.sched_getaffinity(0))[-threads:]) if has_affinity() else None


def cores_apart(threads: int) -> list[tuple[int, ...]]:
    """Groups of so many cores each, for workers that do something at the same time. One group where there is no affinity."""
    if not has_affinity():
        return [()]
    cores = sorted(os.sched_getaffinity(0))[::-1]
    return [tuple(cores[place : place + threads]) for place in range(0, len(cores) - threads + 1, threads)]


def tied_to(cores: Collection[int]) -> set[int]:
    """The threads of this process that are tied to just these cores; where the system lists none, only the one that asks."""
    found = set()
    for thread in [int(path.name) for path in Path("/proc/self/task").glob("*")] or [0]:
        with contextlib.suppress(OSError):  # one that has just ended
            if os.sched_getaffinity(thread) == set(cores):
                found.add(thread)
    return found


def tie(threads: Collection[int], cores: Collection[int]) -> None:
    """Tie threads of this process to some cores."""
    for thread in threads:
        with contextlib.suppress(OSError):  # one that has just ended
            os.sched_setaffinity(thread, cores)


@contextmanager
def on_cores(cores: Sequence[int] | None) -> Iterator[None]:
    """Tie this process, and so what it starts meanwhile, to some cores."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def minor_faults() -> int | None:
    """Page faults of this process that needed no disk; ``None`` where the system does not count them."""
    if sys.platform == "win32":
        return None
    import resource  # absent on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _kibibytes(field: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return None


def use_huge_pages(wanted: bool) -> None:
    """Let this process have huge pages from now on, or not; without effect where the system has no such switch."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, int(not wanted), 0, 0, 0)


def reset_peak() -> int | None:
    """Give free memory back and forget the process's high-water mark; the bytes now in use, or ``None`` if it cannot be done."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except (OSError, AttributeError, TypeError):
        return None
    now = _kibibytes("VmRSS")
    return None if now is None else now * 1024


def peak() -> int | None:
    """The process's high-water mark of memory in bytes."""
    mark = _kibibytes("VmHWM")
    return None if mark is None else mark * 1024


def caches() -> Mapping[str, int]:
    """Sizes of the caches of data of one core in bytes by level (``L1``, ``L2``, ``L3``), as far as the system says."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind = (folder / "type").read_text(encoding="ascii").strip()
            level = (folder / "level").read_text(encoding="ascii").strip()
            size = (folder / "size").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if kind != "Instruction" and size.endswith("K") and size[:-1].isdigit():
            found[f"L{level}"] = int(size[:-1]) * 1024
    return found


def flush_bytes() -> int:
    """How much memory has to be written so that nothing of before is in a cache: twice the largest, within reason."""
    return min(max(2 * max(caches().values(), default=0), FLUSH_AT_LEAST), 1 << 28)
