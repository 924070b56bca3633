"""XLA keeps to an instruction set: the code that it compiles holds no wider registers."""

import os
import re
import subprocess
import sys

import pytest

from tensorproof.backend import Unsupported
from tensorproof.contract.description import switches_for
from tensorproof.instructions import sets_here

PROGRAM = "import jax, jax.numpy as jnp; x = jnp.ones((64, 64)); jax.jit(lambda x: jnp.tanh(x) * x + 1)(x).block_until_ready()"


@pytest.mark.skipif("avx512" not in sets_here(), reason="this processor has no AVX-512 to keep from")
def test_a_program_limited_to_avx2_is_compiled_for_no_wider_vectors(tmp_path):
    switches = switches_for("jax", "avx2")
    flags = f"{switches['XLA_FLAGS']} --xla_dump_to={tmp_path}"
    subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, "XLA_FLAGS": flags}, check=True, timeout=120)
    widths = {
        int(bits)
        for path in tmp_path.glob("*ir-with-opt.ll")
        for count, kind in re.findall(r"<(\d+) x (float|double)>", path.read_text(encoding="utf-8"))
        for bits in [int(count) * (32 if kind == "float" else 64)]
    }
    assert widths
    assert max(widths) <= 256


def test_the_sets_of_another_architecture_have_no_switch():
    from tensorproof_jax import JaxBackend

    with pytest.raises(Unsupported, match="x86-64 only"):
        JaxBackend().instruction_switches("neon")
