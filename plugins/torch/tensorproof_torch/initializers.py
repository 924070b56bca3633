"""Initialisers of weights, and random draws for augmentation and shuffling."""

from collections.abc import Mapping

import torch
from torch.nn import init

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

LAYER_INITIALIZERS: Mapping[str, str] = {
    "dense": "he_uniform(negative_slope=sqrt(5))",
    "dense_bias": "uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in))",
    "conv2d": "he_uniform(negative_slope=sqrt(5))",
    "conv2d_bias": "uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in))",
    "simple_rnn": "uniform(low=-1/sqrt(hidden), high=1/sqrt(hidden))",
    "lstm": "uniform(low=-1/sqrt(hidden), high=1/sqrt(hidden))",
    "gru": "uniform(low=-1/sqrt(hidden), high=1/sqrt(hidden))",
    "embedding": "normal(deviation=1)",
}
"""What PyTorch's own layers draw their weights from: operations of the specification, in Python. For recurrent layers it is that
of all weights and biases."""

GRAPH_BREAKS = (
    *("uniform", "normal", "truncated_normal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"),
    *("lecun_uniform", "lecun_normal", "orthogonal", "shuffle", "random_flip", "random_rotation", "random_shift"),
)
"""Dynamo cannot trace a generator as part of a graph."""


def _generator(like: Native, seed: int) -> torch.Generator:
    return torch.Generator(like.device).manual_seed(seed)


def require_normal(distribution: str) -> None:
    """Only ``normal`` is what ``torch.nn.init`` draws from."""
    if distribution != "normal":
        raise Unsupported("the normal initialisers of torch.nn.init are not truncated")


@operations.native
def uniform(like: Native, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Native:
    """``torch.nn.init.uniform_``."""
    return init.uniform_(torch.empty_like(like), low, high, generator=_generator(like, seed))


@operations.native
def normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``torch.nn.init.normal_``."""
    return init.normal_(torch.empty_like(like), mean, deviation, generator=_generator(like, seed))


@operations.native
def truncated_normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``torch.nn.init.trunc_normal_``, whose bounds are values, not deviations."""
    low, high = mean - 2.0 * deviation, mean + 2.0 * deviation
    return init.trunc_normal_(torch.empty_like(like), mean, deviation, low, high, generator=_generator(like, seed))


@operations.native
def glorot_uniform(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``torch.nn.init.xavier_uniform_``."""
    return init.xavier_uniform_(torch.empty_like(like), gain, generator=_generator(like, seed))


@operations.native
def glorot_normal(like: Native, *, gain: float = 1.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``torch.nn.init.xavier_normal_``."""
    require_normal(distribution)
    return init.xavier_normal_(torch.empty_like(like), gain, generator=_generator(like, seed))


@operations.native
def he_uniform(like: Native, *, negative_slope: float = 0.0, seed: int = 0) -> Native:
    """``torch.nn.init.kaiming_uniform_``."""
    return init.kaiming_uniform_(torch.empty_like(like), negative_slope, generator=_generator(like, seed))


@operations.native
def he_normal(like: Native, *, negative_slope: float = 0.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``torch.nn.init.kaiming_normal_``."""
    require_normal(distribution)
    return init.kaiming_normal_(torch.empty_like(like), negative_slope, generator=_generator(like, seed))


@operations.native
def lecun_uniform(like: Native, *, seed: int = 0) -> Native:
    """``torch.nn.init.kaiming_uniform_`` for linear layers."""
    return init.kaiming_uniform_(torch.empty_like(like), nonlinearity="linear", generator=_generator(like, seed))


@operations.native
def lecun_normal(like: Native, *, distribution: str = "normal", seed: int = 0) -> Native:
    """``torch.nn.init.kaiming_normal_`` for linear layers."""
    require_normal(distribution)
    return init.kaiming_normal_(torch.empty_like(like), nonlinearity="linear", generator=_generator(like, seed))


@operations.native
def orthogonal(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``torch.nn.init.orthogonal_``."""
    return init.orthogonal_(torch.empty_like(like), gain, generator=_generator(like, seed))


@operations.native
def shuffle(x: Native, *, seed: int = 0) -> Native:
    """``torch.randperm``."""
    return x[torch.randperm(len(x), generator=_generator(x, seed), device=x.device)]


@operations.composed
def random_flip(x: Native, *, probability: float = 0.5, seed: int = 0) -> Native:
    """A Bernoulli draw for each image."""
    chance = torch.full((len(x), 1, 1, 1), probability, device=x.device)
    return torch.where(torch.bernoulli(chance, generator=_generator(x, seed)).bool(), x.flip(-1), x)


@operations.composed
def random_rotation(like: Native, *, degrees: float = 15.0, seed: int = 0) -> Native:
    """``Tensor.uniform_``."""
    return torch.empty_like(like).uniform_(-degrees, degrees, generator=_generator(like, seed))


@operations.composed
def random_shift(like: Native, *, fraction: float = 0.1, seed: int = 0) -> Native:
    """``Tensor.uniform_``."""
    return torch.empty_like(like).uniform_(-fraction, fraction, generator=_generator(like, seed))
