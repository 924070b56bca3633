"""Blocks of transformers by plain formulas, one position after the other; what they may see; errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from tensorproof_reference.blocks._block_samples import causal_samples, encoder_samples, llama_samples
from tensorproof_reference.blocks.transformers import encoder_block, gpt2_block, llama_block, vision_transformer_block
from tensorproof_reference.stream import Stream

BIASED: dict[str, Any] = dict(next(causal_samples(Stream(7))).inputs)
OPEN: dict[str, Any] = dict(next(encoder_samples(Stream(7))).inputs)
GATED: dict[str, Any] = dict(next(llama_samples(Stream(7))).inputs)


def attention(
    x: Any, p: dict[str, Any], sees: Callable[[int, int], bool], turn: Callable[[Any, int], Any] = lambda v, i: v
) -> Any:
    """The heads' results, one position of one head of one example after the other."""
    y = np.zeros_like(x)
    heads, groups = p["query_weight"].shape[1], p["key_weight"].shape[1]
    for b, h, i in np.ndindex(len(x), heads, x.shape[1]):
        g = h * groups // heads

        def project(name: str, row: int, head: int, b: int = b) -> Any:
            bias = p.get(f"{name}_bias")
            return x[b, row] @ p[f"{name}_weight"][:, head] + (0.0 if bias is None else bias[head])

        seen = [j for j in range(x.shape[1]) if sees(i, j)]
        query = turn(project("query", i, h), i)
        scores = [turn(project("key", j, g), j) @ query / math.sqrt(len(query)) for j in seen]
        y[b, i] += scipy.special.softmax(scores) @ np.array([project("value", j, g) for j in seen]) @ p["output_weight"][h]
    return y + p.get("output_bias", 0.0)


def normed(x: Any, p: dict[str, Any], name: str, epsilon: float) -> Any:
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return z * p[f"{name}_scale"] + p[f"{name}_offset"]


def network(x: Any, p: dict[str, Any], activation: Callable[[Any], Any]) -> Any:
    return activation(x @ p["up_weight"] + p["up_bias"]) @ p["down_weight"] + p["down_bias"]


def gelu(x: Any) -> Any:
    return x * scipy.special.ndtr(x)


def gelu_tanh(x: Any) -> Any:
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def pre(given: dict[str, Any], sees: Callable[[int, int], bool], activation: Callable[[Any], Any], epsilon: float) -> Any:
    """A block that normalizes before each part."""
    x, p = given["x"], given["parameters"]
    middle = x + attention(normed(x, p, "attention", epsilon), p, sees)
    return middle + network(normed(middle, p, "network", epsilon), p, activation)


def near(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_gpt2_normalizes_before_and_is_causal() -> None:
    near(gpt2_block(**BIASED), pre(BIASED, lambda i, j: j <= i, gelu_tanh, 1e-5))


def test_a_vision_transformer_normalizes_before_and_sees_all() -> None:
    near(vision_transformer_block(**BIASED), pre(BIASED, lambda i, j: True, gelu, 1e-6))


def test_the_encoder_normalizes_after_and_sees_what_its_mask_shows() -> None:
    x, p = OPEN["x"], OPEN["parameters"]
    middle = normed(x + attention(x, p, lambda i, j: j < 4), p, "attention", 1e-5)
    expected = normed(middle + network(middle, p, lambda wide: np.maximum(wide, 0)), p, "network", 1e-5)
    near(encoder_block(**OPEN, mask=np.arange(6) < np.full((2, 1), 4)), expected)


def test_llama_turns_queries_and_keys_and_has_a_gate() -> None:
    x, p = GATED["x"], GATED["parameters"]

    def rms(x: Any, name: str) -> Any:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p[f"{name}_scale"]

    def turn(v: Any, i: int) -> Any:
        z = (v[:2] + 1j * v[2:]) * np.exp(1j * i * np.array([1.0, 0.01]))
        return np.concatenate([z.real, z.imag])

    middle = x + attention(rms(x, "attention"), p, lambda i, j: j <= i, turn)
    second = rms(middle, "network")
    gate = second @ p["gate_weight"]
    near(llama_block(**GATED), middle + (gate * scipy.special.expit(gate) * (second @ p["up_weight"])) @ p["down_weight"])


@pytest.mark.parametrize("block", [encoder_block, gpt2_block, vision_transformer_block])
def test_parameters_must_be_those_of_the_block(block: Any) -> None:
    parameters = {name: array for name, array in BIASED["parameters"].items() if name != "up_bias"}
    with pytest.raises(ValueError, match="parameters: expected attention_offset"):
        block(BIASED["x"], parameters)
    with pytest.raises(ValueError, match="x: expected an array with 3 axes"):
        block(BIASED["x"][0], BIASED["parameters"])


def test_a_mask_of_the_encoder_has_a_number_for_each_position() -> None:
    with pytest.raises(ValueError, match="mask: expected shape"):
        encoder_block(**OPEN, mask=np.ones((2, 5), bool))


def test_heads_of_llama_have_pairs_of_features() -> None:
    weights = {name: GATED["parameters"][name][..., :3] for name in ("query_weight", "key_weight", "value_weight")}
    output = GATED["parameters"]["output_weight"][:, :3]
    parameters = {**GATED["parameters"], **weights, "output_weight": output}
    with pytest.raises(ValueError, match="query_weight: expected heads of an even number of features"):
        llama_block(**{**GATED, "parameters": parameters})
