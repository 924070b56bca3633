"""What nodes must have in common to work for one record, and what the record says of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import tensorproof
from tensorproof.contract.backends import installed
from tensorproof.errors import UsageError
from tensorproof.runs.records import machine
from tensorproof_reference.catalogue import EVERY_PROFILE, specification_version

ALIKE = ("tensorproof", "specification", "plugin", "versions", "device", "instructions")
"""What is the same on all nodes of one record."""


def instructions_text(kernels: Mapping[str, str]) -> str:
    """The instruction sets of a backend's kernel libraries, as a record says them."""
    return "; ".join(f"{library} {level}" for library, level in kernels.items())


def identity_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """What this node is, given the description of the backend on it."""
    distribution = installed()[description["backend"]].dist
    return {
        "tensorproof": tensorproof.__version__,
        "specification": specification_version(EVERY_PROFILE),
        "plugin": distribution.version if distribution else "",
        "versions": dict(description["versions"]),
        "device": description["device"],
        "instructions": instructions_text(description["kernels"]),
        "machine": machine(),
    }


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first difference between two nodes that keeps them from working for one record, in words; empty if there is none."""
    for key in ALIKE:
        one, other = wanted[key], found[key]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for name in {**one, **other}:
                if one.get(name) != other.get(name):
                    return f"{name} {other.get(name, 'missing')} there, {one.get(name, 'missing')} elsewhere"
        elif one != other:
            return f"{key} {other or 'none'} there, {one or 'none'} elsewhere"
    return ""


def require_alike(identities: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The identity that all nodes share, given those of each by its address.

    Raises:
        UsageError: two differ, or there is none; the message names the node and what differs.
    """
    if not identities:
        raise UsageError("--ray: no node of the cluster answered")
    first = next(iter(identities.values()))
    for address, found in identities.items():
        what = difference(first, found)
        if what:
            raise UsageError(f"--ray: node {address} cannot work for this record: {what}; all nodes must be alike")
    return first


def nodes_lines(identities: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The nodes as the header of a record has them: each kind of machine, and how many there are of it."""
    found: list[dict[str, Any]] = []
    for identity in identities:
        about = {"machine": identity["machine"], "instructions": identity["instructions"]}
        same = next((item for item in found if {**item, "count": 0} == {**about, "count": 0}), None)
        if same is None:
            found.append({**about, "count": 1})
        else:
            same["count"] += 1
    return found
