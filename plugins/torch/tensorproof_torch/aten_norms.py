"""Rules for ATen operators that normalize, for ``tensorproof judge``."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Hand, Value


def layer_norm(hand: Hand, x: Value, shape: Sequence[int], weight: Any, bias: Any, epsilon: float) -> Any:
    """With both scale and offset, or neither."""
    axes = tuple(range(-len(shape), 0))
    both = (weight is None) == (bias is None)
    if not both:
        return None
    return hand.call("layer_norm", {"axes": axes, "epsilon": epsilon}, x=x, scale=weight, offset=bias), None, None


def group_norm(
    hand: Hand, x: Value, weight: Any, bias: Any, examples: int, channels: int, positions: int, groups: int, epsilon: float
) -> Any:
    """With both scale and offset, or neither."""
    if (weight is None) != (bias is None):
        return None
    return hand.call("group_norm", {"groups": groups, "epsilon": epsilon}, x=x, scale=weight, offset=bias), None, None


def batch_norm_at_inference(
    hand: Hand, x: Value, weight: Any, bias: Any, mean: Value, variance: Value, momentum: float, epsilon: float
) -> Any:
    """Written out, for a running statistic is no output."""
    return _normalized(hand, x, weight, bias, mean, variance, epsilon), None, None


def batch_norm(
    hand: Hand, x: Value, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, momentum: float, epsilon: float
) -> Any:
    """Written out, with the statistics of the batch in training. What becomes of the running ones is not known."""
    if training:
        over = {"axis": (0, *range(2, len(x.shape))), "keepdims": False}
        mean, variance = hand.call("reduce_mean", over, x=x), hand.call("variance", over, x=x)
    return _normalized(hand, x, weight, bias, mean, variance, epsilon), None, None


def _normalized(hand: Hand, x: Value, weight: Any, bias: Any, mean: Value, variance: Value, epsilon: float) -> Value:
    shape = (1, -1, *[1] * (len(x.shape) - 2))

    def along(item: Value) -> Value:
        return hand.call("reshape", {"shape": shape}, x=item)

    root = hand.call("rsqrt", x=hand.call("add", a=along(variance), b=epsilon))
    found = hand.call("multiply", a=hand.call("subtract", a=x, b=along(mean)), b=root)
    found = found if weight is None else hand.call("multiply", a=found, b=along(weight))
    return found if bias is None else hand.call("add", a=found, b=along(bias))
