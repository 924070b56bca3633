"""What computes under Keras: devices, gradients and settings of TensorFlow, PyTorch and JAX.

``KERAS_BACKEND`` chooses, as for all users of Keras; the default is TensorFlow.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

__all__ = ["engine", "keras", "make_room"]

Arrays = Sequence[Any]
Pulled = tuple[Arrays, Arrays, Arrays]


class TensorFlow:
    """Eager TensorFlow and its gradient tape."""

    def __init__(self) -> None:
        import tensorflow as tf

        self.version = tf.__version__
        self._tf = tf
        tf.config.experimental.enable_tensor_float_32_execution(False)

    def device_of(self, value: Any) -> str:
        """``cpu``, ``gpu:0``, …"""
        name = str(value.device).rpartition("/device:")[2].lower()
        return "cpu" if name.startswith("cpu") else name

    def vjp(self, function: Callable[..., Any], primals: Arrays, constants: Arrays, cotangents: Arrays) -> Pulled:
        """By the tape."""
        with self._tf.GradientTape() as tape:
            tape.watch(primals)
            outputs, others = function(primals, constants)
        found = tape.gradient(outputs, list(primals), list(cotangents))
        return outputs, others, [None if item is None else self._tf.convert_to_tensor(item) for item in found]


class Torch:
    """Eager PyTorch and its autograd."""

    def __init__(self) -> None:
        import torch

        self.version = torch.__version__
        self._torch = torch

    def device_of(self, value: Any) -> str:
        """PyTorch's own name."""
        return str(value.device)

    def vjp(self, function: Callable[..., Any], primals: Arrays, constants: Arrays, cotangents: Arrays) -> Pulled:
        """By ``torch.autograd.grad``."""
        primals = [item.detach().requires_grad_() for item in primals]
        outputs, others = function(primals, constants)
        connected = [(y, dy) for y, dy in zip(outputs, cotangents, strict=True) if y.requires_grad]
        found: Arrays = [None] * len(primals)
        if connected:
            ends, seeds = zip(*connected, strict=True)
            found = self._torch.autograd.grad(ends, primals, seeds, allow_unused=True)
        return outputs, others, found


class Jax:
    """JAX without ``jit``, and without 64 bits, as Keras leaves it."""

    def __init__(self) -> None:
        import jax

        self.version = jax.__version__
        self._jax = jax
        jax.config.update("jax_default_matmul_precision", "highest")

    def device_of(self, value: Any) -> str:
        """The platform, with a number on accelerators."""
        device = next(iter(value.devices()))
        return "cpu" if device.platform == "cpu" else f"{device.platform}:{device.id}"

    def vjp(self, function: Callable[..., Any], primals: Arrays, constants: Arrays, cotangents: Arrays) -> Pulled:
        """By ``jax.vjp``."""
        outputs, pull, others = self._jax.vjp(lambda *leaves: function(leaves, constants), *primals, has_aux=True)
        return outputs, others, pull(tuple(dy.astype(y.dtype) for y, dy in zip(outputs, cotangents, strict=True)))


Engine = TensorFlow | Torch | Jax
ENGINES: dict[str, type[Engine]] = {"tensorflow": TensorFlow, "torch": Torch, "jax": Jax}


def engine() -> Engine:
    """What computes in this process."""
    return ENGINES[keras.backend.backend()]()


asked = itertools.count(1)
"""Functions that were asked for."""


def make_room() -> None:
    """On JAX, forget compiled programs now and then: each takes maps of memory, of which Linux gives a process 65,530."""
    if keras.backend.backend() == "jax" and next(asked) % 100 == 0:
        import jax

        jax.clear_caches()
