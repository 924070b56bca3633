"""An optimizer's step is compiled once, and what Dynamo compiles anew is counted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.selection.cases import workload_of
from tensorproof.contract.backends import specification
from tensorproof.timing.arrays import ROTATED, save_arguments
from tensorproof.timing.worker.prepared import prepare
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_torch import TorchBackend

# What Inductor imports warns of parts of PyTorch itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


def compiled_adam(folder):
    """A backend, a call of Adam's workload and the sets of arguments that it rotates through."""
    backend, operation = TorchBackend(), specification()["adam"]
    expectation = Expectation(operation, workload_of(operation, 0, "S"), "float32", 0, precision_of("float32"))
    path = folder / "arguments.npz"
    save_arguments(path, replace(expectation.sample, inputs=expectation.arguments.inputs), {})
    case = prepare(backend, "cpu", operation, "compile", "float32", "forward", path)
    return backend, case.call, case.sets


def flat(results):
    outputs, others = results
    return np.concatenate([leaf.numpy().ravel() for leaf in (*outputs, *others)])


def test_a_step_is_compiled_once_and_remembers_nothing_of_the_call_before(tmp_path):
    backend, compiled, sets = compiled_adam(tmp_path)
    with torch.no_grad():
        first = [compiled(*arguments) for arguments in sets]
        before = backend.compile_counters()
        again = [compiled(*arguments) for _ in range(3) for arguments in sets]
        assert backend.compile_counters() == before
    assert len({flat(results).tobytes() for results in first}) == ROTATED
    for number, results in enumerate(again):
        np.testing.assert_array_equal(flat(results), flat(first[number % ROTATED]))


def test_more_recompilations_are_counted_than_dynamo_remembers():
    backend = TorchBackend()
    functions, sizes = 40, (1, 2, 3)
    before = backend.compile_counters()["recompiles"]
    for number in range(functions):
        source = f"def f(x):\n    return x + {number}\n"
        names = {}
        exec(source, names)
        compiled = torch.compile(names["f"], backend="eager", dynamic=False)
        for size in sizes:
            compiled(torch.zeros(size))
        if number == functions // 2:
            backend._reset_compiler()
    assert backend.compile_counters()["recompiles"] - before == functions * (len(sizes) - 1)
