"""Which backends' whole conformance a change asks for."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / ".ci" / "touched.py"
SPEC = importlib.util.spec_from_file_location("touched", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
touched = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(touched)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["docs/findings.md", "suite/tests/house/test_walls.py"], []),
        (["plugins/torch/tests/test_compile_cache.py"], []),
        (["plugins/torch/tensorproof_torch/windows.py"], ["torch"]),
        (["suite/tensorproof/timing/engine.py"], []),
        (["suite/tensorproof/conformance/verdict.py"], ["numpy", "jax", "tensorflow", "torch"]),
        (["reference/tensorproof_reference/operations/relu.py"], ["numpy", "jax", "tensorflow", "torch"]),
        (["constraints.txt"], ["numpy", "jax", "tensorflow", "torch"]),
    ],
)
def test_a_change_touches_the_backends_that_rest_on_it(files, expected):
    assert touched.touched(files) == expected
