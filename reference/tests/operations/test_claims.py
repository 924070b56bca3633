"""What the pages say of required samples is so."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream

CLAIM = "so no required sample asks"
ASKED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "relu": ("x", np.isnan),
    "abs": ("x", lambda x: (x == 0) | np.isnan(x)),
    "leaky_relu": ("x", lambda x: x == 0),
    "selu": ("x", lambda x: x == 0),
    "hard_sigmoid": ("x", lambda x: np.abs(x) == 3),
    "hard_swish": ("x", lambda x: np.abs(x) == 3),
    "hard_tanh": ("x", lambda x: np.abs(x) == 1),
    "clip": ("x", lambda x: (x == -0.5) | (x == 2)),
    "prelu": ("x", lambda x: x == 0),
    "l1_penalty": ("w", lambda w: (w == 0) | np.isnan(w)),
}
"""By operation, the input and where in it its page says that no required sample asks for the gradient."""


def asking(name: str) -> Iterator[str]:
    """The required samples that ask for the gradient at such a place, in some dtype."""
    argument, there = ASKED[name]
    for sample in known_operations()[name].samples(Stream(0)(name)):
        for dtype in sample.dtypes:
            if sample.required and sample.gradient and np.any(there(round_to(sample.inputs[argument], dtype))):
                yield f"{sample.name} {dtype}"


def test_every_page_with_the_claim_is_looked_at():
    pages = {name: " ".join((item.function.__doc__ or "").split()) for name, item in known_operations().items()}
    assert {name for name, page in pages.items() if CLAIM in page} == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_no_required_sample_asks_for_what_a_page_says_that_none_asks_for(name):
    assert list(asking(name)) == []


def test_a_required_sample_that_asks_all_the_same_is_noticed(monkeypatch):
    monkeypatch.setitem(ASKED, "leaky_relu", ("x", np.isnan))
    assert "nan_each_lane float32" in list(asking("leaky_relu"))
