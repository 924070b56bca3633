"""A long process in eager mode: JAX keeps a program of each primitive on each shape, and each takes maps of memory."""

import subprocess
import sys
from pathlib import Path

import pytest

MAPS = Path("/proc/self/maps")
SCRIPT = f"""
from pathlib import Path

import numpy as np
from tensorproof_jax import JaxBackend, jitted
from tensorproof_jax.framework import jnp

jitted.EVERY, jitted.MOST_MAPS, backend, lengths = 20, 0, JaxBackend(), iter(range(1, 1000))
for count in (1, 18, 40):  # room is made before the 20th, 40th, …
    for _ in range(count):
        x = np.ones((next(lengths), 3), np.float32)
        backend.forward(lambda primals, _: ((jnp.tanh(primals[0]) + 1.0,), ()), "eager")((x,), ())
    print(len(Path("{MAPS}").read_text().splitlines()))
"""


@pytest.mark.skipif(not MAPS.exists(), reason="needs /proc")
def test_programs_of_eager_functions_do_not_pile_up():
    printed = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()
    one, before, after = map(int, printed)
    # Without an end to it each would take as many as those before.
    assert after - one < 1.5 * (before - one)
