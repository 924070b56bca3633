"""Models of the layers of ``flax.linen``, with the weights given in each call, and their training with Optax.

Flax holds images channels last, and kernels (height, width, channels in, channels out); ``conv2d`` and ``conv2d_transpose`` of
this plugin hold them channels first. Images are turned at the ends of a network, and kernels where they enter it.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tensorproof.backend import Implementation, Native, Unsupported
from tensorproof.contract.models import NO_CONVENTIONS, Conventions
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.jitted import differentiated, in_mode
from tensorproof_jax.recurrent import gru_parameters, lstm_parameters, simple_parameters
from tensorproof_jax.table import operations
from tensorproof_jax.windows import LAYOUTS as CHANNELS_LAST
from tensorproof_jax.windows import Padding, Pair, cropping_padding, lax_padding
from tensorproof_reference import trees
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.networks.evaluation import optimizer_slots, with_conventions

Module = Callable[[Native], Native]
Weights = Mapping[str, Any]

NAMES = {"weight": "kernel", "offset": "bias"}
"""The names that Flax has for what the reference names otherwise."""
STATISTICS = {"running_mean": "mean", "running_variance": "var"}
CELL_PARAMETERS = {"simple_rnn": simple_parameters, "lstm": lstm_parameters, "gru": gru_parameters}


def _dense(layer: Layer) -> Module:
    module: Module = linen.Dense(layer.parameters["weight"].shape[1], use_bias="bias" in layer.parameters)
    return module


def _conv2d(
    layer: Layer, *, stride: Pair = (1, 1), padding: Padding = "valid", dilation: Pair = (1, 1), groups: int = 1
) -> Module:
    filters, _, *kernel = layer.parameters["weight"].shape
    module: Module = linen.Conv(
        *(filters, tuple(kernel), stride, lax_padding(padding)),
        kernel_dilation=dilation,
        feature_group_count=groups,
        use_bias="bias" in layer.parameters,
    )
    return module


def _conv2d_transpose(
    layer: Layer,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Module:
    if groups != 1:
        raise Unsupported("flax.linen.ConvTranspose has no groups")
    _, filters, *kernel = layer.parameters["weight"].shape
    module: Module = linen.ConvTranspose(
        *(filters, tuple(kernel), stride, cropping_padding(padding, kernel, dilation, output_padding)),
        kernel_dilation=dilation,
        use_bias="bias" in layer.parameters,
        transpose_kernel=True,
    )
    return module


def _max_pool2d(
    layer: Layer, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Module:
    if ceil_mode:
        raise Unsupported("the pooling of Flax has no ceil mode")
    return partial(
        linen.max_pool, window_shape=window, strides=window if stride is None else stride, padding=lax_padding(padding)
    )


def _flatten(layer: Layer, *, order: str = "channels_first") -> Module:
    def flatten(x: Native) -> Native:
        held = "channels_last" if x.ndim == 4 else "channels_first"
        if order != held:
            x = jnp.moveaxis(x, -1, 1) if held == "channels_last" else jnp.moveaxis(x, 1, -1)
        return jax.lax.collapse(x, 1)

    return flatten


def _batch_norm(
    layer: Layer,
    *,
    training: bool,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> Module:
    if training and running_variance_estimate != "biased":
        raise Unsupported("the running variance of flax.linen.BatchNorm is the biased one")
    module: Module = linen.BatchNorm(
        use_running_average=not training,
        momentum=momentum,
        epsilon=epsilon,
        use_bias="offset" in layer.parameters,
        use_scale="scale" in layer.parameters,
    )
    return module


def _embedding(layer: Layer, *, out_of_range: str = "error") -> Module:
    module: Module = linen.Embed(*layer.parameters["weight"].shape)
    return module


def _recurrent(kind: str, layer: Layer, dtype: Any, return_sequences: bool = True, **options: Any) -> Module:
    """Layers on top of each other; the cell's ``param_dtype`` is that of its initial state."""
    stack: list[Module] = []
    for directions in layer.parameters["parameters"]:
        if len(directions) != 1:
            raise Unsupported("recurrent layers in two directions are not built from layers of Flax yet")
        units = directions[0]["recurrent_weights"].shape[0]
        stack.append(linen.RNN(getattr(linen, kind)(units, param_dtype=dtype, **options)))
    if not return_sequences:
        stack.append(lambda sequences: sequences[:, -1])
    module: Module = linen.Sequential(stack)
    return module


