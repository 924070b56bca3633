"""The plugin's graphs: traced once, run as they are written, and refused where the provider has no kernel."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from tensorproof.backend import Unsupported
from tensorproof_onnxruntime import OnnxRuntimeBackend
from tensorproof_onnxruntime.graph import Graph, node


class Given:
    """A function of one primal, as the suite hands it over."""

    operation = ""
    primal_paths = ("x",)
    constant_paths = ()

    def __init__(self, function):
        self.function = function
        self.calls = 0

    def __call__(self, primals, constants):
        self.calls += 1
        return (self.function(*primals),), ()


@pytest.fixture
def backend():
    found = OnnxRuntimeBackend()
    found.open_device("cpu")
    return found


def run(backend, function, array, mode="optimized"):
    forward = backend.forward(function, mode)
    native = backend.from_numpy(array, str(array.dtype), "cpu")
    results = [forward((native,), ())[0][0] for _ in range(2)]
    return [backend.to_numpy(result) for result in results]


@pytest.mark.parametrize("mode", ["optimized", "unoptimized"])
def test_a_function_is_traced_once_and_run_with_each_call_s_arrays(backend, mode):
    function = Given(lambda x: 1.0 - x * x)
    first, second = run(backend, function, np.array([1.0, 3.0], "float32"), mode)
    assert function.calls == 1
    np.testing.assert_array_equal(first, [0.0, -8.0])
    np.testing.assert_array_equal(second, first)


def test_a_result_that_is_an_input_comes_back(backend):
    array = np.array([1.0, 2.0], "float32")
    np.testing.assert_array_equal(run(backend, Given(lambda x: x), array)[0], array)


def test_arrays_of_rank_zero_keep_their_rank(backend):
    assert backend.to_numpy(backend.from_numpy(np.array(2.0, "float32"), "float32", "cpu")).shape == ()


def test_a_kernel_that_is_missing_is_unsupported_and_named(backend):
    with pytest.raises(Unsupported, match="Softplus"):
        run(backend, Given(lambda x: node("Softplus", x)), np.ones(3))


def test_a_wrong_graph_is_an_error(backend):
    with pytest.raises(Exception, match="Incompatible dimensions"):
        run(backend, Given(lambda x: node("MatMul", x, x)), np.ones((2, 3), "float32"))


def test_numbers_take_the_type_of_the_array_beside_them():
    graph = Graph()
    x = graph.input(np.dtype("float64"), (2,))
    assert (2.0 * x).dtype == x.dtype
    assert len(graph.nodes) == 1


def test_training_is_unsupported(backend):
    implementation = backend.training_step(None)
    with pytest.raises(Unsupported, match="no automatic differentiation"):
        implementation.function()
