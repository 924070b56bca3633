"""Blocks of transformers: encoder_block, gpt2_block, vision_transformer_block and llama_block.

Each is attention, then a network of two layers at each position, both with a residual connection and a normalization.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.blocks._block_samples import (
    block_workload,
    causal_samples,
    encoder_samples,
    encoder_workload,
    llama_samples,
    llama_workload,
    vision_samples,
)
from tensorproof_reference.blocks._composition import (
    Parameters,
    Parts,
    Step,
    block_gradients,
    require_parameters,
    shaped_arrays,
    values_of,
    work_of,
)
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import shaped
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ATTENTION = tuple(f"{name}_{kind}" for kind in ("weight", "bias") for name in ("query", "key", "value", "output"))
NORMS = ("attention_scale", "attention_offset", "network_scale", "network_offset")
PARAMETERS = (*ATTENTION, *NORMS, "up_weight", "up_bias", "down_weight", "down_bias")
LLAMA_PARAMETERS = (
    *("query_weight", "key_weight", "value_weight", "output_weight"),
    *("attention_scale", "network_scale", "gate_weight", "up_weight", "down_weight"),
)
AXES = {
    **dict.fromkeys(("x", "y"), "b l e"),
    **dict.fromkeys(("query_weight", "key_weight", "value_weight"), "e h d"),
    **dict.fromkeys(("query_bias", "key_bias", "value_bias"), "h d"),
    "output_weight": "h d e",
    **dict.fromkeys(("output_bias", *NORMS), "e"),
    **dict.fromkeys(("gate_weight", "up_weight"), "e f"),
    "up_bias": "f",
    "down_weight": "f e",
    "down_bias": "e",
    "mask": "b l",
    **dict.fromkeys(("cosines", "sines"), "p r"),
}
"""The axes of each array that a block may have."""


def _norm(result: str, x: str, name: str, epsilon: float) -> Step:
    inputs = {"x": x, "scale": f"{name}_scale", "offset": f"{name}_offset"}
    return Step(result, "layer_norm", inputs, {"epsilon": epsilon})


def _attention(x: str, mask: str | None = None, causal: bool = False) -> Step:
    """Heads that attend to the positions of the same sequence."""
    inputs = {**dict.fromkeys(("query", "key", "value"), x), **{name: name for name in ATTENTION}}
    return Step("attended", "multi_head_attention", inputs if mask is None else {**inputs, "mask": mask}, {"causal": causal})


def _network(x: str, activation: str, **keywords: Any) -> tuple[Step, Step, Step]:
    """Up to more features, the activation, and down again."""
    return (
        Step("wide", "dense", {"x": x, "weight": "up_weight", "bias": "up_bias"}),
        Step("active", activation, {"x": "wide"}, keywords),
        Step("narrow", "dense", {"x": "active", "weight": "down_weight", "bias": "down_bias"}),
    )


def _norm_after(epsilon: float) -> tuple[Step, ...]:
    """Each part with its residual connection, then normalized; relu between."""
    return (
        _attention("x", "mask"),
        Step("sum", "add", {"a": "x", "b": "attended"}),
        _norm("middle", "sum", "attention", epsilon),
        *_network("middle", "relu"),
        Step("whole", "add", {"a": "middle", "b": "narrow"}),
        _norm("y", "whole", "network", epsilon),
    )


def _norm_before(epsilon: float, causal: bool, approximation: str) -> tuple[Step, ...]:
    """Each part of what was normalized, added to what was not; gelu between."""
    return (
        _norm("first", "x", "attention", epsilon),
        _attention("first", causal=causal),
        Step("middle", "add", {"a": "x", "b": "attended"}),
        _norm("second", "middle", "network", epsilon),
        *_network("second", "gelu", approximation=approximation),
        Step("y", "add", {"a": "middle", "b": "narrow"}),
    )


def encoder_block(x: Array, parameters: Parameters, mask: Array | None = None, *, epsilon: float = 1e-5) -> Array:
    r"""A block of the encoder of the first transformers, whose normalizations come after the residual connections:

    .. math:: z = \mathrm{LN}_1(x + \mathrm{Attention}(x)), \quad
        y = \mathrm{LN}_2(z + \max(0, z W_{up} + b_{up})\, W_{down} + b_{down}).

    ``mask`` is true for the positions of an example that count as keys; LN is ``layer_norm`` with ``epsilon``.

    Shapes: ``x`` and the result (B, L, E). ``parameters`` is a dict of ``query_weight``, ``key_weight``, ``value_weight`` (E, H,
    D), their biases (H, D), ``output_weight`` (H, D, E), ``output_bias`` (E); ``attention_scale``, ``attention_offset``,
    ``network_scale``, ``network_offset`` (E) of both normalizations; ``up_weight`` (E, F), ``up_bias`` (F), ``down_weight``
    (F, E), ``down_bias`` (E). ``mask`` (B, L), boolean.
    Special values: NaN makes all positions of its example NaN, but only its own if it is masked.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Vaswani et al. (2017), sections 3.1 and 3.3; the texts, 000 [5].
    """
    return values_of(*_encoder(x, parameters, mask, epsilon))["y"]


def _encoder(x: Array, parameters: Parameters, mask: Array | None, epsilon: float) -> Parts:
    require_parameters(parameters, PARAMETERS)
    require_rank(x, "x", 3)
    if mask is not None:
        require_shape(mask, "mask", x.shape[:2])
    of_keys = None if mask is None else mask.reshape(mask.shape[0], 1, 1, mask.shape[1])
    return _norm_after(epsilon), {"x": x, **parameters, "mask": of_keys}


def gpt2_block(x: Array, parameters: Parameters, *, epsilon: float = 1e-5) -> Array:
    r"""A block of GPT-2, whose normalizations come before each part, and whose attention is causal:

    .. math:: z = x + \mathrm{Attention}(\mathrm{LN}_1(x)), \quad
        y = z + \mathrm{gelu}(\mathrm{LN}_2(z) W_{up} + b_{up})\, W_{down} + b_{down},

    with the tanh approximation of ``gelu``; LN is ``layer_norm`` with ``epsilon``.

    Shapes: ``x`` and the result (B, L, E); ``parameters`` is a dict of those of ``encoder_block``.
    Special values: NaN makes its own position and all later ones of its example NaN.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Radford et al. (2019), section 2.3.
    """
    return values_of(*_gpt2(x, parameters, epsilon))["y"]


def _gpt2(x: Array, parameters: Parameters, epsilon: float) -> Parts:
    require_parameters(parameters, PARAMETERS)
    require_rank(x, "x", 3)
    return _norm_before(epsilon, causal=True, approximation="tanh"), {"x": x, **parameters}


def vision_transformer_block(x: Array, parameters: Parameters, *, epsilon: float = 1e-6) -> Array:
    r"""A block of a vision transformer: that of ``gpt2_block``, but all patches attend to all, and ``gelu`` is exact.

    .. math:: z = x + \mathrm{Attention}(\mathrm{LN}_1(x)), \quad
        y = z + \mathrm{gelu}(\mathrm{LN}_2(z) W_{up} + b_{up})\, W_{down} + b_{down}.

    Shapes: ``x`` and the result (B, L, E); ``parameters`` is a dict of those of ``encoder_block``.
    Special values: NaN makes all positions of its example NaN.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Dosovitskiy et al. (2021), eq. 2 and 3.
    """
    return values_of(*_vision(x, parameters, epsilon))["y"]


def _vision(x: Array, parameters: Parameters, epsilon: float) -> Parts:
    require_parameters(parameters, PARAMETERS)
    require_rank(x, "x", 3)
    return _norm_before(epsilon, causal=False, approximation="none"), {"x": x, **parameters}


def llama_block(x: Array, parameters: Parameters, cosines: Array, sines: Array, *, epsilon: float = 1e-6) -> Array:
    r"""A block of Llama: ``rms_norm`` before each part, queries and keys turned by ``rotary_embedding``, causal attention whose
    heads share keys and values (``grouped_query_attention``), and a network with a gate:

    .. math:: z = x + \mathrm{Attention}(\mathrm{RMS}_1(x)), \quad
        y = z + (\mathrm{silu}(n W_{gate}) \odot n W_{up})\, W_{down}, \quad n = \mathrm{RMS}_2(z).

    There are no biases. Pairs of features are halves of each head.

    Shapes: ``x`` and the result (B, L, E). ``parameters`` is a dict of ``query_weight`` (E, H, D), ``key_weight`` and
    ``value_weight`` (E, G, D), ``output_weight`` (H, D, E); ``attention_scale``, ``network_scale`` (E); ``gate_weight`` and
    ``up_weight`` (E, F), ``down_weight`` (F, E). ``cosines`` and ``sines`` (P, D/2), with P ≥ L, have no gradient.
    Special values: NaN makes its own position and all later ones of its example NaN.
    Raises: ``ValueError`` if a parameter is missing or unknown, or shapes do not fit.
    Source: Touvron et al. (2023), section 2.2; Grattafiori et al. (2024), section 3.2 (groups).
    """
    return values_of(*_llama(x, parameters, cosines, sines, epsilon))["y"]


def _projected(name: str, batch: int, length: int, weight: Array) -> tuple[Step, ...]:
    """Heads of a projection: (B, H, L, D)."""
    features, heads, width = weight.shape
    return (
        Step(f"{name}_matrix", "reshape", {"x": f"{name}_weight"}, {"shape": (features, heads * width)}),
        Step(f"{name}_rows", "dense", {"x": "first", "weight": f"{name}_matrix"}),
        Step(f"{name}_of_heads", "reshape", {"x": f"{name}_rows"}, {"shape": (batch, length, heads, width)}),
        Step(name, "permute", {"x": f"{name}_of_heads"}, {"axes": (0, 2, 1, 3)}),
    )


def _llama(x: Array, parameters: Parameters, cosines: Array, sines: Array, epsilon: float) -> Parts:
    require_parameters(parameters, LLAMA_PARAMETERS)
    require_rank(x, "x", 3)
    for name in ("query_weight", "key_weight", "value_weight", "output_weight"):
        require_rank(parameters[name], name, 3)
    batch, length, features = x.shape
    heads, width = parameters["query_weight"].shape[1:]
    require_shape(parameters["output_weight"], "output_weight", (heads, width, features))
    require(width % 2 == 0, "query_weight", "heads of an even number of features", width)
    norms = [
        Step(result, "rms_norm", {"x": given, "scale": scale}, {"epsilon": epsilon})
        for result, given, scale in (("first", "x", "attention_scale"), ("second", "middle", "network_scale"))
    ]
    projections = [
        step for name in ("query", "key", "value") for step in _projected(name, batch, length, parameters[f"{name}_weight"])
    ]
    turns = [
        Step(f"turned_{name}", "rotary_embedding", {"x": name, "cosines": "cosines", "sines": "sines"})
        for name in ("query", "key")
    ]
    attention = (
        Step(
            "heads",
            "grouped_query_attention",
            {"query": "turned_query", "key": "turned_key", "value": "value"},
            {"causal": True},
        ),
        Step("positions", "permute", {"x": "heads"}, {"axes": (0, 2, 1, 3)}),
        Step("together", "reshape", {"x": "positions"}, {"shape": (batch, length, heads * width)}),
        Step("output_matrix", "reshape", {"x": "output_weight"}, {"shape": (heads * width, features)}),
        Step("attended", "dense", {"x": "together", "weight": "output_matrix"}),
        Step("middle", "add", {"a": "x", "b": "attended"}),
    )
    network = (
        Step("gate", "dense", {"x": "second", "weight": "gate_weight"}),
        Step("open", "silu", {"x": "gate"}),
        Step("wide", "dense", {"x": "second", "weight": "up_weight"}),
        Step("active", "multiply", {"a": "open", "b": "wide"}),
        Step("narrow", "dense", {"x": "active", "weight": "down_weight"}),
        Step("y", "add", {"a": "middle", "b": "narrow"}),
    )
    steps = (norms[0], *projections, *turns, *attention, norms[1], *network)
    return steps, {"x": x, **parameters, "cosines": cosines, "sines": sines}


def _encoder_vjp(dy: Array, x: Array, parameters: Parameters, mask: Array | None = None, *, epsilon: float = 1e-5) -> Gradients:
    """The gradients of the steps, from the last to the first; x has those of the attention and of the residual connection."""
    return block_gradients({"y": dy}, _encoder(x, parameters, mask, epsilon), parameters)


def _gpt2_vjp(dy: Array, x: Array, parameters: Parameters, *, epsilon: float = 1e-5) -> Gradients:
    """The gradients of the steps, from the last to the first; x has those of the normalization and of the residual connection."""
    return block_gradients({"y": dy}, _gpt2(x, parameters, epsilon), parameters)


def _vision_vjp(dy: Array, x: Array, parameters: Parameters, *, epsilon: float = 1e-6) -> Gradients:
    """As for ``gpt2_block``."""
    return block_gradients({"y": dy}, _vision(x, parameters, epsilon), parameters)


def _llama_vjp(dy: Array, x: Array, parameters: Parameters, cosines: Array, sines: Array, *, epsilon: float = 1e-6) -> Gradients:
    """As for ``gpt2_block``; the tables are fixed."""
    return block_gradients({"y": dy}, _llama(x, parameters, cosines, sines, epsilon), parameters)


def _encoder_work(x: Array, parameters: Parameters, mask: Array | None = None, *, epsilon: float = 1e-5) -> Work:
    """That of the steps; a ``mask`` is taken to allow all."""
    return work_of(*_encoder(shaped(x), shaped_arrays(parameters), None, epsilon))


def _gpt2_work(x: Array, parameters: Parameters, *, epsilon: float = 1e-5) -> Work:
    """That of the steps."""
    return work_of(*_gpt2(shaped(x), shaped_arrays(parameters), epsilon))


def _vision_work(x: Array, parameters: Parameters, *, epsilon: float = 1e-6) -> Work:
    """That of the steps."""
    return work_of(*_vision(shaped(x), shaped_arrays(parameters), epsilon))


def _llama_work(x: Array, parameters: Parameters, cosines: Array, sines: Array, *, epsilon: float = 1e-6) -> Work:
    """That of the steps."""
    return work_of(*_llama(shaped(x), shaped_arrays(parameters), shaped(cosines), shaped(sines), epsilon))


def _block(
    function: Callable[..., Array],
    vjp: Callable[..., Gradients],
    samples: Callable[[Stream], Iterator[Sample]],
    workload: Callable[[Stream, str], Sample],
    work: Callable[..., Work],
    arrays: Sequence[str],
    documents: tuple[str, ...] = (),
) -> Operation:
    """The record of a block; ``arrays`` are its parameters and what else it is given."""
    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="block",
        profile=EXTENDED,
        differentiable=("x", "parameters"),
        axes={name: AXES[name] for name in ("x", *arrays, "y")},
        documents=documents,
        workload=workload,
        work=work,
    )


OPERATIONS = (
    _block(encoder_block, _encoder_vjp, encoder_samples, encoder_workload, _encoder_work, (*PARAMETERS, "mask"), ("000 [5]",)),
    _block(gpt2_block, _gpt2_vjp, causal_samples, block_workload, _gpt2_work, PARAMETERS),
    _block(vision_transformer_block, _vision_vjp, vision_samples, block_workload, _vision_work, PARAMETERS),
    _block(llama_block, _llama_vjp, llama_samples, llama_workload, _llama_work, (*LLAMA_PARAMETERS, "cosines", "sines")),
)
