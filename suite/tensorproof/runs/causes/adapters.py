"""What follows from an adapter that does not give arrays back as they were."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorproof.conformance.selection.cases import ADAPTER, samples_of
from tensorproof.runs.causes.symptoms import deviation
from tensorproof_reference import trees
from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import Sample

WHOLE = ("arrays", "dtype")
"""Kinds of arrays without which nothing in a dtype can be right."""
OTHER_DTYPES = {"int64": "iu", "bool": "b"}
"""Dtypes that inputs have beside the one under test, with NumPy's kinds of them."""
SPECIAL = ("nan", "infinity", "magnitude", "zero", "zeros")
"""Classes of samples that hold NaN, infinities, or numbers near the ends of the range."""


@dataclass
class Blame:
    """Checks of the adapter that fail alike, and the bad checks that follow from them."""

    kinds: frozenset[str]
    """The kinds of arrays that come back wrong, as the check names them."""
    checks: set[int] = field(default_factory=set)
    dtypes: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    consequences: set[int] = field(default_factory=set)


def adapter_blames(checks: Sequence[Mapping[str, Any]], bad: set[int]) -> list[Blame]:
    """The adapter's faults, those of several dtypes together if the same kinds of arrays are wrong in each.

    A check follows from one only if it needs such an array: an empty one, say, where only empty ones come back wrong.
    """
    found: dict[frozenset[str], Blame] = {}
    for index in sorted(bad):
        check = checks[index]
        if check["check"] == ADAPTER and check["status"] == "failed":
            failed = [item for item in check["findings"] if item["outcome"] == "failed"]
            kinds = frozenset(str(item["output"]) for item in failed)
            blame = found.setdefault(kinds, Blame(kinds))
            blame.checks.add(index)
            blame.dtypes.append(check["dtype"])
            blame.evidence += [str(item["line"])[:160] for item in failed]
    for index in sorted(bad):
        if checks[index]["check"] not in (ADAPTER, "declared"):
            for blame in [item for item in found.values() if _follows(checks[index], item)][:1]:
                blame.consequences.add(index)
    return list(found.values())


def _follows(check: Mapping[str, Any], blame: Blame) -> bool:
    sample = _sample(check["operation"], check["sample"])
    inputs = [] if sample is None else [leaf for _, leaf in trees.leaves(dict(sample.inputs))]
    others = [kind for dtype, kind in OTHER_DTYPES.items() if dtype in blame.dtypes]
    of_dtype = [leaf for leaf in inputs if leaf.dtype.kind in "".join(others)]
    own = set() if sample is None else set(sample.own_dtypes.values())
    floating = check["dtype"] in blame.dtypes or not own.isdisjoint(blame.dtypes)
    if not floating and not of_dtype:
        return False
    if blame.kinds.intersection(WHOLE):
        return True
    failed = [item for item in check["findings"] if item.get("outcome") == "failed"]
    shapes = {leaf.shape for leaf in (inputs if floating else of_dtype)}
    shapes |= set(_result_shapes(check["operation"], check["sample"])) if floating else set()
    if "device" in blame.kinds and check["status"] == "fell_back":
        return True
    if "scalars" in blame.kinds and () in shapes:
        return True
    if "empty arrays" in blame.kinds and any(0 in shape for shape in shapes):
        return True
    if "axes of length 1" in blame.kinds and any(1 in shape for shape in shapes):
        return True
    memory = "contiguous" if sample is None else sample.memory
    if f"{memory} arrays" in blame.kinds:
        return True
    special = check["sample"].split("_")[0] in SPECIAL or any(deviation(item) != "wrong" for item in failed)
    return "special values" in blame.kinds and special


@functools.lru_cache(maxsize=4096)
def _result_shapes(operation: str, sample: str) -> tuple[tuple[int, ...], ...]:
    """The shapes of the outputs on a sample; none of what raises, or is unknown."""
    given, known = _sample(operation, sample), known_operations().get(operation)
    if given is None or known is None or given.raises or known.model is not None:
        return ()
    with np.errstate(all="ignore"):
        results = known.function(**given.inputs, **given.keywords)
    return tuple(np.shape(leaf) for leaf in trees.leaves_by_name(known.outputs, results).values())


@functools.lru_cache(maxsize=4096)
def _sample(operation: str, sample: str) -> Sample | None:
    """A sample by name; its shapes are the same under every seed."""
    known = known_operations().get(operation)
    return None if known is None else samples_of(known, 0).get(sample)
