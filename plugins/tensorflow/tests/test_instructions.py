"""TensorFlow's kernels keep to an instruction set: below AVX-512 without oneDNN."""

import pytest

from tensorproof.backend import Unsupported
from tensorproof.contract.description import describe_apart, switches_for
from tensorproof.instructions import flags_here, sets_here

SETS = [level for level in sets_here() if level.startswith("avx")][1:]


@pytest.mark.parametrize("level", SETS)
def test_the_switches_take(level, monkeypatch):
    for name, value in switches_for("tensorflow", level).items():
        monkeypatch.setenv(name, value)
    kernels = describe_apart("tensorflow", None).kernels
    assert kernels["xla"] == level
    assert kernels["onednn"] == (level if level.startswith("avx512") else "off")


@pytest.mark.skipif("avx512_fp16" not in flags_here(), reason="this processor has no instructions for float16")
@pytest.mark.parametrize("level", [level for level in SETS if level.startswith("avx512")] + ["amx"] * ("amx" in sets_here()))
def test_float16_is_left_out_where_onednn_may_not_have_it(level, monkeypatch):
    """TensorFlow asks the processor whether oneDNN has it, and the process ends."""
    for name, value in switches_for("tensorflow", level).items():
        monkeypatch.setenv(name, value)
    assert ("float16" in describe_apart("tensorflow", None).dtypes) == (level == "amx")


def test_the_sets_of_another_architecture_have_no_switch():
    from tensorproof_tensorflow import TensorFlowBackend

    with pytest.raises(Unsupported, match="x86-64 only"):
        TensorFlowBackend().instruction_switches("neon")