def _simple_rnn(layer: Layer, *, dtype: Any, activation: str = "tanh", return_sequences: bool = True) -> Module:
    function = {"tanh": jnp.tanh, "relu": jax.nn.relu}[activation]
    return _recurrent("SimpleCell", layer, dtype, return_sequences, activation_fn=function)


def _lstm(layer: Layer, *, dtype: Any, return_sequences: bool = True) -> Module:
    return _recurrent("OptimizedLSTMCell", layer, dtype, return_sequences)


def _gru(layer: Layer, *, dtype: Any, reset: str = "before", return_sequences: bool = True) -> Module:
    if reset != "after":
        raise Unsupported("flax.linen.GRUCell resets after the recurrent product")
    return _recurrent("GRUCell", layer, dtype, return_sequences)


MODULES: Mapping[str, Callable[..., Module]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "conv2d_transpose": _conv2d_transpose,
    "max_pool2d": _max_pool2d,
    "flatten": _flatten,
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    "dropout": lambda layer, *, training, rate=0.5: linen.Dropout(rate, deterministic=not training),
    "simple_rnn": _simple_rnn,
    "lstm": _lstm,
    "gru": _gru,
    "relu": lambda layer: linen.relu,
    "leaky_relu": lambda layer, *, negative_slope=0.2: partial(linen.leaky_relu, negative_slope=negative_slope),
    "sigmoid": lambda layer: linen.sigmoid,
    "tanh": lambda layer: linen.tanh,
    "softmax": lambda layer: linen.softmax,
}


def network(model: Model, training: bool, dtype: Any) -> Any:
    """The model's layers in order, as ``flax.linen.Sequential``.

    Raises:
        Unsupported: there is no module for one of the layers, or it has not what the model asks for.
    """
    modules = []
    for name, layer in model.layers.items():
        if layer.operation not in MODULES:
            raise Unsupported(f"layer {name}: no module of Flax for {layer.operation}")
        build = MODULES[layer.operation]
        chosen = {"training": training, "dtype": dtype}
        wanted = inspect.signature(build).parameters
        modules.append(build(layer, **{key: value for key, value in chosen.items() if key in wanted}, **layer.keywords))
    return linen.Sequential(modules)


def _by_module(model: Model, of_layer: Callable[[Layer, Weights], Weights], given: Mapping[str, Weights]) -> dict[str, Weights]:
    """The weights of each layer that has any, by the names that ``flax.linen.Sequential`` gives to its modules."""
    return {f"layers_{i}": of_layer(model.layers[name], given[name]) for i, name in enumerate(model.layers) if name in given}


def _parameters(layer: Layer, given: Weights) -> dict[str, Any]:
    if layer.operation in CELL_PARAMETERS:
        named = CELL_PARAMETERS[layer.operation]
        return {f"layers_{i}": {"cell": named(directions[0])} for i, directions in enumerate(given["parameters"])}
    if layer.operation == "embedding":
        return {"embedding": given["weight"]}
    return {NAMES.get(key, key): value.transpose(2, 3, 1, 0) if value.ndim == 4 else value for key, value in given.items()}


def _statistics(layer: Layer, given: Weights) -> dict[str, Any]:
    return {STATISTICS[key]: value for key, value in given.items()}


def _turned(image: Native, source: int, destination: int) -> Native:
    return jnp.moveaxis(image, source, destination) if image.ndim == 4 else image


