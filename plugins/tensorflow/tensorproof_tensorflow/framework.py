"""TensorFlow and Keras, imported in the one order that works: quiet, and with TensorFlow as the backend of Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from tensorproof.backend import PluginError

if keras.backend.backend() != "tensorflow":
    raise PluginError(f"Keras was imported before with the backend {keras.backend.backend()}; this plugin needs tensorflow")

__all__ = ["keras", "tf", "uses_onednn"]


def uses_onednn() -> bool:
    """Whether CPU kernels are those of oneDNN; TensorFlow says so in no public way."""
    try:
        from tensorflow.python.util import _pywrap_util_port
    except ImportError:
        return False
    return bool(_pywrap_util_port.IsMklEnabled())
