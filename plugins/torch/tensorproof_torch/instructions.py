"""Which instruction sets PyTorch's kernels on a CPU may use, and the switches that limit them.

The switches do not reach FBGEMM, NNPACK and XNNPACK.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from tensorproof.backend import require_x86
from tensorproof.instructions import OFF, ONEDNN_NAMES, X86, highest_here, of_onednn

CAPABILITIES = {"default": "sse2", "avx2": "avx2", "avx512": "avx512"}
"""What ``ATEN_CPU_CAPABILITY`` may be. Without it ATen and Inductor use what the processor has."""


def of_cpu() -> dict[str, str]:
    """The highest set by kernel library."""
    mkldnn: Any = torch.backends.mkldnn
    limit = CAPABILITIES.get(os.environ.get("ATEN_CPU_CAPABILITY", ""), "")
    chosen = CAPABILITIES.get(torch.backends.cpu.get_cpu_capability().lower(), "")
    onednn = of_onednn(os.environ.get("ONEDNN_MAX_CPU_ISA", ""))
    if limit == "avx512" and onednn in X86[4:]:
        # The kernels of ATen and Inductor for AVX-512 are those of every processor beyond, so oneDNN's limit is the limit.
        limit = chosen = onednn
    return {
        # ATen chooses when it is imported; asked for less afterwards, it stays with what it chose.
        "aten": highest_here(limit if limit == chosen else ""),
        "inductor": highest_here(limit),
        "onednn": onednn if mkldnn.is_available() and mkldnn.enabled else OFF,
    }


def switches(level: str) -> dict[str, str]:
    """The environment variables that limit all of them to a set.

    Inductor keeps compiled code in a folder without regard to ``ATEN_CPU_CAPABILITY``: code of one set, found under another,
    computes wrong values (``docs/findings.md``). So each set has a folder of its own.
    """
    require_x86(level)
    capability = "default" if level in X86[:2] else "avx2" if level == "avx2" else "avx512"
    cache = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR") or Path(tempfile.gettempdir()) / "tensorproof_inductor")
    return {
        "ATEN_CPU_CAPABILITY": capability,
        "ONEDNN_MAX_CPU_ISA": ONEDNN_NAMES[level],
        "MKL_ENABLE_INSTRUCTIONS": "AVX2" if level == "avx2" else "AVX512" if level in X86[3:] else "SSE4_2",
        "TORCHINDUCTOR_CACHE_DIR": str(cache.with_name(f"{cache.name}_{level}")),
    }
