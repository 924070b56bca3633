"""A walk over pairs: every operation after every other one, once, so that programs meet new pairs first."""

from collections.abc import Sequence
from functools import cache

from tensorproof_reference.stream import Stream


@cache
def walk_over_pairs(names: tuple[str, ...], seed: int) -> Sequence[str]:
    """The names in an order in which each follows each (itself too) exactly once, and the end meets the beginning.

    A name that is given twice counts as two. It is a walk around the complete directed graph that uses each edge once
    (Hierholzer's algorithm), with the edges shuffled.

    >>> walk_over_pairs(("a", "b"), 0)
    ['a', 'a', 'b', 'b']
    """
    places = range(len(names))
    ahead = [Stream(seed)("walk")(str(place)).permutation(len(names)).tolist() for place in places]
    way, walked = [0], []
    while way:
        if ahead[way[-1]]:
            way.append(ahead[way[-1]].pop())
        else:
            walked.append(way.pop())
    return [names[place] for place in walked[:0:-1]]