def layered(model: Model) -> Implementation:
    """The model as ``flax.linen.Sequential``, a pure function of its weights."""
    loss_function = operations.implementations[model.loss].function
    names = [layer.operation for layer in model.layers.values()]
    windows = [name for name in names if operations.specification[name].family == "window"]
    turn_in, turn_out = names[0] not in CHANNELS_LAST, not windows or windows[-1] not in CHANNELS_LAST

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        *,
        training: bool = False,
        conventions: Conventions = NO_CONVENTIONS,
    ) -> tuple[Native, Native, Any]:
        chosen, before = with_conventions(model, conventions), state or {}
        layers = network(chosen, training, jax.tree.leaves(parameters)[0].dtype)
        variables = {
            "params": _by_module(model, _parameters, parameters),
            "batch_stats": _by_module(model, _statistics, before),
        }
        y, changed = layers.apply(
            variables, _turned(x, 1, -1) if turn_in else x, mutable=["batch_stats"], rngs={"dropout": jax.random.key(0)}
        )
        if turn_out:
            y = _turned(y, -1, 1)
        after = {
            name: {
                # Flax works its running statistics out in float32 at least; here they keep the dtype in which they came.
                key: changed["batch_stats"][f"layers_{i}"][STATISTICS[key]].astype(value.dtype)
                for key, value in before[name].items()
            }
            for i, name in enumerate(model.layers)
            if name in before
        }
        return y, loss_function(y, target, **chosen.loss_keywords), after or None

    return Implementation(function, "library")


def trained(model: Model, predict: Callable[..., Any]) -> Implementation:
    """One training step: ``jax.value_and_grad`` of the loss, then Optax, compiled together by ``jax.jit`` if at all.

    ``predict`` is the model's function, with the penalties in its loss.
    """
    optimizer = operations.implementations[model.optimizer].function
    specification = operations.specification[model.optimizer]
    steps: dict[str, Callable[..., Any]] = {}

    def step(
        mode: str, conventions: Conventions, x: Native, target: Native, parameters: Any, state: Any, slots: Any, taken: Native
    ) -> tuple[Native, Any, Any, Any]:
        def loss_of(weights: Any) -> tuple[Native, Any]:
            _, loss, after = predict(x, target, weights, state, training=True, conventions=conventions)
            return loss, after

        (loss, after), gradients = jax.value_and_grad(differentiated(loss_of, mode), has_aux=True)(parameters)
        chosen = with_conventions(model, conventions)
        keywords: dict[str, Any] = dict(chosen.optimizer_keywords)
        if "taken" in inspect.signature(specification.function).parameters:
            keywords["taken"] = taken
        values, structure = jax.tree.flatten(parameters)
        lists = {name: jax.tree.leaves(slots[name]) for name in optimizer_slots(chosen)}
        results = trees.by_name(specification.outputs, optimizer(values, [jax.tree.leaves(gradients)], **lists, **keywords))
        stepped = {name: jax.tree.unflatten(structure, results[name]) for name in ("parameters", *lists)}
        return loss, stepped.pop("parameters"), after, stepped or None

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        slots: Any = None,
        taken: Any = 0,
        *,
        conventions: Conventions = NO_CONVENTIONS,
        mode: str = "eager",
    ) -> tuple[Native, Any, Any, Any]:
        key = f"{mode} {conventions}"
        if key not in steps:
            steps[key] = in_mode(partial(step, mode, conventions), mode)
        loss, *results = steps[key](x, target, parameters, state, slots, taken)
        # JAX sorts the keys of dicts.
        return loss, *(_ordered(result, given) for result, given in zip(results, (parameters, state, slots), strict=True))

    return Implementation(function, "library")


def _ordered(result: Any, given: Any) -> Any:
    """The result in the order of what was given."""
    if result is None:
        return None
    found = dict(trees.leaves(result))
    return trees.replace_leaves(given, lambda path, leaf: found[path])
