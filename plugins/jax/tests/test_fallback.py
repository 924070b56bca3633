"""What JAX runs eagerly in mode ``jit`` is told."""

import jax
from faulty import checks_of

from tensorproof.conformance.checks import run_check
from tensorproof_jax import JaxBackend


def statuses() -> list[str]:
    session, cases = checks_of(JaxBackend(), "tanh")
    chosen = [case for case in cases if (case.mode, case.sample, case.dtype) == ("jit", "plain_both_signs", "float32")]
    return [run_check(session, case).status for case in chosen if case.check in ("forward", "gradient")]


def test_compiled_checks_pass_and_with_the_compiler_off_they_fell_back():
    assert statuses() == ["passed", "passed"]
    with jax.disable_jit():
        assert statuses() == ["fell_back", "fell_back"]
