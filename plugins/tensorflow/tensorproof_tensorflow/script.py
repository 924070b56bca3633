"""A call of TensorFlow as a program of its own."""

from tensorproof.backend import ScriptTemplate
from tensorproof_tensorflow.traced import JITTED, NESTED

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
        outputs, others = {called}(primals, constants)
    found = tape.gradient(outputs, list(primals), list(cotangents), unconnected_gradients="zero")
    return outputs, others, [tf.convert_to_tensor(dx) for dx in found]


"""


def _nested(function: str, mode: str) -> str:
    return f"tf.function({function}, autograph=False)" if mode == NESTED else function


def _called(function: str, mode: str) -> str:
    if mode == "eager":
        return function
    return f"tf.function({_nested(function, mode)}, autograph=False, jit_compile={mode in JITTED})"


def template(mode: str, device: str) -> ScriptTemplate:
    """The template in a mode."""
    forward = f"{_called('function', mode)}(primals, constants)"
    gradient = f"{_called('gradient', mode)}(primals, constants, cotangents)"
    return ScriptTemplate(
        SETUP.format(device=device),
        RUN.format(device=device, results="outputs, others", call=forward),
        GRADIENT.format(called=_nested("function", mode))
        + RUN.format(device=device, results="outputs, others, gradients", call=gradient),
    )
