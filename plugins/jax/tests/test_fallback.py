"""What JAX runs eagerly in mode ``jit`` and its variants is told."""

import jax
import pytest
from faulty import checks_of

from tensorproof.conformance.checks import run_check
from tensorproof_jax import JaxBackend


def statuses(mode: str) -> list[str]:
    session, cases = checks_of(JaxBackend(), "tanh")
    chosen = [case for case in cases if (case.mode, case.sample, case.dtype) == (mode, "plain_both_signs", "float32")]
    return [run_check(session, case).status for case in chosen if case.check in ("forward", "gradient")]


@pytest.mark.parametrize("mode", ["jit", *JaxBackend.variants])
def test_compiled_checks_pass_and_with_the_compiler_off_they_fell_back(mode):
    assert statuses(mode) == ["passed", "passed"]
    with jax.disable_jit():
        assert statuses(mode) == ["fell_back", "fell_back"]
