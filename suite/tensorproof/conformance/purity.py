"""Purity: a call changes no argument, gives the same again, and keeps nothing that a later call changes.

The check takes two calls more than the others: one with the same arguments, and one with other values. In any mode but the first,
one call in the first mode says which results share memory with an argument there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Native
from tensorproof.conformance.execution import Answer, Answers, Natives, Run
from tensorproof.conformance.expectation import Expectation, is_floating
from tensorproof.conformance.findings import Finding, Session
from tensorproof.conformance.selection.cases import Case
from tensorproof_reference import trees
from tensorproof_reference.sample_classes import class_of

Shared = frozenset[tuple[str, str]]
"""Pairs of an output and an argument that share memory."""


def purity_findings(session: Session, case: Case, gradient: bool) -> list[Finding]:
    """What is found of the value, or of value and vector-Jacobian product.

    An argument that changed is reported alone: what else is found would follow from it.
    """
    expectation, run = session.expectation(case), session.run(case)
    first = run.first(gradient)
    primals, constants, cotangents = run.given[gradient]
    kept = run.call((primals, constants), cotangents)
    second = run.read(kept)
    texts = _changed(run, primals, constants, cotangents)
    if not texts:
        texts = [f"{name}: the same call gave two results" for name in _different(first, second)]
        changed = _other_values(run, expectation)
        other = run.run(run.native_arguments(changed), run.native_cotangents() if gradient else None)
        texts += [
            f"{name}: a later call with other values changed the result of an earlier one"
            for name in _different(second, run.read(kept))
        ]
        if class_of(expectation.sample) == "plain":
            texts += [f"{name}: other inputs gave the same result" for name in _ignored(expectation, changed, first, other)]
        texts += _shared_elsewhere(session, case, gradient, _shared(run, kept, (*primals, *constants)))
    where = f"{case.operation} {case.sample}"
    return [Finding("failed", f"{where} {text}") for text in texts] or [Finding("passed", "inputs unchanged, results repeat")]


def _same(first: NDArray[np.generic], second: NDArray[np.generic]) -> bool:
    return first.shape == second.shape and bool(np.array_equal(first, second, equal_nan=first.dtype.kind == "f"))


def _different(first: Answers, second: Answers) -> list[str]:
    """The names of outputs and gradients that are there twice and differ."""
    pairs: list[tuple[Mapping[str, Answer | None], Mapping[str, Answer | None]]] = [
        (first.outputs, second.outputs),
        (first.gradients, second.gradients),
    ]
    found = []
    for before, after in pairs:
        for name, answer in before.items():
            again = after[name]
            if answer is not None and again is not None and not _same(answer.value, again.value):
                found.append(name)
    return found


def _changed(run: Run, primals: Sequence[Native], constants: Sequence[Native], cotangents: Sequence[Native] | None) -> list[str]:
    """The arguments that no longer hold what they held before the calls."""
    leaves, given = run.expectation.arguments.leaves, run.expectation.cotangents if cotangents else {}
    paths = (*run.function.primal_paths, *run.function.constant_paths)
    texts = []
    for path, value in zip(paths, (*primals, *constants), strict=True):
        if not _same(run.answer(path, value, leaves[path].shape).value, leaves[path]):
            texts.append(f"the call changed its input {path}")
    for (name, array), value in zip(given.items(), cotangents or (), strict=True):
        if not _same(run.answer(name, value, array.shape).value, array):
            texts.append(f"the call changed the cotangent of {name}")
    return texts


def _other_values(run: Run, expectation: Expectation) -> dict[str, NDArray[np.generic]]:
    """Other values for some of the arguments: halves of the primals, or of all floating arguments; else integers in other places,
    where they are as valid as before."""
    leaves = expectation.arguments.leaves
    floating = run.function.primal_paths or [path for path, leaf in leaves.items() if is_floating(leaf)]
    if floating:
        return {path: leaves[path] * 0.5 for path in floating}
    return {path: np.roll(leaf, 1) for path, leaf in leaves.items()}


def _ignored(expectation: Expectation, changed: Mapping[str, NDArray[np.generic]], first: Answers, other: Answers) -> list[str]:
    """The outputs that are the same with other values, though the reference's are not: results are kept."""
    inputs = trees.replace_leaves(expectation.arguments.inputs, lambda path, leaf: changed.get(path, leaf))
    found = []
    for name, (value, _) in expectation.of(replace(expectation.sample, inputs=inputs)).outputs.items():
        before, _ = expectation.outputs[name]
        moved = np.abs(value.astype(np.float64) - before) > 0.01 * np.abs(before)
        if name in other.outputs and np.any(moved) and _same(other.outputs[name].value, first.outputs[name].value):
            found.append(name)
    return found


def _shared(run: Run, results: Natives, arguments: Sequence[Native]) -> Shared | None:
    """Which outputs share memory with which arguments; ``None`` where no program could notice."""
    outputs, others, _ = results
    paths = (*run.function.primal_paths, *run.function.constant_paths)
    found = set()
    for name, output in zip(run.names(outputs, others), (*outputs, *others), strict=True):
        for path, argument in zip(paths, arguments, strict=True):
            shares = run.backend.shares_memory(output, argument)
            if shares is None:
                return None
            if shares:
                found.add((name, path))
    return frozenset(found)


def _shared_elsewhere(session: Session, case: Case, gradient: bool, here: Shared | None) -> list[str]:
    """The outputs that share memory with an argument in this mode and not in the backend's first, or the other way round."""
    first_mode = next(iter(session.backend.modes))
    if here is None or case.mode == first_mode or session.backend.copies_arguments(case.mode):
        return []
    run = session.runs.of(session.expectation(case), first_mode, session.expectation(case).arguments.primal_paths)
    arguments = run.native_arguments()
    try:
        results = run.call(arguments, run.native_cotangents() if gradient else None)
    except Exception:
        return []  # a sample that the first mode rejects has nothing to compare with; that mode's own checks tell of it
    there = _shared(run, results, (*arguments[0], *arguments[1]))
    if there is None:
        return []
    return [
        f"{name}: shares memory with {path} in mode {mode}, and not in mode {other}"
        for pairs, mode, other in ((here - there, case.mode, first_mode), (there - here, first_mode, case.mode))
        for name, path in sorted(pairs)
    ]
