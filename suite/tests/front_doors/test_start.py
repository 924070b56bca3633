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


def test_the_error_bars_of_a_function_of_scipy_are_known_all_the_same():
    program = """
import numpy as np
from tensorproof_reference.errorbars.array import precision_of, values_and_bars, with_bars
from tensorproof_reference.operations.gelu import gelu
value, bar = values_and_bars(gelu(with_bars(np.ones(3), precision_of("float32"))))
print(bool((bar > 0).all()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
