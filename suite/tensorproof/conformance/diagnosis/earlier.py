"""What was expected of the calls before: a backend that keeps results gives one of them again."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from tensorproof.conformance.expectation import Expectation, Expected

KEPT = 128
"""Cases that are remembered; no more than are kept for other reasons."""
LARGEST = 50_000

_lately: OrderedDict[Expectation, None] = OrderedDict()


def note(expectation: Expectation) -> None:
    """Remember a case that is judged, for the cases after it."""
    if expectation.operation.model is None:
        _lately[expectation] = None
        while len(_lately) > KEPT:
            _lately.popitem(last=False)


def results(expectation: Expectation, name: str) -> Iterator[Expected]:
    """What was expected of other samples of the operation under this name, where it differs from what is expected now."""
    gradient = name.startswith("d_")
    path = name.removeprefix("d_") if gradient else name
    right = (expectation.gradients if gradient else expectation.outputs)[path][0]
    for other in _lately:
        if other.operation is not expectation.operation or other.dtype != expectation.dtype or other is expectation:
            continue
        if gradient and not other.sample.gradient:
            continue
        found = (other.gradients if gradient else other.outputs).get(path)
        if found is None or found[0].shape != right.shape or right.size > LARGEST or np.array_equal(found[0], right):
            continue
        # One number repeated is no sign of any call.
        if right.size < 2 or not np.all(found[0] == found[0].flat[0]):
            yield found
