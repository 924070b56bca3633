"""Instruction sets: which one a backend's kernels may use, how a run is kept to one, and the name of a set in a record.

Kernel libraries choose other kernels on other processors, so the same framework may be wrong on one and right on another.
An instruction set is therefore part of a device's identity. ``Backend.instructions`` says for each kernel library the highest
set that it may use; ``name_of`` makes one name of them.
"""

import platform
from collections.abc import Mapping
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.operation_table import Unsupported

X86 = ("sse2", "avx", "avx2", "avx512", "avx512_bf16", "amx")
"""Sets of x86-64, each of which holds those before it. ``avx512`` is F, BW, DQ and VL together."""
ARM = ("neon", "sve", "sve2")
OFF = "off"
"""What a kernel library says that is present but not used."""

_FLAGS = {
    "avx": {"avx"},
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx512_bf16": {"avx512_bf16"},
    "amx": {"amx_tile", "amx_bf16"},
    "sve": {"sve"},
    "sve2": {"sve2"},
}
"""What ``/proc/cpuinfo`` lists for a set, beyond what it lists for the sets before."""


def sets_in(flags: frozenset[str], family: tuple[str, ...]) -> tuple[str, ...]:
    """The sets of a family that a processor with these flags has, from the lowest.

    >>> sets_in(frozenset({"avx", "avx2", "fma"}), X86)
    ('sse2', 'avx', 'avx2')
    """
    found = [family[0]]
    for name in family[1:]:
        if not _FLAGS[name] <= flags:
            break
        found.append(name)
    return tuple(found)


def flags_here() -> frozenset[str]:
    """What ``/proc/cpuinfo`` lists that this machine's processor has; nothing where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    lines = [line.partition(":")[2] for line in text.splitlines() if line.split(":")[0].strip() in ("flags", "Features")]
    return frozenset(lines[0].split() if lines else ())


def sets_here() -> tuple[str, ...]:
    """The sets of this machine's processor, from the lowest; what cannot be told is left out."""
    family = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}.get(platform.machine().lower(), ())
    return sets_in(flags_here(), family) if family else ()


def highest_here(at_most: str = "") -> str:
    """The highest set of this processor, or ``at_most`` if that is lower; ``unknown`` where none can be told."""
    here = sets_here()
    return at_most if at_most in here else here[-1] if here else "unknown"


def name_of(kernels: Mapping[str, str]) -> str:
    """The name of the sets that the kernel libraries may use: the highest, and the libraries that use less.

    >>> name_of({"aten": "avx512", "onednn": "avx512"}), name_of({"xla": "avx2", "onednn": "off"})
    ('avx512', 'avx2 (onednn off)')
    """
    used = {library: level for library, level in kernels.items() if level != OFF}
    highest = max(used.values(), key=_height, default="unknown")
    less = [f"{library} {level}" for library, level in sorted(kernels.items()) if level != highest]
    return f"{highest} ({', '.join(less)})" if less else highest


def level_of(name: str) -> str:
    """The highest set in a name.

    >>> level_of("avx2 (onednn off)")
    'avx2'
    """
    return name.partition(" ")[0]


def _height(level: str) -> int:
    for family in (X86, ARM):
        if level in family:
            return family.index(level)
    return -1


def require_known(level: str) -> None:
    """Check the argument of ``--instructions``.

    Raises:
        UsageError: no such set is known, or this processor lacks it.
    """
    here = sets_here()
    if level not in here:
        known = ", ".join(here) or "none that can be told"
        raise UsageError(f"--instructions: this processor has no {level!r}; it has: {known}")


def require_taken(backend: str, level: str, kernels: Mapping[str, str]) -> None:
    """Check that kernel libraries keep to a set.

    Raises:
        UsageError: one may still use a higher one.
    """
    higher = [
        f"{library} may use {found}" for library, found in kernels.items() if found != OFF and _height(found) > _height(level)
    ]
    if higher:
        raise UsageError(
            f"--instructions={level}: {backend} does not keep to it: {', '.join(higher)}; run it in a process of its own (-n 1)"
        )


XLA_NAMES = {"sse2": "SSE4_2", "avx": "AVX", "avx2": "AVX2", "avx512": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16", "amx": "AMX"}
"""XLA's names. Where two of ours would do, the higher one that a set's processors have."""
_XLA_FLAG = "--xla_cpu_max_isa"


def xla_flags(level: str, flags: str) -> str:
    """``XLA_FLAGS`` with its CPU compiler kept to a set; other flags stay.

    >>> xla_flags("avx2", "--xla_dump_to=x --xla_cpu_max_isa=AVX")
    '--xla_dump_to=x --xla_cpu_max_isa=AVX2'
    """
    others = [flag for flag in flags.split() if not flag.startswith(_XLA_FLAG)]
    return " ".join([*others, f"{_XLA_FLAG}={XLA_NAMES[level]}"])


def of_xla(flags: str) -> str:
    """The highest set that XLA's CPU compiler may use under ``XLA_FLAGS``: the processor's, or what the flag leaves of it."""
    ours = {name: level for level, name in XLA_NAMES.items()} | {"AVX512": "avx512"}
    given = [flag.partition("=")[2] for flag in flags.split() if flag.startswith(_XLA_FLAG)]
    return highest_here(ours.get(given[-1].upper(), "") if given else "")


ONEDNN_NAMES = {
    "sse2": "SSE41",
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
    "amx": "AVX512_CORE_AMX",
}
"""oneDNN's names, for ``ONEDNN_MAX_CPU_ISA``."""


def of_onednn(limit: str) -> str:
    """The highest set that oneDNN may use under ``ONEDNN_MAX_CPU_ISA``: the processor's, or what the variable leaves of it.

    oneDNN has no function that tells; a test compares with what it prints of itself.
    """
    ours = {name: level for level, name in ONEDNN_NAMES.items()} | {"AVX512_CORE": "avx512"}
    return highest_here(ours.get(limit.upper(), ""))


def require_x86(level: str) -> None:
    """Check that an instruction set is one of x86-64, for a framework whose switches know no other.

    Raises:
        Unsupported: it is of another architecture.
    """
    if level not in X86:
        raise Unsupported("it has switches for the sets of x86-64 only")
