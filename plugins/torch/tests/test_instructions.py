"""PyTorch's kernels keep to an instruction set, and oneDNN says of itself what the backend says of it."""

import os
import subprocess
import sys

import pytest

from tensorproof.backend import Unsupported
from tensorproof.contract.description import describe_apart, switches_for
from tensorproof.instructions import sets_here

ONEDNN_WORDS = {
    "Intel AVX2": "avx2",
    "Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions": "avx512",
    "Intel AVX-512 with Intel DL Boost": "avx512",
    "Intel AVX-512 with Intel DL Boost and bfloat16 support": "avx512_bf16",
}
"""What oneDNN prints of itself."""
SETS = [level for level in sets_here() if level in ONEDNN_WORDS.values()]


def onednn_says(environment: dict[str, str]) -> str:
    program = "import torch; torch.nn.functional.conv2d(torch.randn(2, 16, 19, 19), torch.randn(16, 16, 3, 3))"
    variables = {**os.environ, **environment, "ONEDNN_VERBOSE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True, timeout=120)
    return next(line.partition("cpu,isa:")[2] for line in done.stdout.splitlines() if "cpu,isa:" in line)


@pytest.mark.parametrize("level", SETS)
def test_the_switches_take(level, monkeypatch):
    switches = switches_for("torch", level)
    for name, value in switches.items():
        monkeypatch.setenv(name, value)
    kernels = describe_apart("torch", None).kernels
    assert kernels == {"aten": level, "inductor": level, "onednn": level}
    assert ONEDNN_WORDS[onednn_says(switches)] == level


def test_each_set_has_a_folder_of_compiled_code_of_its_own():
    folders = {switches_for("torch", level)["TORCHINDUCTOR_CACHE_DIR"] for level in SETS}
    assert len(folders) == len(SETS)


def test_the_sets_of_another_architecture_have_no_switch():
    from tensorproof_torch import TorchBackend

    with pytest.raises(Unsupported, match="x86-64 only"):
        TorchBackend().instruction_switches("neon")
