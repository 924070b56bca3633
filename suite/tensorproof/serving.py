"""A worker's own side of its pipe: requests in, answers out, whatever the backend does meanwhile."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from tensorproof.backend import Unsupported
from tensorproof.conformance.execution import is_out_of_memory
from tensorproof.errors import UsageError, frames, sentence
from tensorproof.processes import settle_worker


def _status(error: BaseException) -> str:
    if isinstance(error, Unsupported):
        return "unsupported"
    return "out_of_memory" if is_out_of_memory(error) else "error"


def _answer(worker: object, request: dict[str, Any]) -> dict[str, Any]:
    action: Callable[..., dict[str, Any]] = getattr(worker, request.pop("do"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return action(**request)
    except BaseException as error:
        # Whatever is raised after ``hello`` is the case's own fault, and costs no more than that.
        status = "usage" if isinstance(error, UsageError) and action.__name__ == "hello" else _status(error)
        return {"failed": status, "message": sentence(error)[:2000], "traceback": frames(error)}


def _as_line(answer: dict[str, Any]) -> bytes:
    """An answer as a line; one that is no plain data is the backend's error."""
    try:
        return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        text = f"what the backend answered cannot be written down: {sentence(error)}"
        return json.dumps({"failed": "error", "message": text, "traceback": ""}).encode() + b"\n"


def serve(worker: object) -> None:
    """Answer requests from standard input until there are no more, on what was standard output; the rest goes to the log.

    A request is a JSON object a line: ``do`` names a method of the worker, and the rest are its arguments. The answer is a
    line too (``tensorproof.worker_process`` reads it).
    """
    settle_worker()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    process = os.getpid()
    for line in sys.stdin:
        answer = _as_line(_answer(worker, json.loads(line)))
        if os.getpid() != process:
            os._exit(1)  # a child that an operation forked, and let go on: its parent answers
        replies.write(answer)
        replies.flush()
