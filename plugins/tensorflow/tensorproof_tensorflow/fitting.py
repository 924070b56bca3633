"""Fitting with Keras's own loop: ``compile``, ``fit`` and ``predict`` of a ``keras.Sequential``."""

import contextlib
import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from tensorproof.backend import Implementation, Native
from tensorproof.contract.models import NO_CONVENTIONS, Conventions
from tensorproof_reference import trees
from tensorproof_reference.model import Model
from tensorproof_reference.networks.evaluation import with_conventions
from tensorproof_reference.networks.fitting import METRICS
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.models import InMode, keras_layers, keras_weights, set_weights
from tensorproof_tensorflow.optimizers import MEANT, SPECIFIC, WORDS
from tensorproof_tensorflow.table import operations
from tensorproof_tensorflow.traced import JITTED, counted

LOSSES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "mean_squared_error": ("MeanSquaredError", {}),
    "binary_cross_entropy": ("BinaryCrossentropy", {}),
    "categorical_cross_entropy": ("CategoricalCrossentropy", {}),
    "sparse_categorical_cross_entropy": ("SparseCategoricalCrossentropy", {}),
    "softmax_cross_entropy": ("SparseCategoricalCrossentropy", {"from_logits": True}),
}
"""Keras's class of each loss, and its arguments."""

HISTORY = {
    "loss": "loss",
    "accuracy": "accuracy",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
}
"""Keras's names in the history."""

PENALTIES = {"l1_penalty": "l1", "l2_penalty": "l2"}
COEFFICIENT = {"momentum": "coefficient"}
SWITCHES = ("nesterov", "amsgrad", "centered")


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Iterator[None]:
    """Keras's default dtype, in which it keeps the learning rate, the losses and the means of an epoch, and casts data."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _regularized(model: Model, layers: Mapping[str, list[Any]]) -> None:
    """Give the regularizers to the layers that have a ``weight``, before these are built."""
    strengths = {PENALTIES[name]: strength for name, strength in model.penalties.items()}
    for name in layers:
        if strengths and "weight" in model.layers[name].parameters:
            weighted = layers[name][-1 if model.layers[name].operation != "conv2d_transpose" else 0]
            attribute = "embeddings_regularizer" if model.layers[name].operation == "embedding" else "kernel_regularizer"
            setattr(weighted, attribute, keras.regularizers.L1L2(**strengths))


def _optimizer(model: Model, values: list[Native]) -> Any:
    """Keras's optimizer with the specification's numbers.

    Raises:
        Unsupported: Keras's optimizer cannot do what a keyword asks for, which its operation knows, here without a step.
    """
    function = operations.implementations[model.optimizer].function
    function(values, [], **model.optimizer_keywords)
    defaults = operations.specification[model.optimizer].function.__kwdefaults__ or {}
    options = {**defaults, **model.optimizer_keywords}
    kind = getattr(keras.optimizers, SPECIFIC[model.optimizer])
    words = {**WORDS, **(COEFFICIENT if model.optimizer == "momentum" else {})}
    names = {name: words.get(name, name) for name in (*MEANT, *SWITCHES) if name in inspect.signature(kind).parameters}
    chosen = {name: options[word] for name, word in names.items() if word in options}
    if not chosen.get("weight_decay"):
        chosen.pop("weight_decay", None)
    return kind(**chosen)


def keras_fit(model: Model, in_mode: InMode) -> Implementation | None:
    """``keras.Model.fit``; ``None`` if the loss has keywords, which Keras's losses do not share with the specification."""
    if model.loss not in LOSSES or model.loss_keywords:
        return None

    def fitted(
        data: tuple[Native, Native],
        validation: tuple[Native, Native],
        parameters: Any,
        state: Any,
        conventions: Conventions,
        mode: str,
        options: Mapping[str, Any],
        patience: int | None,
    ) -> tuple[dict[str, Native | None], Native]:
        x, _ = data
        values = [leaf for _, leaf in trees.leaves(parameters)]
        dtype = values[0].dtype.name
        layers = keras_layers(model, conventions, dtype)
        _regularized(model, layers)
        inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
        network = keras.Sequential([inputs, *itertools.chain.from_iterable(layers.values())])
        set_weights(model, network, keras_weights(model, parameters, conventions), state or {})
        loss, keywords = LOSSES[model.loss]
        network.compile(
            optimizer=_optimizer(with_conventions(model, conventions), values),
            loss=getattr(keras.losses, loss)(**keywords),
            metrics=["accuracy"] if model.loss in METRICS else [],
            run_eagerly=mode == "eager",
            jit_compile=mode in JITTED,
        )
        if mode != "eager":
            network.train_step = counted(network.train_step)
        stopping = [] if patience is None else [keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience)]
        count = len(validation[0])
        history = network.fit(
            *data,
            **options,
            shuffle=False,
            validation_data=validation,
            validation_batch_size=count,
            callbacks=stopping,
            verbose=0,
        ).history
        predictions = network.predict(validation[0], batch_size=count, verbose=0)
        curves = {
            name: tf.constant(history[of_keras], dtype) if of_keras in history else None for name, of_keras in HISTORY.items()
        }
        return curves, tf.convert_to_tensor(predictions)

    def function(
        x: Native,
        target: Native,
        validation_x: Native,
        validation_target: Native,
        parameters: Any,
        state: Any = None,
        *,
        epochs: int = 2,
        batch: int = 10,
        patience: int | None = None,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[dict[str, Native | None], Native]:
        options = {"epochs": epochs, "batch_size": batch}
        dtype = next(leaf for _, leaf in trees.leaves(parameters)).dtype.name
        # What the mode compiles is compiled by Keras.
        placed = in_mode(fitted, "eager")
        with _default_dtype(dtype):
            found: tuple[dict[str, Native | None], Native] = placed(
                (x, target), (validation_x, validation_target), parameters, state, conventions, mode, options, patience
            )
        return found

    return Implementation(function, "library")
