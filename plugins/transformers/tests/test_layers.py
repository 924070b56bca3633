"""Layers of Transformers without weights of their own, and graphs without a break."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tensorproof_transformers.functions import gpt2_block, rms_norm  # noqa: E402 - where there is a Transformers only
from tensorproof_transformers.layers import LAYERS  # noqa: E402

SHAPES = {
    **dict.fromkeys(("query_weight", "key_weight", "value_weight"), (8, 2, 4)),
    **dict.fromkeys(("query_bias", "key_bias", "value_bias"), (2, 4)),
    "output_weight": (2, 4, 8),
    **dict.fromkeys(("output_bias", "attention_scale", "attention_offset", "network_scale", "network_offset"), (8,)),
    "up_weight": (8, 16),
    "up_bias": (16,),
    "down_weight": (16, 8),
    "down_bias": (8,),
}


def drawn(shapes):
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=shape) for name, shape in shapes.items()}


def native(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_a_layer_takes_the_weights_of_each_call_and_keeps_none():
    x, parameters = torch.ones(2, 3, 8, dtype=torch.float64), drawn(SHAPES)
    first = gpt2_block(x, native(parameters))
    other = gpt2_block(x, native({**parameters, "down_bias": parameters["down_bias"] + 1}))
    assert (other > first).all()
    assert torch.equal(gpt2_block(x, native(parameters)), first)
    assert all(parameter.is_meta for parameter in LAYERS["gpt2", 8, 2, 16, 1e-5].parameters())


def test_heads_that_are_not_as_wide_as_the_features_are_unsupported():
    with pytest.raises(Exception, match="as wide as the features"):
        gpt2_block(torch.zeros(1, 2, 8), native(drawn({**SHAPES, "query_bias": (2, 3)})))


def test_a_block_is_compiled_as_one_graph():
    x, parameters = torch.zeros(2, 3, 8, dtype=torch.float64), native(drawn(SHAPES))
    gpt2_block(x, parameters)
    compiled = torch.compile(lambda x: gpt2_block(x, parameters), fullgraph=True, backend="aot_eager")
    assert compiled(x).shape == x.shape  # fullgraph raises an exception at a break


def test_root_mean_square_in_float64_is_that_of_float32():
    x, scale = torch.ones(1, 8, dtype=torch.float64) / 3, torch.ones(8, dtype=torch.float64)
    assert rms_norm(x, scale).dtype == torch.float64
    assert torch.equal(rms_norm(x, scale), rms_norm(x.float(), scale))
