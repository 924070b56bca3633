"""A long process in eager mode: JAX keeps a program of each primitive on each shape, and each takes maps of memory."""

from pathlib import Path

import numpy as np
import pytest

from tensorproof_jax import JaxBackend, jitted
from tensorproof_jax.framework import jnp

KEPT = 20
MAPS = Path("/proc/self/maps")


@pytest.mark.skipif(not MAPS.exists(), reason="needs /proc")
def test_programs_of_eager_functions_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(jitted, "KEPT", KEPT)

    def maps() -> int:
        return len(MAPS.read_text().splitlines())

    def ran(first: int) -> int:
        for length in range(first, first + KEPT):
            x = np.ones((length, 3), np.float32)
            ((y,), _) = backend.forward(lambda primals, _: ((jnp.tanh(primals[0]) + 1.0,), ()), "eager")((x,), ())
            assert y.shape == x.shape
        return maps()

    backend = JaxBackend()
    before = maps()
    grown = ran(1) - before
    assert ran(1 + KEPT) - before < 1.5 * grown
    assert ran(1 + 2 * KEPT) - before < 1.5 * grown
