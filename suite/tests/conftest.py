"""Backends made up for tests: modules in a folder of their own, found through entry points as installed plugins are."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

PREAMBLE = """
import os, signal, sys, time
import numpy as np
from tensorproof.backend import Backend, OperationTable, Unsupported, hookimpl
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.operations import sigmoid as reference_sigmoid, tanh as reference_tanh

operations = OperationTable()
operations.native(reference_tanh.tanh)
"""


@dataclass
class Outcome:
    """What a command printed and returned."""

    code: int
    text: str


Runner = Callable[..., Outcome]


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """Install a backend of a given name and source under the test's folder; returns the folder, for ``PYTHONPATH``."""

    def install(name: str, source: str, preamble: str = PREAMBLE) -> Path:
        folder = tmp_path / "plugins"
        metadata = folder / f"tensorproof_{name}-0.1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tensorproof-{name}\nVersion: 0.1\n")
        (metadata / "entry_points.txt").write_text(f"[tensorproof.backends]\n{name} = tensorproof_{name}\n")
        (folder / f"tensorproof_{name}.py").write_text(preamble + textwrap.dedent(source))
        return folder

    return install


@pytest.fixture
def tensorproof(tmp_path: Path) -> Runner:
    """Run the command ``tensorproof`` in the test's folder, or another, in a process of its own."""

    def run(
        *arguments: str, path: Path | None = None, environment: dict[str, str] | None = None, folder: Path = tmp_path
    ) -> Outcome:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        if path:
            # What is tested may be another checkout than the one that is installed.
            variables["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [variables.get("PYTHONPATH")])])
        command = [sys.executable, "-c", "import sys; from tensorproof.cli import main; sys.exit(main())", *arguments]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**variables, "XDG_CACHE_HOME": str(tmp_path / "cache"), **(environment or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, done.stdout + done.stderr)

    return run
