"""What computes under Keras: gradients, devices and dtypes of whichever backend ``KERAS_BACKEND`` chooses."""

import numpy as np
import pytest

from tensorproof.backend import Unsupported

keras = pytest.importorskip("keras")
pytest.importorskip(keras.backend.backend())

from tensorproof_keras import KerasBackend  # noqa: E402 - where there is a Keras only
from tensorproof_keras.functions import flatten, layer  # noqa: E402
from tensorproof_keras.recurrent import lstm  # noqa: E402

# Keras on PyTorch copies by numpy.array, which PyTorch's arrays do not know in full.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def backend():
    return KerasBackend()


def arrays(backend, *values):
    return [backend.from_numpy(np.array(value, "float32"), "float32", "cpu") for value in values]


def test_the_record_names_what_computes(backend):
    name = keras.backend.backend()
    assert set(backend.versions()) == {"keras", name}
    assert backend.arithmetic("cpu") == {"keras_backend": name}


def test_gradients_are_the_engine_s(backend):
    x, constant, dy = arrays(backend, [1.0, 2.0], [3.0, 4.0], [10.0, 100.0])

    def function(primals, constants):
        return (primals[0] * primals[0] * constants[0],), ()

    outputs, others, gradients = backend.value_and_vjp(function, "eager")([x], [constant], [dy])
    np.testing.assert_array_equal(backend.to_numpy(outputs[0]), [3.0, 16.0])
    np.testing.assert_array_equal(backend.to_numpy(gradients[0]), [60.0, 1600.0])
    assert others == ()


def test_what_is_not_used_has_no_gradient(backend):
    x, unused, dy = arrays(backend, [1.0], [2.0], [1.0])
    _, _, gradients = backend.value_and_vjp(lambda primals, constants: ((primals[0] + 1,), ()), "eager")([x, unused], [], [dy])
    assert gradients[1] is None or not backend.to_numpy(gradients[1]).any()


def test_results_are_on_the_cpu_where_they_were_asked_for(backend):
    assert backend.device_of(arrays(backend, [1.0])[0]) == "cpu"


def test_float64_is_declared_where_keras_keeps_it(backend):
    kept = keras.backend.result_type("float64", "float64") == "float64"
    assert ("float64" in backend.dtypes("cpu")) == kept


def test_a_layer_computes_with_the_weights_of_each_call(backend):
    x, *weights = arrays(backend, [[1.0, 2.0]], [[1.0], [10.0]], [[3.0], [5.0]])
    options = {"units": 1, "use_bias": False, "activation": "linear"}
    results = [backend.to_numpy(layer("Dense", x, [weight], **options)[0]) for weight in weights]
    np.testing.assert_array_equal(results, [[[21.0]], [[13.0]]])


def test_what_keras_has_not_is_unsupported(backend):
    x, input_weights, recurrent_weights, bias = arrays(backend, np.ones((1, 2, 3)), np.ones((3, 8)), np.ones((2, 8)), np.ones(8))
    weights = {"input_weights": input_weights, "recurrent_weights": recurrent_weights, "bias": bias, "recurrent_bias": bias}
    with pytest.raises(Unsupported, match="one bias vector"):
        lstm(x, [[weights]])
    with pytest.raises(Unsupported, match="channels last"):
        flatten(x, order="channels_first")
