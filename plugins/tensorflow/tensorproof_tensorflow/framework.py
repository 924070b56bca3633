"""TensorFlow and Keras, imported in the one order that works: quiet, and with TensorFlow as the backend of Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from tensorproof.backend import PluginError
from tensorproof.instructions import flags_here

if keras.backend.backend() != "tensorflow":
    raise PluginError(f"Keras was imported before with the backend {keras.backend.backend()}; this plugin needs tensorflow")

__all__ = ["keras", "lacks_float16", "tf", "uses_onednn"]

WITHOUT_FLOAT16 = ("AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16")
"""What ``ONEDNN_MAX_CPU_ISA`` may say that leaves oneDNN no kernels for float16, from AVX-512 on."""


def uses_onednn() -> bool:
    """Whether CPU kernels are those of oneDNN; TensorFlow says so in no public way."""
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(_pywrap_util_port.IsMklEnabled())


def lacks_float16() -> bool:
    """Whether oneDNN may not compute in float16 where TensorFlow asks it to, which ends the process.

    TensorFlow asks the processor (``avx512_fp16``), and oneDNN its variable.
    """
    return uses_onednn() and "avx512_fp16" in flags_here() and os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_FLOAT16
