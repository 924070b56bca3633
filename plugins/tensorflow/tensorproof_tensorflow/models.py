"""Models of Keras layers in a ``keras.Sequential``, with the weights given in each call, and their training steps."""

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorproof.backend import Implementation, Native, Unsupported
from tensorproof.contract.models import NO_CONVENTIONS, Conventions, like
from tensorproof_reference import trees
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.networks.evaluation import optimizer_slots, with_conventions
from tensorproof_tensorflow import recurrent
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

InMode = Callable[[Any, str], Any]
Frozen = tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
"""Conventions as a key of a cache."""

Options = Mapping[str, Any]
"""All keywords of a layer's operation: its defaults, the backend's conventions, and what the model says."""

NO_PADDING = ((0, 0), (0, 0))


def _same_crop(kernel: Sequence[int], stride: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """What ``padding="same"`` crops from a transposed convolution's output."""
    totals = [max(size - step, 0) for size, step in zip(kernel, stride, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _convolution(layer: Layer, options: Options, dtype: str) -> list[Any]:
    """``Conv2D``, after ``ZeroPadding2D`` where the padding is neither "same" nor none."""
    filters, _, *kernel = layer.parameters["weight"].shape
    padding = options["padding"]
    before = []
    if not isinstance(padding, str):
        before = [keras.layers.ZeroPadding2D(padding, dtype=dtype)] if padding != NO_PADDING else []
        padding = "valid"
    convolution = keras.layers.Conv2D(
        filters,
        kernel,
        options["stride"],
        padding,
        dilation_rate=options["dilation"],
        groups=options["groups"],
        use_bias="bias" in layer.parameters,
        dtype=dtype,
    )
    return [*before, convolution]


def _transposed_convolution(layer: Layer, options: Options, dtype: str) -> list[Any]:
    """``Conv2DTranspose``, before ``Cropping2D`` where the padding is neither that of "same" nor none."""
    _, filters, *kernel = layer.parameters["weight"].shape
    if options["groups"] != 1 or tuple(options["output_padding"]) != (0, 0) or tuple(options["dilation"]) != (1, 1):
        raise Unsupported(
            "groups, output padding and dilation of keras.layers.Conv2DTranspose are not those of the specification"
        )
    padding, after = options["padding"], []
    if not isinstance(padding, str):
        if padding == _same_crop(kernel, options["stride"]) and padding != NO_PADDING:
            padding = "same"
        else:
            after = [keras.layers.Cropping2D(padding, dtype=dtype)] if padding != NO_PADDING else []
            padding = "valid"
    use_bias = "bias" in layer.parameters
    convolution = keras.layers.Conv2DTranspose(filters, kernel, options["stride"], padding, use_bias=use_bias, dtype=dtype)
    return [convolution, *after]


def _pooling(kind: str, options: Options, dtype: str) -> list[Any]:
    if options["ceil_mode"] or options.get("count_padding"):
        raise Unsupported(f"keras.layers.{kind} has no ceil mode, and does not count padding")
    padding = "valid" if options["padding"] == NO_PADDING else options["padding"]
    if not isinstance(padding, str):
        raise Unsupported(f"keras.layers.{kind} has no explicit padding")
    return [getattr(keras.layers, kind)(options["window"], options["stride"], padding, dtype=dtype)]


def _flatten(layer: Layer, options: Options, dtype: str) -> list[Any]:
    """``Flatten``; images have their channels last already."""
    if options["order"] == "channels_last":
        return [keras.layers.Flatten(dtype=dtype)]
    return [keras.layers.Permute((3, 1, 2), dtype=dtype), keras.layers.Flatten(dtype=dtype)]


def _batch_norm(layer: Layer, options: Options, dtype: str) -> list[Any]:
    if options["running_variance_estimate"] != "biased":
        raise Unsupported("Keras updates the running variance with the biased variance of the batch")
    chosen = {"momentum": options["momentum"], "epsilon": options["epsilon"]}
    weights = {"scale": "scale" in layer.parameters, "center": "offset" in layer.parameters}
    return [keras.layers.BatchNormalization(**chosen, **weights, dtype=dtype)]


def _recurrent(kind: str, layer: Layer, options: Options, dtype: str, **others: Any) -> list[Any]:
    """One layer of Keras for each layer of the operation; all but the last give their sequences."""
    found = []
    parameters = layer.parameters["parameters"]
    for number, directions in enumerate(parameters):
        built = getattr(keras.layers, kind)(
            directions[0]["recurrent_weights"].shape[0],
            use_bias="bias" in directions[0] or "recurrent_bias" in directions[0],
            return_sequences=options["return_sequences"] or number + 1 < len(parameters),
            # The default is made by a QR decomposition, which there is not in 16 bits.
            recurrent_initializer="zeros",
            dtype=dtype,
            **others,
        )
        found.append(keras.layers.Bidirectional(built, dtype=dtype) if len(directions) == 2 else built)
    return found


def _activation(name: str) -> Callable[[Layer, Options, str], list[Any]]:
    return lambda layer, options, dtype: [keras.layers.Activation(name, dtype=dtype)]


LAYERS: Mapping[str, Callable[[Layer, Options, str], list[Any]]] = {
    "dense": lambda layer, options, dtype: [
        keras.layers.Dense(
            layer.parameters["weight"].shape[1], options["activation"], use_bias="bias" in layer.parameters, dtype=dtype
        )
    ],
    "conv2d": _convolution,
    "conv2d_transpose": _transposed_convolution,
    "max_pool2d": lambda layer, options, dtype: _pooling("MaxPooling2D", options, dtype),
    "average_pool2d": lambda layer, options, dtype: _pooling("AveragePooling2D", options, dtype),
    "flatten": _flatten,
    "batch_norm": _batch_norm,
    "embedding": lambda layer, options, dtype: [keras.layers.Embedding(*layer.parameters["weight"].shape, dtype=dtype)],
    "dropout": lambda layer, options, dtype: [keras.layers.Dropout(options["rate"], seed=0, dtype=dtype)],
    "simple_rnn": lambda layer, options, dtype: _recurrent("SimpleRNN", layer, options, dtype, activation=options["activation"]),
    "lstm": lambda layer, options, dtype: _recurrent("LSTM", layer, options, dtype),
    "gru": lambda layer, options, dtype: _recurrent("GRU", layer, options, dtype, reset_after=options["reset"] == "after"),
    "relu": lambda layer, options, dtype: [keras.layers.ReLU(dtype=dtype)],
    "leaky_relu": lambda layer, options, dtype: [keras.layers.LeakyReLU(options["negative_slope"], dtype=dtype)],
    "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"),
    "softmax": lambda layer, options, dtype: [keras.layers.Softmax(options["axis"], dtype=dtype)],
}
"""The layers of Keras for each operation, from the layer's description, its options and the dtype."""


def _options(layer: Layer, conventions: Mapping[str, Options]) -> Options:
    function = operations.specification[layer.operation].function
    return {**(function.__kwdefaults__ or {}), **conventions.get(layer.operation, {}), **layer.keywords}


def _frozen(conventions: Conventions) -> Frozen:
    return tuple(sorted((name, tuple(sorted(chosen.items()))) for name, chosen in conventions.items()))


def keras_layers(model: Model, conventions: Conventions, dtype: str) -> dict[str, list[Any]]:
    """The layers of Keras for each of the model's.

    Raises:
        Unsupported: Keras has no layer for one of the model's.
    """
    for name, layer in model.layers.items():
        if layer.operation not in LAYERS:
            raise Unsupported(f"layer {name}: keras.layers has no {layer.operation}")
    return {name: LAYERS[layer.operation](layer, _options(layer, conventions), dtype) for name, layer in model.layers.items()}


@functools.cache
def network(model: Model, conventions: Frozen, shape: tuple[int, ...], input_dtype: str, dtype: str) -> Any:
    """The model's layers in a ``keras.Sequential``, whose variables exist, outside of any graph that is being traced."""
    chosen = {name: dict(items) for name, items in conventions}
    with tf.init_scope():
        layers = itertools.chain.from_iterable(keras_layers(model, chosen, dtype).values())
        return keras.Sequential([keras.Input(batch_shape=shape, dtype=input_dtype), *layers])


def keras_weights(model: Model, parameters: Any, conventions: Conventions) -> list[Native]:
    """The trainable weights in the order of Keras: of layers, and of each layer's arguments."""
    found: list[Native] = []
    for name, layer in model.layers.items():
        given = parameters.get(name, {})
        if "parameters" in given:
            two_biases = _options(layer, conventions).get("reset") == "after"
            for directions in given["parameters"]:
                found += [weight for direction in directions for weight in recurrent.keras_weights(direction, two_biases)]
        else:
            found += [given[key] for key in layer.parameters]
    return found


def _statistics(network: Any) -> list[bool]:
    """Which non-trainable variables are running statistics: the others are those of random generators."""
    return [keras.backend.is_float_dtype(variable.dtype) for variable in network.non_trainable_variables]


def set_weights(model: Model, network: Any, weights: Sequence[Native], state: Any) -> None:
    """Set the weights (in the order of Keras) and the running statistics of a ``keras.Sequential`` of the model."""
    running = itertools.compress(network.non_trainable_variables, _statistics(network))
    statistics = [state[name][key] for name, layer in model.layers.items() for key in layer.state]
    variables = [*network.trainable_variables, *running]
    for variable, value in zip(variables, [*weights, *statistics], strict=True):
        variable.assign(value)


def layered(model: Model) -> Implementation:
    """The model as ``keras.Sequential``, called through ``stateless_call``."""
    loss_function = operations.implementations[model.loss].function
    keys = [(name, key) for name, layer in model.layers.items() for key in layer.state]

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        *,
        training: bool = False,
        conventions: Conventions = NO_CONVENTIONS,
    ) -> tuple[Native, Native, Any]:
        weights = keras_weights(model, parameters, conventions)
        layers = network(model, _frozen(conventions), tuple(x.shape), x.dtype.name, weights[0].dtype.name)
        kept = _statistics(layers)
        waiting = (state[name][key] for name, key in keys)
        variables = [
            next(waiting) if is_statistic else variable.value
            for is_statistic, variable in zip(kept, layers.non_trainable_variables, strict=True)
        ]
        y, after = layers.stateless_call(weights, variables, x, training=training)
        keywords = {**conventions.get(model.loss, {}), **model.loss_keywords}
        statistics: dict[str, dict[str, Native]] = {name: {} for name, _ in keys}
        for (name, key), value in zip(keys, itertools.compress(after, kept), strict=True):
            statistics[name][key] = value
        return y, loss_function(y, target, **keywords), statistics or None

    return Implementation(function, "library")


def training_step(model: Model, predict: Callable[..., Any], in_mode: InMode) -> Implementation:
    """Loss, gradients by ``tf.GradientTape`` and the step of Keras's optimizer, compiled together where the mode compiles.

    ``predict`` is the model's function, with the penalties in its loss. As in Keras's own training, the optimizer is given
    the gradient of an embedding as the tape has it: slices of rows.
    """
    optimizer = operations.implementations[model.optimizer].function
    counts = "taken" in inspect.signature(optimizer).parameters
    compiled: dict[str, Any] = {}

    def step(
        x: Native, target: Native, parameters: Any, state: Any, slots: Any, taken: Native, conventions: Conventions
    ) -> tuple[Native, Any, Any, Any]:
        values = [leaf for _, leaf in trees.leaves(parameters)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            _, loss, after = predict(x, target, parameters, state, training=True, conventions=conventions)
        gradients = tape.gradient(loss, values)
        chosen = with_conventions(model, conventions)
        names = optimizer_slots(chosen)
        lists = {name: [leaf for _, leaf in trees.leaves(slots[name])] for name in names}
        keywords = {**chosen.optimizer_keywords, **({"taken": taken} if counts else {})}
        outputs = operations.specification[model.optimizer].outputs
        results = trees.by_name(outputs, optimizer(values, [gradients], **lists, **keywords))
        stepped = {name: like(parameters, results[name]) for name in ("parameters", *names)}
        return loss, stepped.pop("parameters"), after, stepped or None

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        slots: Any = None,
        taken: Native = 0,
        *,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[Native, Any, Any, Any]:
        if mode not in compiled:
            compiled[mode] = in_mode(step, mode)
        result: tuple[Native, Any, Any, Any] = compiled[mode](x, target, parameters, state, slots, taken, conventions)
        return result

    return Implementation(function, "library")
