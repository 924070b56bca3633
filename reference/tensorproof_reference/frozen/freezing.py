"""Freezing the specification: a dated list of operations and samples that never changes again.

A backend conforms to a frozen version. So what a version asks must stay the same: an operation or a sample that changes raises
its own version, and belongs to the next frozen one.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from tensorproof_reference import trees
from tensorproof_reference.catalogue import known_operations, of_profile
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream

FORMAT = 1


def digest_of(sample: Sample) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a sample: its inputs' bytes, its keywords, and how it is judged."""
    digest = hashlib.sha256()
    for path, leaf in trees.leaves(dict(sample.inputs)):
        digest.update(f"{path}{leaf.dtype.str}{leaf.shape}".encode() + np.ascontiguousarray(leaf).tobytes())
    asked = (sample.required, sample.dtypes, sample.gradient, sample.raises)
    judged = (*asked, sample.exact_zero, sample.sign_of_zero, sample.memory, *sorted(sample.own_dtypes.items()))
    digest.update(repr((sorted(sample.keywords.items()), judged)).encode())
    return digest.hexdigest()[:16]


def frozen_operation(operation: Operation) -> dict[str, Any]:
    """What a frozen version says of one operation: its version, whether it is required, and its samples' versions and digests."""
    samples = operation.samples(Stream(0)(operation.name))
    return {
        "version": operation.version,
        "required": operation.required,
        "samples": {sample.name: {"version": sample.version, "digest": digest_of(sample)} for sample in samples},
    }


def freeze(name: str, date: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """The specification as it is now, under a name (``core 1.0``) and a date (``2026-12``)."""
    return {
        "kind": "specification",
        "format": FORMAT,
        "name": name,
        "date": date,
        "operations": {operation.name: frozen_operation(operation) for operation in operations},
    }


def text_of(frozen: Mapping[str, Any]) -> str:
    """The file of a frozen version: an operation a line, so that two versions can be compared."""
    head = {key: value for key, value in frozen.items() if key != "operations"}
    rows = [f"{json.dumps(name)}: {json.dumps(operation)}" for name, operation in frozen["operations"].items()]
    return f'{json.dumps(head)[:-1]}, "operations": {{\n' + ",\n".join(rows) + "\n}}\n"


@functools.cache
def frozen_versions() -> Mapping[str, Mapping[str, Any]]:
    """The frozen versions that come with the reference, by file name, the oldest first."""
    found = {
        item.name: json.loads(item.read_text(encoding="utf-8"))
        for item in files("tensorproof_reference.frozen").iterdir()
        if item.name.endswith(".json")
    }
    return dict(sorted(found.items(), key=lambda item: (item[1]["date"], item[0])))


def silent_changes(frozen: Mapping[str, Any], operations: Mapping[str, Operation]) -> list[str]:
    """What differs from a frozen version without a raised version of its own; a test refuses any.

    A sample that is no longer there counts, unless its operation has a higher version.
    """
    found = []
    for name, then in frozen["operations"].items():
        if name not in operations:
            found.append(f"{name} is gone")
            continue
        now = frozen_operation(operations[name])
        if now["version"] > then["version"]:
            continue
        for sample, was in then["samples"].items():
            is_now = now["samples"].get(sample)
            if is_now is None:
                found.append(f"{name} {sample} is gone")
            elif is_now["version"] == was["version"] and is_now["digest"] != was["digest"]:
                found.append(f"{name} {sample} has other inputs or keywords, and the same version {was['version']}")
    return found


def is_same(frozen: Mapping[str, Any], operations: Mapping[str, Operation]) -> bool:
    """Whether the specification is a frozen version, operation by operation and sample by sample."""
    return frozen["operations"].keys() == operations.keys() and all(
        frozen_operation(operations[name]) == then for name, then in frozen["operations"].items()
    )


@functools.cache
def frozen_name(profile: str) -> str:
    """The newest frozen version that a profile of the specification is now, as ``core 1.0 (2026-12)``; empty if it is none."""
    operations = of_profile(known_operations(), profile)
    for frozen in reversed(list(frozen_versions().values())):
        if is_same(frozen, operations):
            return f"{frozen['name']} ({frozen['date']})"
    return ""
