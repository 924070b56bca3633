"""Two functions timed in turns, with one thread, for the scripts beside it, which import it before anything that computes."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402  (after the number of threads is set)

torch.set_num_threads(1)


def seconds(function: Callable[[], Any]) -> float:
    """The processor time of one call: what else runs on the machine adds less to it than to the time on the wall."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> None:
    """Print the median processor time of the reference's function and of PyTorch's in ms, and the median of their ratios."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    ratio = statistics.median(first / second for first, second in pairs)
    first, second = (1e3 * statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"{name:30} reference {first:8.2f} ms, torch {second:8.2f} ms, ratio {ratio:5.2f}")
