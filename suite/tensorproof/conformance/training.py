"""Training: step by step from the reference's state, so that errors do not feed on each other; and whole runs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend
from tensorproof.conformance.execution import Answers, Clock, Run
from tensorproof.conformance.expectation import Expectation
from tensorproof.conformance.findings import Finding, Session, judged_outputs, most, placed, unless_near_a_branch, worst_of
from tensorproof.conformance.functions import OperationFunction
from tensorproof.conformance.selection.cases import Case
from tensorproof.conformance.verdict import plain
from tensorproof_reference.model import Model
from tensorproof_reference.networks.operations import STEPS, after_steps, judged_steps, training_batch
from tensorproof_reference.networks.parts import dropout_layers
from tensorproof_reference.stream import Stream

ROUNDOFF_OF_SHARES = 2.0**-24


@dataclass(frozen=True)
class Step:
    """One training step: what the reference expects, and what the backend gave from the same state."""

    number: int
    expectation: Expectation
    answers: Answers


def training_steps(expectation: Expectation, backend: Backend, device: str, mode: str, clock: Clock) -> Iterator[Step]:
    """The judged steps of a training run; each begins where the reference's step before ended, rounded to the dtype."""
    run = run_in_mode(expectation, backend, device, mode, clock)
    operation, sample = expectation.operation, expectation.sample
    model = operation.model
    assert model is not None
    stream = Stream(expectation.seed)(operation.name)
    inputs = dict(sample.inputs)
    judged = judged_steps(model)
    for number, following in zip(judged, [*judged[1:], STEPS], strict=True):
        inputs |= {**training_batch(model, stream, number), "taken": np.asarray(number, np.int64)}
        given = replace(sample, inputs=inputs)
        current = expectation.of(given)
        answers = run.run(run.native_arguments(current.arguments.leaves), None)
        if dropout_layers(model):
            told = replace(given, keywords={**given.keywords, "drawn": drawn_by(model, current, answers)})
            current = expectation.of(told)
        yield Step(number, current, answers)
        if following == number + 1:
            inputs |= after_steps(inputs, {path: value for path, (value, _) in current.outputs.items()})
        elif following < STEPS:
            inputs |= after_steps(inputs, current.before_next_judged)


def drawn_by(model: Model, before: Expectation, answers: Answers) -> dict[str, NDArray[Any]]:
    """What a backend's layers of dropout multiplied by, from what they did to the layer after them.

    With a batch of one example and plain gradient descent, the weights of a dropped unit have no gradient, and stay as they are.
    """
    names = list(model.layers)
    drawn = {}
    for name in dropout_layers(model):
        path = f"parameters.{names[names.index(name) + 1]}.weight"
        moved = np.any(answers.outputs[path].value != before.arguments.leaves[path], axis=1)
        drawn[name] = np.where(moved, 1.0 / (1.0 - model.layers[name].keywords["rate"]), 0.0)
    return drawn


def run_in_mode(expectation: Expectation, backend: Backend, device: str, mode: str, clock: Clock) -> Run:
    """The run of a training step or of fitting, which compiles by itself what is compiled in the mode."""
    sample = replace(expectation.sample, keywords={**expectation.sample.keywords, "mode": mode})
    function = OperationFunction(backend, expectation.operation, sample, expectation.arguments, ())
    return Run(backend, device, "eager", expectation, function, clock, compiled_mode=mode if mode != "eager" else "")


def check_training(session: Session, case: Case) -> list[Finding]:
    """Loss, parameters, state and optimizer's state conform after each of the steps, each from the reference's state.

    Where a branch of the reference lies within ten bars, either side is right, and the step proves nothing.
    """
    findings: list[Finding] = []
    everywhere: list[Finding] = []
    curves: dict[str, dict[str, Any]] = {}
    dropped: list[bool] = []
    for step in training_steps(session.expectation(case), session.backend, session.device, case.mode, session.runs.clock):
        dropped += [factor == 0 for factors in step.expectation.sample.keywords.get("drawn", {}).values() for factor in factors]
        step_case = replace(case, sample=f"step_{step.number}")
        found = judged_outputs(step_case, step.expectation, step.answers, step.expectation.outputs)
        for path, (value, _) in step.expectation.outputs.items():
            if path.split(".")[0] == "loss":
                curve = curves.setdefault(path, {"output": path, "got": [], "expected": [], "steps": []})
                curve["got"].append(plain(float(step.answers.outputs[path].value)))
                curve["expected"].append(plain(float(value)))
                curve["steps"].append(step.number)
        everywhere += placed(found)
        findings.append(worst_of(most(unless_near_a_branch(step_case, found, step.expectation))))
    idle = sum(item.outcome == "not_meaningful" for item in findings)
    text = f"{len(findings) - idle} of {len(findings)} steps mean something"
    if dropped and not 0.0 < np.mean(dropped) < 1.0:
        findings.append(Finding("failed", f"{case.operation}: dropout drops {'everything' if all(dropped) else 'nothing'}"))
    return [*most(findings), *placed(everywhere), *(Finding("passed", text, curve) for curve in curves.values())]


def check_fitting(session: Session, case: Case) -> list[Finding]:
    """History and predictions of a whole run conform, in epochs, batches, stopping and order."""
    expectation = session.expectation(case)
    run = run_in_mode(expectation, session.backend, session.device, case.mode, session.runs.clock)
    answers = run.run(run.native_arguments(), None)
    # Frameworks give shares of right answers in float32, whatever the model's dtype.
    expected = {
        path: (value, np.hypot(bar, ROUNDOFF_OF_SHARES * value) if path.endswith("accuracy") else bar)
        for path, (value, bar) in expectation.outputs.items()
    }
    found = judged_outputs(case, expectation, answers, expected)
    curves = [
        {"output": path, "got": _plain_list(answer.value), "expected": _plain_list(expectation.outputs[path][0])}
        for path, answer in answers.outputs.items()
        if path.startswith("history.")
    ]
    judged = most(unless_near_a_branch(case, found, expectation))
    return [*judged, *placed(found), *(Finding("passed", "", curve) for curve in curves)]


def _plain_list(values: NDArray[Any]) -> list[Any]:
    """Numbers as a record holds them, in which NaN is a word."""
    return [plain(float(value)) for value in np.ravel(values)]
