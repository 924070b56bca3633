"""A part of an expectation as bytes, and what it is known by. Reading bytes runs no code: they are numbers and names."""

import functools
import hashlib
import importlib.metadata
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tensorproof_reference
from tensorproof.conformance import expectation as expectation_module
from tensorproof.conformance.expectation import Expectation
from tensorproof_reference.operation import Operation

Arrays = dict[str, tuple[NDArray[Any], ...]]
ALONE = ("cotangents", "before_next_judged")
"""Parts of values without bars."""
LIBRARIES = ("numpy", "scipy", "ml_dtypes")


def as_arrays(part: str, value: Any) -> Arrays:
    """A part as arrays by name: values with their bars, or alone."""
    if part == "closest":
        return {"closest": (np.asarray(value),)}
    if part in ALONE:
        return {name: (array,) for name, array in value.items()}
    if part == "fused":
        groups = zip(("outputs", "gradients"), value, strict=True)
        return {f"{group} {name}": pair for group, items in groups for name, pair in items.items()}
    return dict(value)


def from_arrays(part: str, arrays: Arrays) -> Any:
    """A part of an expectation from its arrays."""
    if part == "closest":
        return float(arrays["closest"][0])
    if part in ALONE:
        return {name: array for name, (array,) in arrays.items()}
    if part == "fused":
        groups: dict[str, Arrays] = {"outputs": {}, "gradients": {}}
        for key, pair in arrays.items():
            group, _, name = key.partition(" ")
            groups[group][name] = pair
        return groups["outputs"], groups["gradients"]
    return arrays


def to_bytes(arrays: Arrays) -> bytes:
    """A header in JSON (names, dtypes and shapes), its length before it, and the numbers of all arrays after it."""
    contiguous = {
        name: [np.ascontiguousarray(array).reshape(np.shape(array)) for array in group] for name, group in arrays.items()
    }
    header = [[name, [[array.dtype.str, list(array.shape)] for array in group]] for name, group in contiguous.items()]
    text = json.dumps(header).encode()
    numbers = [array.tobytes() for group in contiguous.values() for array in group]
    return b"".join([len(text).to_bytes(8, "little"), text, *numbers])


def from_bytes(data: bytes | memoryview) -> Arrays:
    """The arrays of ``to_bytes``; they cannot be written to, so nobody changes what is expected.

    Raises:
        ValueError: the bytes are not of that form.
    """
    place = 8 + int.from_bytes(data[:8], "little")
    arrays: Arrays = {}
    for name, group in json.loads(bytes(data[8:place])):
        found = []
        for dtype, shape in group:
            kind = np.dtype(dtype)
            count = int(np.prod(shape, dtype=np.int64))
            found.append(np.frombuffer(data, kind, count, place).reshape(shape))
            place += count * kind.itemsize
        arrays[name] = tuple(found)
    if place != len(data):
        raise ValueError(f"expected {place} bytes, got {len(data)}")
    return arrays


@functools.cache
def specification_fingerprint() -> str:
    """SHA-256 of all that expectations depend on beside their arguments: the reference's source and its libraries."""
    digest = hashlib.sha256()
    folder = Path(tensorproof_reference.__file__).parent
    for path in (*sorted(folder.rglob("*.py")), Path(expectation_module.__file__)):
        digest.update(path.name.encode() + path.read_bytes())
    for library in LIBRARIES:
        try:
            digest.update(f"{library} {importlib.metadata.version(library)}".encode())
        except importlib.metadata.PackageNotFoundError:
            digest.update(f"no {library}".encode())
    return digest.hexdigest()


def _told(value: Any) -> str:
    """A keyword's value in words that differ wherever the value does."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{_told(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}(" + ",".join(_told(item) for item in value) + ")"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    return hashlib.sha256(pickle.dumps(value)).hexdigest()


def key_of(expectation: Expectation) -> str:
    """SHA-256 of all that an expectation depends on beside the specification."""
    names = (expectation.operation.name, expectation.sample.name, expectation.dtype, expectation.seed, expectation.precision)
    words = [expectation.arguments.fingerprint, _told(expectation.sample.keywords), *(str(name) for name in names)]
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()


def is_ours(operation: Operation) -> bool:
    """Whether an operation depends on nothing but the reference's own source, so that what it gives may be kept."""
    return operation.function.__module__.startswith(f"{tensorproof_reference.__name__}.")
