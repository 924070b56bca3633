"""A worker as its controller sees it: requests with a time limit, and what became of a process that ended.

Requests and answers are JSON, a line each, on the worker's standard input and output. What a framework prints goes to a log.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.privacy import scrubbed
from tensorproof.processes import end_group, end_orphans, own_group, watch

END_SECONDS = 10.0
"""How long a process may take to end once its pipe is closed."""
TAIL = 1500


class WorkerFailure(Exception):
    """A request that failed. ``status`` is that of the record: ``unsupported``, ``error``, ``out_of_memory``, ``crashed`` or
    ``timed_out``; after the last two, and for lack of memory by which the process ended, the worker is gone."""

    def __init__(self, status: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.traceback = traceback


class WorkerProcess:
    """A process that runs a module which answers requests."""

    def __init__(self, python: Path, module: str, environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 (it lives as long as the process)
        # -P: what lies in the current folder, a checkout of the framework say, is not what is installed.
        command = [str(python), "-P", "-m", module]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **environment},
            process_group=own_group(),
        )
        watch(self._process.pid)
        self._replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._waiter = threading.Thread(target=self._await_end, daemon=True)
        self._waiter.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._replies.put(line)

    def _await_end(self) -> None:
        """After the process has ended: end what it left, which may hold the pipe, and say that no more replies come."""
        self._process.wait()
        end_group(self._process.pid)
        end_orphans()
        self._reader.join(timeout=END_SECONDS)
        self._replies.put(b"")

    @property
    def alive(self) -> bool:
        """Whether it can be asked for anything."""
        return self._process.poll() is None

    @property
    def identifier(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def ask(self, do: str, seconds: float, **request: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer.

        Raises:
            WorkerFailure: it failed, took longer than ``seconds``, or the process ended.
            UsageError: what was asked for does not exist.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._replies.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise WorkerFailure("timed_out", f"{do}: no answer within {seconds:.0f} s") from None
        except OSError:
            line = b""
        if not line:
            raise self._end()
        answer: dict[str, Any] = json.loads(line)
        if answer.get("failed") == "usage":
            raise UsageError(answer["message"].removeprefix("UsageError: "))
        if "failed" in answer:
            raise WorkerFailure(answer["failed"], scrubbed(answer["message"]), answer["traceback"])
        return answer

    def _end(self) -> WorkerFailure:
        try:
            code = self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:  # its pipe is closed, but it runs
            self._process.kill()
            code = self._process.wait()
        if code == -signal.SIGKILL:
            return WorkerFailure("out_of_memory", "the process was killed (signal 9), as the system does when memory runs out")
        tail = self.printed()
        last = tail.strip().splitlines()[-1] if tail.strip() else "it printed nothing"
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        return WorkerFailure("crashed", scrubbed(f"the process ended ({ended}): {last}"))

    def printed(self) -> str:
        """The end of what the process printed."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - TAIL))
        return self._log.read().decode(errors="replace")

    def close(self) -> None:
        """End the process."""
        if self.alive:
            self._process.kill()
        self._process.wait()
        self._waiter.join(timeout=2 * END_SECONDS)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # what was written last cannot be flushed to a process that is gone
                self._process.stdin.close()
        self._log.close()
