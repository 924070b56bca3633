"""The plan of a run of timings: in which sizes and directions each kind of operation is timed."""

import pytest

from tensorproof.contract.backends import specification
from tensorproof.timing.plan import directions_of


@pytest.mark.parametrize(
    ("operation", "size", "directions"),
    [
        ("softmax", "S", ["forward", "forward+backward"]),
        ("adam", "S", ["forward"]),
        ("feedforward", "S", ["forward"]),
        ("feedforward", "M", ["forward", "forward+backward"]),
        ("feedforward_training", "S", []),
        ("feedforward_training", "M", ["forward"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_learn_from_more_than_one_example(operation, size, directions):
    assert list(directions_of(specification()[operation], size)) == directions
