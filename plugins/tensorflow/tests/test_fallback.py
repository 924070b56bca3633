"""What TensorFlow runs eagerly in modes ``function`` and ``xla``, and in variants, is told."""

import pytest
import tensorflow as tf
from faulty import checks_of

from tensorproof.conformance.checks import run_check
from tensorproof_tensorflow import TensorFlowBackend


def statuses(mode: str) -> list[str]:
    session, cases = checks_of(TensorFlowBackend(), "tanh")
    chosen = [case for case in cases if (case.mode, case.sample, case.dtype) == (mode, "plain_both_signs", "float32")]
    return [run_check(session, case).status for case in chosen if case.check in ("forward", "gradient")]


@pytest.mark.parametrize("mode", ["function", "xla", *TensorFlowBackend.variants])
def test_compiled_checks_pass_and_with_the_compiler_off_they_fell_back(mode):
    assert statuses(mode) == ["passed", "passed"]
    tf.config.run_functions_eagerly(True)
    try:
        assert statuses(mode) == ["fell_back", "fell_back"]
    finally:
        tf.config.run_functions_eagerly(False)
