"""A call of TensorFlow as a program of its own."""

from tensorproof.backend import ScriptTemplate

SETUP = """import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["KERAS_BACKEND"] = "tensorflow"
import tensorflow as tf

tf.config.experimental.enable_tensor_float_32_execution(False)


def array(values, dtype):
    with tf.device({device!r}):
        return tf.cast(tf.identity(tf.convert_to_tensor(values)), dtype)


def numbers(value):
    return tf.cast(value, tf.float64).numpy()
"""
RUN = """with tf.device({device!r}):
    {results} = {call}
"""
GRADIENT = """

def gradient(primals, constants, cotangents):
    with tf.GradientTape() as tape:
        tape.watch(primals)
        outputs, others = function(primals, constants)
    found = tape.gradient(outputs, list(primals), list(cotangents), unconnected_gradients="zero")
    return outputs, others, [tf.convert_to_tensor(dx) for dx in found]


"""


def _called(function: str, mode: str) -> str:
    return function if mode == "eager" else f"tf.function({function}, autograph=False, jit_compile={mode == 'xla'})"


def template(mode: str, device: str) -> ScriptTemplate:
    """The template in a mode."""
    forward = f"{_called('function', mode)}(primals, constants)"
    gradient = f"{_called('gradient', mode)}(primals, constants, cotangents)"
    return ScriptTemplate(
        SETUP.format(device=device),
        RUN.format(device=device, results="outputs, others", call=forward),
        GRADIENT + RUN.format(device=device, results="outputs, others, gradients", call=gradient),
    )
