"""Attention with a cache: decoding step by step is prefill, rows not written yet, errors."""

from typing import Any

import numpy as np
import pytest

from tensorproof_reference.attention._cache_samples import PLAIN, drawn
from tensorproof_reference.attention.cache import cached_attention
from tensorproof_reference.attention.grouped import grouped_query_attention
from tensorproof_reference.stream import Stream

STREAM = Stream(7)
NEW = ("query", "key", "value")
WHOLE = drawn(STREAM("whole"), PLAIN._replace(new=8), np.array([0, 0]))


@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_decoding_step_by_step_equals_prefill(chunk: int) -> None:
    y, keys, values = cached_attention(**WHOLE)
    caches: dict[str, Any] = {name: WHOLE[name] for name in ("key_cache", "value_cache")}
    for start in range(0, 8, chunk):
        rows = {name: WHOLE[name][:, :, start : start + chunk] for name in NEW}
        step, *after = cached_attention(**rows, **caches, lengths=np.full(2, start))
        caches = dict(zip(caches, after, strict=True))
        np.testing.assert_allclose(step, y[:, :, start : start + chunk], rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(caches["key_cache"], keys)
    np.testing.assert_array_equal(caches["value_cache"], values)


def test_the_prefill_is_causal_attention() -> None:
    y, keys, values = cached_attention(**WHOLE)
    expected = grouped_query_attention(WHOLE["query"], WHOLE["key"], WHOLE["value"], causal=True)
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(keys, WHOLE["key"])
    np.testing.assert_array_equal(values, WHOLE["value"])


def test_lengths_are_those_of_each_example() -> None:
    both = drawn(STREAM("both"), PLAIN._replace(new=2), np.array([5, 3]))
    found = cached_attention(**both)
    for example in range(2):
        one = cached_attention(**{name: array[example : example + 1] for name, array in both.items()})
        for whole, part in zip(found, one, strict=True):
            np.testing.assert_allclose(whole[example : example + 1], part, rtol=1e-13)


def test_rows_that_are_not_written_yet_have_no_effect() -> None:
    given = drawn(STREAM("step"), PLAIN, np.array([5, 3]))
    y, _, _ = cached_attention(**given)
    for name in ("key_cache", "value_cache"):
        given[name][:, :, 6:] = np.nan
    found, keys, _ = cached_attention(**given)
    np.testing.assert_array_equal(found, y)
    assert np.isnan(keys[:, :, 6:]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": np.array([8, 3])}, "lengths: expected numbers from 0 to 7"),
        ({"lengths": np.array([-1, 3])}, "lengths: expected numbers from 0 to 7"),
        ({"lengths": np.array([5.0, 3.0])}, "lengths: expected integers"),
        ({"lengths": np.array([5])}, "lengths: expected shape"),
        ({"key": np.ones((2, 2, 2, 4))}, "key: expected shape"),
        ({"value": np.ones((2, 2, 1, 5))}, "value: expected shape"),
        ({"query": np.ones((2, 6, 0, 4))}, "query: expected at least one position"),
    ],
)
def test_malformed_steps_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cached_attention(**{**drawn(STREAM("step"), PLAIN, np.array([5, 3])), **changes})
