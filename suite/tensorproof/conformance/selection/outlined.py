"""The specification for a process that lists cases and computes none: samples without their numbers, which the cache keeps.

To draw the numbers of a profile takes a second, of which a short run has no use.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tensorproof.conformance.reference_process.encoding import is_ours, specification_fingerprint
from tensorproof.conformance.reference_process.store import Store
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.contract import outlines
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream


def with_outlined_samples(operations: Mapping[str, Operation], seed: int, folder: Path | None) -> dict[str, Operation]:
    """The operations, with outlines of samples for those that this project has. ``folder`` is the cache's; ``None`` for none."""
    if folder is None:
        return dict(operations)
    store = Store(folder, specification_fingerprint())
    try:
        return {name: _outlined(item, seed, store) if is_ours(item) else item for name, item in operations.items()}
    finally:
        store.close()


@functools.cache
def _form() -> str:
    """What the form of outlines is: that of their source."""
    return hashlib.sha256(Path(outlines.__file__).read_bytes()).hexdigest()[:16]


def _outlined(operation: Operation, seed: int, store: Store) -> Operation:
    key = f"samples {_form()} {seed} {operation.name}"
    kept = store.get(key)
    if kept is None:
        samples = samples_of(operation, seed).values()
        plain = [outlines.sample_to_plain(sample) for sample in samples]
        if [outlines.sample_from_plain(item).keywords for item in plain] != [dict(sample.keywords) for sample in samples]:
            return operation  # a keyword that no text stands for, such as an infinite number
        store.put(key, json.dumps(plain).encode())
    else:
        plain = json.loads(bytes(kept))
    made = [outlines.sample_from_plain(item) for item in plain]

    def outlined(stream: Stream) -> Iterator[Sample]:
        return iter(made)

    return replace(operation, samples=outlined)
