"""Whether a check in a compiled mode ran compiled: frameworks fall back to eager in silence."""

from collections import Counter
from collections.abc import Mapping

from tensorproof.conformance.execution import Run
from tensorproof.conformance.findings import Session
from tensorproof.conformance.selection.cases import NONE, Case


def compiled_in(session: Session, case: Case) -> tuple[dict[str, int], str]:
    """What compiling did for a check, by ``Backend.compile_counters``, and how it fell back to eager, in words.

    There are no counts in eager mode, and where the framework does not tell; the words are empty if it did not fall back.
    """
    if case.mode in ("eager", NONE):
        return {}, ""
    counts = [_counts(session, run) for run in session.runs.clock.runs if run.compiled_mode == case.mode]
    told = [count for count in counts if "compiled" in count]
    total: Counter[str] = Counter()
    for count in told:
        total.update(count)
    if not told:
        return {}, ""
    known = session.backend.breaks_graph(case.operation, case.mode)
    texts = [text for count in told if (text := fallback_text(count, known))]
    return {name: int(number) for name, number in total.items()}, f"ran eagerly in mode {case.mode}: {texts[0]}" if texts else ""


def _counts(session: Session, run: Run) -> Mapping[str, int]:
    """What compiling did for a run. A training step keeps what it has compiled for later runs of its model."""
    model = run.expectation.operation.model
    if run.mode == run.compiled_mode or model is None:
        return run.compiled
    kept = session.compiled.setdefault((model.name, run.compiled_mode), Counter())
    kept.update(run.compiled)
    return kept


def fallback_text(count: Mapping[str, int], known: bool) -> str:
    """How a run fell back to eager; it may do so in part where the backend is known to break graphs."""
    compiled, left, breaks = (count.get(name, 0) for name in ("compiled", "left_eager", "graph_breaks"))
    if not compiled:
        return "nothing was compiled"
    if known or not (left or breaks):
        return ""
    return f"the compiler gave up {left} of {left + compiled} functions, and broke graphs {breaks} times"
