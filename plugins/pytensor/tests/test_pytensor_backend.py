"""What the plugin adds to PyTensor: programs of arrays, their gradients and settings, and operations outside of a program."""

import numpy as np
import pytest

pytest.importorskip("pytensor")

import pytensor
import pytensor.tensor as pt

from tensorproof.backend import Unsupported
from tensorproof_pytensor import PytensorBackend
from tensorproof_pytensor.table import operations

ONE = np.array([1.0, 2.0], "float32")


@pytest.fixture
def backend():
    found = PytensorBackend()
    found.open_device("cpu")
    return found


def call(name, *inputs, **keywords):
    return operations.implementations[name].function(*inputs, **keywords)


def squared(primals, constants):
    return (primals[0] * primals[0] * constants[0],), ()


@pytest.mark.parametrize("mode", ["py", "numba", "cvm"])
def test_gradients_are_pytensor_s_and_what_is_not_connected_has_none(backend, mode):
    x, constant, dy, unused = ([1.0, 2.0], [3.0, 4.0], [10.0, 100.0], [5.0])
    arrays = [np.array(item, "float32") for item in (x, unused, constant, dy)]
    outputs, others, gradients = backend.value_and_vjp(squared, mode)(arrays[:2], arrays[2:3], arrays[3:])
    np.testing.assert_array_equal(outputs[0], [3.0, 16.0])
    np.testing.assert_array_equal(gradients[0], [60.0, 1600.0])
    assert gradients[1] is None
    assert others == ()


def test_an_output_that_another_is_made_of_keeps_both_gradients(backend):
    def chained(primals, constants):
        double = 2.0 * primals[0]
        return (double, 3.0 * double), ()

    _, _, (gradient,) = backend.value_and_vjp(chained, "py")([ONE], [], [ONE, 10.0 * ONE])
    np.testing.assert_array_equal(gradient, 62.0 * ONE)


def test_numbers_have_the_dtype_of_the_arrays(backend):
    def scaled(primals, constants):
        return (0.1 * primals[0],), ()

    for dtype in ("float32", "float64"):
        (y,), _ = backend.forward(scaled, "py")([ONE.astype(dtype)], [])
        assert backend.dtype_of(y) == dtype
        np.testing.assert_array_equal(y, np.array([0.1, 0.2], dtype))
    assert pytensor.config.floatX == "float64"


def test_a_function_is_compiled_once_and_run_with_each_call_s_arrays(backend):
    before = backend.compile_counters()["compiled"]
    forward = backend.forward(squared, "py")
    for value in (2.0, 3.0):
        (y,), _ = forward([np.array([value])], [np.array([10.0])])
        np.testing.assert_array_equal(y, [10 * value * value])
    assert backend.compile_counters()["compiled"] == before + 1


def test_results_share_no_memory_with_arguments(backend):
    (y,), _ = backend.forward(lambda primals, constants: ((primals[0],), ()), "py")([ONE], [])
    np.testing.assert_array_equal(y, ONE)
    assert not backend.shares_memory(y, ONE)
    assert backend.shares_memory(ONE, ONE[:1])


def test_an_error_while_a_graph_is_made_stays_one(backend):
    def wrong(primals, constants):
        raise ValueError("no such axis")

    with pytest.raises(ValueError, match="no such axis"):
        backend.forward(wrong, "py")([ONE], [])


def test_an_operation_of_arrays_outside_of_a_program_makes_its_own():
    (moved,) = call("gradient_descent", [ONE], [[ONE]], learning_rate=0.5)
    np.testing.assert_array_equal(moved, 0.5 * ONE)
    assert moved.dtype == "float32"
    *_, largest = call("adam", [ONE], [[ONE]])
    assert largest == []
    assert isinstance(call("relu", pt.vector()), pt.TensorVariable)


def test_state_comes_back_as_given_without_a_gradient():
    for gradients, expected in (([ONE], 2.0 * ONE), ([None], ONE)):
        _, (after,) = call("momentum", [ONE], [gradients], [ONE], learning_rate=0.5, coefficient=1.0)
        np.testing.assert_array_equal(after, expected)


def test_a_label_out_of_range_is_an_error_of_the_program():
    weight, indices = np.ones((2, 3)), np.array([0, 2])
    with pytest.raises(AssertionError, match="out of range"):
        call("embedding", indices, weight)
    np.testing.assert_array_equal(call("embedding", indices, weight, out_of_range="zeros")[1], np.zeros(3))


def test_what_is_not_pytensor_s_to_choose_is_unsupported():
    with pytest.raises(Unsupported, match="PyTorch"):
        call("binary_cross_entropy", ONE / 4, ONE / 2, clipping="log")
