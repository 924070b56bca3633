"""How a command starts: what every process would wait for is not loaded before it is used."""

import os
import subprocess
import sys

import pytest

from tensorproof.invocation import CONFORMANCE

SLOW = ("scipy.special", "scipy.stats")
"""A quarter and half of a second each."""


@pytest.mark.parametrize("module", ["tensorproof.cli", "tensorproof.pytest_plugin", "tensorproof.conformance.reference_process"])
def test_a_process_starts_without_what_takes_long_to_import(module):
    program = f"import sys, {module}; print(*[name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(("options", "captured"), [([], False), (["--log-level=INFO"], True), (["-p", "no:logging"], False)])
def test_logs_are_captured_only_if_that_is_asked_for(tmp_path, options, captured):
    """At each check pytest visits all loggers, of which a framework has fifty."""
    asks = "def pytest_collection_finish(session): print('captured', session.config.pluginmanager.has_plugin('logging-plugin'))\n"
    (tmp_path / "asks.py").write_text(asks)
    checks = ["--backend=numpy", "--op=relu", "--sample=plain_both_signs", "--dtype=float32", "--check=forward"]
    plugins = ["-p", "tensorproof.pytest_plugin", "-p", "asks"]
    command = [sys.executable, "-m", "pytest", str(CONFORMANCE), *plugins, "-n0", "-s", *checks, *options]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"captured {captured}" in done.stdout
