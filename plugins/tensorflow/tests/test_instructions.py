"""TensorFlow's kernels keep to an instruction set: below AVX-512 without oneDNN."""

import pytest

from tensorproof.contract.description import describe_apart, switches_for
from tensorproof.instructions import sets_here

SETS = [level for level in sets_here() if level.startswith("avx")][1:]


@pytest.mark.parametrize("level", SETS)
def test_the_switches_take(level, monkeypatch):
    for name, value in switches_for("tensorflow", level).items():
        monkeypatch.setenv(name, value)
    kernels = describe_apart("tensorflow", None).kernels
    assert kernels["xla"] == level
    assert kernels["onednn"] == (level if level.startswith("avx512") else "off")
