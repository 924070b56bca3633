"""How a command starts: what every process would wait for is not loaded before it is used."""

import subprocess
import sys

import pytest

SLOW = ("scipy.special", "scipy.stats")
"""A quarter and half of a second each."""


@pytest.mark.parametrize("module", ["tensorproof.cli", "tensorproof.pytest_plugin", "tensorproof.conformance.reference_process"])
def test_a_process_starts_without_what_takes_long_to_import(module):
    program = f"import sys, {module}; print(*[name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
