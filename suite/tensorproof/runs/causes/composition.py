"""What an operation is made of, so that a wrong part explains a wrong whole."""

import functools
from collections.abc import Mapping

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.evaluation import operations_of
from tensorproof_reference.networks.fitting import FITTING
from tensorproof_reference.networks.operations import TRAINING

FORMULAS: Mapping[str, tuple[str, ...]] = {
    "silu": ("sigmoid",),
    "glu": ("sigmoid",),
    "swiglu": ("silu",),
    "hard_swish": ("hard_sigmoid",),
    "mish": ("softplus", "tanh"),
    "log_softmax": ("softmax",),
    "standard_deviation": ("variance",),
    "simple_rnn": ("tanh", "matmul"),
    "lstm": ("tanh", "sigmoid", "lstm_gates", "matmul"),
    "lstm_gates": ("tanh", "sigmoid"),
    "gru": ("tanh", "sigmoid", "gru_gates", "matmul"),
    "gru_gates": ("tanh", "sigmoid"),
    "padded_simple_rnn": ("simple_rnn",),
    "padded_lstm": ("lstm",),
    "padded_gru": ("gru",),
    "masked_simple_rnn": ("simple_rnn",),
    "masked_lstm": ("lstm",),
    "masked_gru": ("gru",),
    "peephole_lstm": ("lstm",),
    "dense": ("matmul",),
    "gemm": ("matmul",),
    "mixed_matmul": ("matmul",),
    "mixed_layer_norm": ("layer_norm",),
    "mixed_rms_norm": ("rms_norm",),
    "mixed_adamw": ("adamw",),
    "master_adamw": ("adamw",),
    "linear_regression": ("dense", "matmul"),
    "logistic_regression": ("dense", "matmul", "sigmoid"),
    "scaled_dot_product_attention": ("softmax", "matmul"),
    "grouped_query_attention": ("softmax", "matmul"),
    "attention_dropout": ("softmax", "matmul", "dropout"),
    "multi_head_attention": ("dense", "grouped_query_attention"),
    "multi_head_attention_weights": ("dense", "grouped_query_attention"),
    "cached_attention": ("grouped_query_attention",),
    "encoder_block": ("layer_norm", "multi_head_attention", "relu", "add"),
    "gpt2_block": ("layer_norm", "multi_head_attention", "gelu", "add"),
    "vision_transformer_block": ("layer_norm", "multi_head_attention", "gelu", "add"),
    "llama_block": ("rms_norm", "rotary_embedding", "grouped_query_attention", "dense", "silu", "multiply", "add"),
    "residual_block": ("conv2d", "batch_norm", "relu", "add"),
    "graph_convolution": ("dense", "matmul", "reduce_sum", "rsqrt", "multiply", "add", "relu"),
    "mixture_of_experts": ("dense", "softmax", "top_k", "einsum", "add", "relu", "take_along_axis"),
    "variational_autoencoder": ("dense", "exp", "square", "multiply", "add", "subtract", "reduce_sum"),
    "u_net_step": ("conv2d", "relu", "max_pool2d", "conv2d_transpose", "concatenate"),
    "federated_average": ("stack", "reduce_sum", "reduce_mean", "multiply", "divide"),
    "softmax_cross_entropy": ("log_softmax", "softmax"),
    "focal": ("sigmoid", "softplus"),
    "soft_margin": ("softplus",),
    "binary_cross_entropy_with_logits": ("sigmoid", "softplus"),
}
"""The operations that the formula of a basic operation holds."""


@functools.cache
def parts_of(name: str) -> frozenset[str]:
    """The names of all operations that an operation is made of, and those of its parts; none if it is unknown.

    >>> sorted(parts_of("logistic_regression"))
    ['dense', 'matmul', 'sigmoid']
    """
    direct = set(FORMULAS.get(name, ()))
    operation = known_operations().get(name)
    model = operation.model if operation else None
    if isinstance(model, Adversaries):
        players = model.players().values()
        direct |= {player.name for player in players}.union(*(operations_of(player) for player in players))
    elif model is not None:
        direct |= {model.name, f"{model.name}{TRAINING}"} if name.endswith(FITTING) else {model.name}
        direct |= set(operations_of(model))
    found = (direct - {name}).union(*(parts_of(part) for part in direct - {name}))
    return frozenset(found - {name})
