"""Kernels of the suite's own, in NumPy: the anchor that shows throttling, and what the machine's limits are measured with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorproof.timing.worker.blocks import throughput, undisturbed

ANCHOR_SIZE = 192
BEST_OF = 40
"""How many short calls a limit is the best of: one of them will find the machine undisturbed."""
ANCHOR_COPY = 1 << 18
"""Numbers in the anchor's copy: 1 MiB of float32."""


def _spent(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    with undisturbed():
        return throughput(call, [arguments], calls, 0, lambda _: None, [None]) / calls


class _Buffers:
    """Arrays of the kernels, made once."""

    kept: dict[tuple[str, int], list[Any]] = {}


def _arrays(name: str, count: int, make: Callable[[], list[Any]]) -> list[Any]:
    return _Buffers.kept.setdefault((name, count), make())


def anchor(calls: int) -> dict[str, Any]:
    """A matrix product of 192×192 and a copy of 1 MiB, in float32: ns of a call.

    It is timed in every group of rounds. Where it grows, the machine has slowed down; ratios to it survive that.
    """

    def make() -> list[Any]:
        draw = np.random.default_rng(0)
        square = draw.random((ANCHOR_SIZE, ANCHOR_SIZE), np.float32)
        return [square, np.empty_like(square), draw.random(ANCHOR_COPY, np.float32), np.empty(ANCHOR_COPY, np.float32)]

    def run(square: Any, product: Any, source: Any, target: Any) -> None:
        np.matmul(square, square, out=product)
        np.copyto(target, source)

    arrays = tuple(_arrays("anchor", 0, make))
    _spent(run, arrays, 1)
    return {"ns": _spent(run, arrays, calls)}


def gemm(size: int, dtype: str) -> dict[str, Any]:
    """A matrix product of so many rows and columns: floating-point operations per second, the best of many single calls."""

    def make() -> list[Any]:
        square = np.random.default_rng(0).random((size, size)).astype(dtype)
        return [square, np.empty_like(square)]

    square, product = _arrays(f"gemm {dtype}", size, make)
    best = min(_spent(lambda a, out: np.matmul(a, a, out=out), (square, product), 1) for _ in range(BEST_OF))
    return {"flops_per_s": 2.0 * size**3 / best * 1e9}


def bandwidth(footprint: int, calls: int) -> dict[str, Any]:
    """Bytes per second to and from memory, for so many bytes in all: the better of a copy and an inner product.

    A copy reads half of them and writes half; an inner product reads two arrays. The best of many blocks.
    """
    count = max(1, footprint // 8)

    def make() -> list[Any]:
        return [np.ones(count, np.float32), np.ones(count, np.float32)]

    first, second = _arrays("bandwidth", count, make)
    copied = min(_spent(np.copyto, (second, first), calls) for _ in range(BEST_OF))
    read = min(_spent(np.dot, (first, second), calls) for _ in range(BEST_OF))
    _Buffers.kept.pop(("bandwidth", count))
    return {"bytes_per_s": 8.0 * count / min(copied, read) * 1e9}


KERNELS: dict[str, Callable[..., dict[str, Any]]] = {"anchor": anchor, "gemm": gemm, "bandwidth": bandwidth}
