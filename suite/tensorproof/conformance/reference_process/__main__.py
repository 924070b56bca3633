"""The reference process: answers what parts of expectations are, and keeps them. It imports neither plugin nor framework.

It reads pickled questions of the process that started it, and ends when that process does.
"""

import os
import pickle
import signal
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.reference_process.encoding import as_arrays, is_ours, specification_fingerprint, to_bytes
from tensorproof.conformance.reference_process.store import Store, delete_unused
from tensorproof.contract.backends import specification
from tensorproof_reference.operation import Operation

KEPT = 64
KEPT_OF_MODELS = 4
"""Expectations that are kept in memory: other parts of them will be asked for. Those of models are large."""


class Kept:
    """The expectations most recently asked for."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._kept: dict[bool, OrderedDict[str, Expectation]] = {True: OrderedDict(), False: OrderedDict()}

    def expectation(self, question: Mapping[str, Any]) -> Expectation:
        """The expectation that a question is about.

        Raises:
            ValueError: it has other arguments here than in the process that asks.
        """
        operation = self._operations[question["operation"]]
        is_model = operation.model is not None
        kept, key = self._kept[is_model], question["key"]
        if key not in kept:
            sample, precision = question["sample"], question["precision"]
            kept[key] = Expectation(operation, sample, question["dtype"], question["seed"], precision)
            if len(kept) > (KEPT_OF_MODELS if is_model else KEPT):
                kept.popitem(last=False)
        kept.move_to_end(key)
        if kept[key].arguments.fingerprint != question["arguments"]:
            raise ValueError("the process with the backend rounds arguments to other numbers than the reference does")
        return kept[key]


def serve(questions: BinaryIO, answers: BinaryIO, folder: str) -> None:
    """Answer questions until there are no more."""
    kept = Kept(specification())
    store = Store(Path(folder), specification_fingerprint()) if folder else None
    if store is not None:
        delete_unused(Path(folder), store.path)
    while True:
        try:
            question = pickle.load(questions)
        except EOFError:
            return
        part = question["part"]
        try:
            expectation = kept.expectation(question)
            data = to_bytes(as_arrays(part, getattr(expectation, part)))
        except Exception as error:
            answers.write(b"E" + framed(f"{type(error).__name__}: {error}".encode(errors="replace")))
            answers.flush()
            continue
        answers.write(b"A" + framed(data))
        answers.flush()
        if store is not None and is_ours(expectation.operation):
            store.put(f"{question['key']} {part}", data)


def framed(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return len(data).to_bytes(8, "little") + data


def main() -> None:
    """Serve the process at the other end of the pipes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that started it, which decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, sys.argv[1] if len(sys.argv) > 1 else "")


if __name__ == "__main__":
    main()
