"""The workers that time: where their interpreter is, and their threads and cores."""

import os
from collections.abc import Sequence
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.timing.resources import environment, on_cores
from tensorproof.worker_process import WorkerProcess

START_SECONDS = 300.0


def python_of(environment_path: Path) -> Path:
    """The interpreter of a virtual environment, given the environment's folder or the interpreter itself.

    Raises:
        UsageError: there is none.
    """
    candidates = [environment_path, environment_path / "bin" / "python", environment_path / "Scripts" / "python.exe"]
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path.absolute()  # not resolved: an environment's interpreter is a link
    raise UsageError(f"--env: {environment_path} is no virtual environment, nor a Python interpreter")


def start_worker(python: Path, threads: int, cores: Sequence[int] | None) -> WorkerProcess:
    """A process that runs ``tensorproof.timing.worker`` with so many threads on these cores."""
    with on_cores(cores):  # what is started inherits them
        return WorkerProcess(python, "tensorproof.timing.worker", environment(threads))
