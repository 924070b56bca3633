"""The reference as the process with the backend sees it: a source of expectations that computes nothing itself."""

import contextlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.reference_process.encoding import (
    from_arrays,
    from_bytes,
    is_ours,
    key_of,
    specification_fingerprint,
)
from tensorproof.conformance.reference_process.store import Store, default_folder
from tensorproof.conformance.selection.cases import samples_of
from tensorproof.errors import UsageError
from tensorproof_reference.operation import Operation

PATIENCE_SECONDS = 10.0
ATTEMPTS = 2
"""So many processes are asked one question: somebody, or the system when memory runs out, may end one at any time."""


def cache_folder(options: Any) -> Path | None:
    """Where a run's options say that expectations are kept; ``None`` for nowhere."""
    return None if options.no_reference_cache else options.reference_cache or default_folder()


def require_cache(options: Any) -> None:
    """Check the folder that ``--reference-cache`` names. The default one may be missing or full: that costs time only.

    Raises:
        UsageError: nothing can be kept there.
    """
    if options.reference_cache is not None and not options.no_reference_cache:
        store = Store(options.reference_cache, specification_fingerprint())
        store.close()
        if store.problem:
            raise UsageError(f"--reference-cache: {options.reference_cache.name} cannot be used: {store.problem}")


def reference_process(options: Any, operations: Mapping[str, Operation]) -> "ReferenceProcess":
    """The source of a run's expectations. It is made, as all samples are, before a plugin is imported that could change NumPy."""
    for operation in operations.values():
        samples_of(operation, max(options.seed, 0))  # what is wrong with the seed, the plan tells
    return ReferenceProcess(cache_folder(options))


class ReferenceFailure(Exception):
    """The reference process ended, or could not answer; the message says why."""


class ReferenceProcess:
    """Gives parts of expectations out of the cache, or else from a process without plugin and framework.

    That process starts with the first question that the cache cannot answer. ``folder`` is the cache's; ``None`` for none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._store = Store(folder, specification_fingerprint()) if folder else None
        self._environment = dict(os.environ)  # as it was before a plugin was imported
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self.counts: Counter[str] = Counter()
        """How many parts were ``kept`` and how many ``computed``."""

    def __call__(self, expectation: Expectation, part: str) -> Any:
        """A part of an expectation (``tensorproof.conformance.expectation.Source``).

        Raises:
            ReferenceFailure: the reference failed.
        """
        if os.getpid() != self._owner:
            os._exit(1)  # a child that an operation forked, and let go on: its question would take its parent's answer
        key = key_of(expectation)
        ours = is_ours(expectation.operation)
        data = self._store.get(f"{key} {part}") if self._store is not None and ours else None
        if data is not None:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found = from_arrays(part, from_bytes(data))
                self.counts["kept"] += 1
                return found
        self.counts["computed"] += 1
        return from_arrays(part, from_bytes(self._asked(expectation, part, key)))

    def _asked(self, expectation: Expectation, part: str, key: str) -> bytes:
        question = {
            "key": key,
            "part": part,
            "operation": expectation.operation.name,
            "sample": expectation.sample,
            "dtype": expectation.dtype,
            "seed": expectation.seed,
            "precision": expectation.precision,
            "arguments": expectation.arguments.fingerprint,
        }
        for _ in range(ATTEMPTS):
            answer = self._exchanged(question)
            if answer is not None:
                break
            code = self._end()
        else:
            raise ReferenceFailure(f"the reference process ended with exit code {code}, {ATTEMPTS} times")
        if answer[:1] == b"E":
            raise ReferenceFailure(answer[1:].decode())
        return answer[1:]

    def _exchanged(self, question: dict[str, Any]) -> bytes | None:
        """The answer to a question, its kind first; ``None`` if the process ended before it was whole."""
        if self._process is None:
            self._process = self._started()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            head = self._process.stdout.read(9)
            size = int.from_bytes(head[1:], "little")
            data = self._process.stdout.read(size)
        except OSError:
            return None
        except BaseException:
            self._end()  # the answer to come would be taken for that to the next question
            raise
        return head[:1] + data if len(head) == 9 and len(data) == size else None

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", __package__ or "", str(self._folder or "")]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment)

    def _end(self) -> int:
        """Wait for the end of the process, which comes when it is asked no more; its exit code."""
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            return process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def close(self) -> None:
        """End the process, when it has kept what it was asked last."""
        if self._store is not None:
            self._store.close()
        if self._process is not None:
            self._end()
