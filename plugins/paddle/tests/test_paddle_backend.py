"""What the plugin adds to Paddle: arrays, gradients, proof of compilation, layers and optimizers with everything given."""

import numpy as np
import pytest

pytest.importorskip("paddle")

import paddle

from tensorproof.backend import Unsupported
from tensorproof_paddle import PaddleBackend
from tensorproof_paddle.table import operations

# Paddle warns of itself where it makes the gradient of a program.
pytestmark = pytest.mark.filterwarnings("ignore:Tensor do not have 'place':UserWarning")

ONE = np.array([1.0, 2.0], "float32")


@pytest.fixture
def backend():
    found = PaddleBackend()
    found.open_device("cpu")
    return found


def arrays(backend, *values, dtype="float32"):
    return [backend.from_numpy(np.array(value, dtype), dtype, "cpu") for value in values]


def call(name, *inputs, **keywords):
    return operations.implementations[name].function(*inputs, **keywords)


def squared(primals, constants):
    return (primals[0] * primals[0] * constants[0],), ()


VIEWS = {"transposed": lambda x: x.T, "stepped": lambda x: x[:, ::2], "sliced": lambda x: x[1:]}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_an_array_keeps_its_strides(backend, view):
    array = view(np.arange(12, dtype="float32").reshape(3, 4))
    tensor = backend.from_numpy(array, "float32", "cpu")
    np.testing.assert_array_equal(backend.to_numpy(tensor), array)
    assert tensor.strides == [stride // array.itemsize for stride in array.strides]


def test_bfloat16_comes_back_as_float32(backend):
    tensor = backend.from_numpy(ONE, "bfloat16", "cpu")
    assert backend.dtype_of(tensor) == "bfloat16"
    assert backend.to_numpy(tensor).dtype == "float32"


@pytest.mark.parametrize("mode", ["eager", "to_static"])
def test_gradients_are_paddle_s(backend, mode):
    x, constant, dy, unused = arrays(backend, [1.0, 2.0], [3.0, 4.0], [10.0, 100.0], [5.0])
    outputs, others, gradients = backend.value_and_vjp(squared, mode)([x, unused], [constant], [dy])
    np.testing.assert_array_equal(backend.to_numpy(outputs[0]), [3.0, 16.0])
    np.testing.assert_array_equal(backend.to_numpy(gradients[0]), [60.0, 1600.0])
    assert gradients[1] is None or not backend.to_numpy(gradients[1]).any()
    assert others == ()


def test_a_function_is_traced_once_and_run_with_each_call_s_arrays(backend):
    forward = backend.forward(squared, "to_static")
    for value in (2.0, 3.0):
        x, constant = arrays(backend, [value], [10.0])
        np.testing.assert_array_equal(backend.to_numpy(forward([x], [constant])[0][0]), [10 * value * value])
    assert backend.compile_counters() == {"compiled": 1, "left_eager": 0}


def test_what_paddle_does_not_compile_is_counted(backend):
    x, constant = arrays(backend, [2.0], [10.0])
    paddle.jit.enable_to_static(False)
    try:
        backend.forward(squared, "to_static")([x], [constant])
    finally:
        paddle.jit.enable_to_static(True)
    assert backend.compile_counters() == {"compiled": 0, "left_eager": 1}


def test_a_kernel_that_is_missing_is_unsupported_and_named(backend):
    x = backend.from_numpy(ONE, "float16", "cpu")
    with pytest.raises(Unsupported, match="float16"):
        backend.forward(lambda primals, constants: ((paddle.linalg.norm(primals[0]),), ()), "eager")([x], [])


def test_another_error_stays_one(backend):
    def wrong(primals, constants):
        raise ValueError("no such axis")

    with pytest.raises(ValueError, match="no such axis"):
        backend.forward(wrong, "eager")([], [])


def test_views_share_memory_and_copies_do_not(backend):
    x = backend.from_numpy(ONE, "float32", "cpu")
    assert backend.shares_memory(x, x[:1])
    assert not backend.shares_memory(x, x.clone())


def test_a_layer_computes_with_the_weights_of_each_call(backend):
    x, state, bias = arrays(backend, [[[1.0]]], [[[0.0]]], [0.0])
    results = []
    for value in (1.0, 2.0):
        input_weights, recurrent_weights = arrays(backend, [[value]], [[0.0]])
        weights = {"input_weights": input_weights, "recurrent_weights": recurrent_weights, "bias": bias}
        results.append(call("simple_rnn", x, [[weights]], state, activation="relu")[0].item())
    assert results == [1.0, 2.0]


def test_state_is_given_and_comes_back_also_without_a_gradient(backend):
    parameter, velocity, gradient = arrays(backend, [1.0], [2.0], [4.0])
    for gradients, expected in (([gradient], 5.0), ([None], 2.0)):
        _, (after,) = call("momentum", [parameter], [gradients], [velocity], learning_rate=0.5, coefficient=0.5)
        np.testing.assert_array_equal(backend.to_numpy(after), [expected])


def test_each_parameter_may_have_a_rate_of_its_own(backend):
    one, other, gradient = arrays(backend, [1.0], [1.0], [1.0])
    moved = call("sgd", [one, other], [[gradient, gradient]], learning_rate=(0.5, 0.25))
    np.testing.assert_array_equal([backend.to_numpy(item) for item in moved], [[0.5], [0.75]])


def test_what_paddle_does_not_let_choose_is_unsupported(backend):
    x, weight = arrays(backend, [0.0], [[1.0]])
    with pytest.raises(Unsupported, match="out_of_range='error' only"):
        call("embedding", x, weight, out_of_range="zeros")
