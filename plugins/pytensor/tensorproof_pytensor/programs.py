"""How a Python function of symbols becomes a program: PyTensor records its graph, rewrites it, and links it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker

from tensorproof.backend import Native

LINKERS = {"py": Mode(VMLinker(use_cloop=False, c_thunks=False), None), "numba": "NUMBA", "cvm": "CVM"}
"""The graph as it was recorded, run Op by Op in Python; rewritten and compiled by Numba, which is the default; and by C."""
counts: Counter[str] = Counter()
"""How many programs this process has compiled."""

Groups = Sequence[Sequence[Native | None]]
Program = Callable[[Sequence[Sequence[Native]]], Groups]


def _settings(arrays: Sequence[Native], mode: str) -> Any:
    """PyTensor's settings for these arguments: its numbers have their dtype, and no Op keeps a trace of where it was made."""
    floating = [array.dtype.name for array in arrays if array.dtype.kind == "f"]
    return pytensor.config.change_flags(floatX=[*floating, "float64"][0], mode=LINKERS[mode], traceback__limit=0)


def _split(items: Sequence[Any], like: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The items in groups as long as those of ``like``."""
    given = iter(items)
    return [[next(given) for _ in group] for group in like]


def program(build: Callable[..., Groups], mode: str) -> Program:
    """What ``build`` makes of symbols, compiled once for the dtypes and shapes of its arguments.

    Both take groups of arrays, and return groups with ``None`` where there is none.
    """
    made: dict[Any, Any] = {}

    def run(groups: Sequence[Sequence[Native]]) -> Groups:
        arrays = [array for group in groups for array in group]
        with _settings(arrays, mode):
            key = tuple((array.dtype, array.shape) for array in arrays)
            if key not in made:
                symbols = [pt.tensor(dtype=array.dtype.name, shape=array.shape) for array in arrays]
                results = build(*_split(symbols, groups))
                found = [item for group in results for item in group if item is not None]
                made[key] = pytensor.function(symbols, found, mode=LINKERS[mode], on_unused_input="ignore"), results
                counts["compiled"] += 1
            compiled, results = made[key]
            values = iter(compiled(*arrays))
        return [[None if item is None else next(values) for item in group] for group in results]

    return run
