"""A case's arguments between the controller and its workers: arrays in a file, everything else as plain text.

Nothing is pickled: a worker may be of another environment, with other versions.
"""

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference import trees
from tensorproof_reference.operation import Sample
from tensorproof_reference.rounding import round_to

ITEMSIZES = {
    "float64": 8,
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes of a number."""
ROTATED = 3
"""Among how many sets of arguments the calls of a block rotate."""


def _structure(tree: Any, path: str = "") -> Any:
    """The tree with the path of each leaf in its place."""
    return trees.replace_leaves(tree, lambda leaf_path, leaf: leaf_path, path)


def save_arguments(path: Path, sample: Sample, cotangents: Mapping[str, Any]) -> None:
    """Write the arguments of a case: those of a sample, and the cotangents.

    Raises:
        ValueError: a keyword has no literal that it can be read back from.
    """
    inputs, keywords = dict(sample.inputs), sample.keywords
    written = repr({name: dict(value) if isinstance(value, Mapping) else value for name, value in keywords.items()})
    if ast.literal_eval(written) != keywords:
        raise ValueError(f"keywords: expected literals, got {written}")
    known = {"keywords": written, "cotangents": list(cotangents), "own_dtypes": dict(sample.own_dtypes)}
    header = json.dumps({"structure": _structure(inputs), **known})
    arrays = {f"input {place}": leaf for place, leaf in trees.leaves(inputs)}
    arrays |= {f"cotangent {name}": array for name, array in cotangents.items()}
    np.savez(path, header=np.asarray(header), **arrays)


def load_arguments(path: Path) -> tuple[Sample, dict[str, NDArray[Any]]]:
    """Arguments and cotangents as they were saved, under the file's name."""
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        inputs = trees.replace_leaves(header["structure"], lambda _, leaf: file[f"input {leaf}"])
        cotangents = {name: file[f"cotangent {name}"] for name in header["cotangents"]}
    keywords = ast.literal_eval(header["keywords"])
    return Sample(name=path.stem, inputs=inputs, keywords=keywords, own_dtypes=header["own_dtypes"]), cotangents


def rotated(leaves: Mapping[str, NDArray[Any]], number: int, dtype_at: Callable[[str], str]) -> dict[str, NDArray[Any]]:
    """Other arguments of the same shapes and kind: each array turned by a step of its own, floating ones a little smaller.

    Set 0 is the arguments themselves. Values keep their sign, and stay within the range that they had. ``dtype_at`` gives the
    dtype of a floating array by its path.
    """
    if number == 0:
        return dict(leaves)
    changed = {}
    for place, (path, leaf) in enumerate(leaves.items()):
        turned = np.roll(leaf, number * (5 + 2 * place))
        if np.issubdtype(leaf.dtype, np.floating):
            turned = np.asarray(round_to(turned * (1.0 - number / 32.0), dtype_at(path))).reshape(leaf.shape)
        changed[path] = turned
    return changed
