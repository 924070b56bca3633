"""Functions of one number and of two, comparisons, and activations beyond the core (profile ``extended``)."""

import functools
from typing import Any

import paddle
import paddle.nn.functional as F

from tensorproof_paddle.table import native

OF_ONE: dict[str, Any] = {
    "abs": paddle.abs,
    "cos": paddle.cos,
    "erf": paddle.erf,
    "exp": paddle.exp,
    "expm1": paddle.expm1,
    "floor": paddle.floor,
    "log": paddle.log,
    "log1p": paddle.log1p,
    "negative": paddle.neg,
    "reciprocal": paddle.reciprocal,
    "round": paddle.round,
    "rsqrt": paddle.rsqrt,
    "sign": paddle.sign,
    "sin": paddle.sin,
    "sqrt": paddle.sqrt,
    "square": paddle.square,
    "hard_swish": F.hardswish,
    "mish": F.mish,
    "relu6": F.relu6,
    "selu": F.selu,
    "softsign": F.softsign,
}
OF_TWO: dict[str, Any] = {
    "add": paddle.add,
    "subtract": paddle.subtract,
    "multiply": paddle.multiply,
    "divide": paddle.divide,
    "power": paddle.pow,
    "equal": paddle.equal,
    "not_equal": paddle.not_equal,
    "less": paddle.less_than,
    "less_equal": paddle.less_equal,
    "greater": paddle.greater_than,
    "greater_equal": paddle.greater_equal,
}


for name, function in OF_ONE.items():
    native(name, functools.partial(lambda function, of: function(of.x), function))
for name, function in OF_TWO.items():
    native(name, functools.partial(lambda function, of: function(of.a, of.b), function))
native("where", lambda of: paddle.where(of.condition, of.a, of.b))
native("elu", lambda of: F.elu(of.x, of.alpha))
native("celu", lambda of: F.celu(of.x, of.alpha))
native("glu", lambda of: F.glu(of.x, of.axis))
native("hard_tanh", lambda of: F.hardtanh(of.x, of.low, of.high))
native("threshold", lambda of: F.thresholded_relu(of.x, of.threshold, of.value))
