"""Writing a failing check to a folder: arrays as ``.npz``, and a script that shows the number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import ScriptTemplate
from tensorproof.conformance.checks import Result
from tensorproof.conformance.dump.folding import NotPlain
from tensorproof.conformance.dump.judging import Judged, arrays_lines, index_in_layout, judging_lines, raising_lines, stored
from tensorproof.conformance.dump.script import Call, plain_program, plugin_program
from tensorproof.conformance.execution import Answer, Run, lies
from tensorproof.conformance.expectation import Expected, is_floating
from tensorproof.conformance.findings import Session
from tensorproof.conformance.selection.options import command_for, modules_of
from tensorproof.contract import layouts
from tensorproof.contract.description import Description
from tensorproof.contract.models import implementation_of
from tensorproof.errors import UsageError, printable
from tensorproof_reference.rounding import round_to

DUMPED = ("failed", "known_failure", "fell_back", "error", "out_of_memory")
"""What is written: a declaration excuses a failure, but its numbers are wrong all the same."""
CHECKS = ("forward", "gradient", "subset", "fused")
"""The checks of one call, which a script can make."""


def require_folder(folder: str) -> str:
    """The absolute path of the folder that ``--dump`` names, made if it is not there.

    Raises:
        UsageError: it cannot be made or written.
    """
    path = Path(folder).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".tensorproof_probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"--dump: {path.name} cannot be written: {error.strerror}") from None
    return str(path)


@dataclass(frozen=True)
class Failure:
    """A failed call: what ran, what came out, and what was expected, by output name."""

    run: Run
    gradient: bool
    answers: Mapping[str, Answer | None]
    expected: Mapping[str, Expected]
    places: Mapping[str, str]
    """By output, the expression of the framework's array."""


def failure_of(session: Session, result: Result) -> Failure:
    """The call that a check was about."""
    case = result.case
    expectation = session.expectation(case)
    paths, fused = expectation.arguments.primal_paths, case.check == "fused"
    if case.check == "subset":
        failed = [item["output"].removeprefix("d_") for item in result.findings if item.get("outcome") == "failed"]
        name = (failed or list(paths))[0].split(".")[0]
        paths = tuple(path for path in paths if path.split(".")[0] == name)
    run = session.runs.of(expectation, case.mode, paths, fused)
    gradient = case.check != "forward"
    if case.check == "forward" and case.mode != "eager" and True in run.given and result.findings:
        # Value and gradient were run together first; the value alone may be what failed.
        together = result.findings[: len(expectation.outputs)]
        gradient = any(item["outcome"] == "failed" for item in together)
    return Failure(run, gradient, *_outcome(run, gradient, fused, expectation, case.check))


def _outcome(run: Run, gradient: bool, fused: bool, expectation: Any, check: str) -> tuple[Any, Any, Any]:
    answers: dict[str, Answer | None] = {}
    if gradient in run.given:
        found = run.first(gradient)
        answers = {**found.outputs, **{f"d_{path}": value for path, value in found.gradients.items()}}
    if expectation.sample.raises:
        return answers, {}, {}
    outputs, gradients = expectation.fused if fused else (expectation.outputs, {})
    first = list(run.expectation.operation.cotangents)
    others = [path for path in expectation.outputs if path.split(".")[0] not in first]
    places = {name: f"outputs[{number}]" for number, name in enumerate(first)}
    places |= {} if fused else {path: f"others[{number}]" for number, path in enumerate(others)}
    expected = dict(outputs)
    if gradient and check != "forward":
        gradients = gradients or expectation.gradients
        expected |= {f"d_{path}": gradients[path] for path in run.function.primal_paths}
        places |= {f"d_{path}": f"gradients[{number}]" for number, path in enumerate(run.function.primal_paths)}
    return answers, expected, places


def _judged(failure: Failure, result: Result) -> list[Judged]:
    """The outputs that failed, or all if no value did."""
    backend, operation = failure.run.backend, failure.run.expectation.operation
    failed = {item["output"]: item for item in result.findings if item.get("outcome") == "failed" and "output" in item}
    items = []
    for name, (value, bar) in failure.expected.items():
        if failed and name not in failed:
            continue
        path = name.removeprefix("d_") if name in failure.places and failure.places[name].startswith("gradients") else name
        here, dtype = lies(backend, operation, path), failure.run.expectation.dtype_at(path)

        def laid(array: NDArray[Any], here: Any = here) -> NDArray[Any]:
            return layouts.to_native(array, *here)

        # An exact constant may stand in the output as the nearest number of the dtype.
        nearest = np.where(bar == 0, round_to(value, dtype), value) if is_floating(value) else value
        position = failed.get(name, {}).get("index")
        items.append(
            Judged(
                name,
                failure.places[name],
                laid(nearest),
                laid(np.asarray(bar, np.float64)),
                index_in_layout(position, value.shape, laid),
                dtype,
                dtype if failed.get(name, {}).get("reason") == "dtype" else "",
            )
        )
    return items


def _given(failure: Failure) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the framework was given: inputs and cotangents, with their dtypes."""
    run = failure.run
    return run.host_arguments(), run.host_cotangents() if failure.gradient else {}


def _program(session: Session, result: Result, failure: Failure, modules: Sequence[str]) -> tuple[list[str], ScriptTemplate, str]:
    """The program up to its arrays, how it runs, and why it needs the plugin, if it does."""
    backend, case, expectation = session.backend, result.case, failure.run.expectation
    implementation = implementation_of(backend, case.operation)
    assert implementation is not None, case.operation
    tanh = backend.operations.implementations.get("tanh")
    call = Call(
        operation=expectation.operation,
        function=implementation.function,
        inputs=expectation.arguments.inputs,
        keywords=expectation.sample.keywords,
        primal_paths=failure.run.function.primal_paths,
        constant_paths=failure.run.function.constant_paths,
        output_paths=tuple(expectation.operation.outputs) if expectation.sample.raises else tuple(expectation.outputs),
        gradient=failure.gradient,
        fused=tanh.function if case.check == "fused" and tanh else None,
        passed=result.status not in ("error", "out_of_memory") and not expectation.sample.raises,
    )
    template = backend.script(case.operation, case.mode, case.device)
    why = f"{backend.name} gives no template for it"
    if template is not None:
        try:
            package = type(backend).__module__.partition(".")[0]
            return plain_program(call, template, package), template, ""
        except NotPlain as error:
            why = str(error)
    return *plugin_program(call, backend, case.mode, case.device, modules), why


def script_text(session: Session, result: Result, failure: Failure, about: Sequence[str], options: Any) -> str:
    """The script: what is wrong, the call, its arrays, and the judgement."""
    program, template, why = _program(session, result, failure, modules_of(options))
    inputs, cotangents = _given(failure)
    function, sliced = failure.run.function, failure.run.expectation.sample.memory == "sliced"
    needs = f"It needs tensorproof and its plugin: {why}." if why else "It needs the framework and NumPy."
    head = [f"# {printable(line)}" for line in (*about, needs, "Exit code: 1 as long as it is wrong, 0 when it is right.")]
    switches = session.backend.instruction_switches(options.instructions) if options.instructions else {}
    if switches:
        # Before anything is imported that reads them, NumPy included.
        head += ["", "import os", *(f"os.environ[{name!r}] = {value!r}" for name, value in switches.items())]
    head += ["", "import sys", "from pathlib import Path", "", "import numpy as np", ""]
    body = [*program, "", 'case = np.load(Path(__file__).with_suffix(".npz"))']
    body += arrays_lines("primals", {path: inputs[path] for path in function.primal_paths}, "input", sliced)
    body += arrays_lines("constants", {path: inputs[path] for path in function.constant_paths}, "input", sliced)
    if failure.gradient:
        body += arrays_lines("cotangents", cotangents, "cotangent", sliced)
    run = (template.gradient if failure.gradient else template.forward).strip().splitlines()
    if failure.run.expectation.sample.raises:
        body += raising_lines(run)
    else:
        items = _judged(failure, result)
        body += [
            *(["", ""] if run[0].startswith("def ") else []),
            *run,
            *judging_lines(items, failure.run.expectation.sample.sign_of_zero),
        ]
    return "\n".join([*head, *body]) + "\n"


def arrays_of(failure: Failure, result: Result) -> dict[str, NDArray[Any]]:
    """What goes into the file of arrays, all as the framework has it."""
    run = failure.run
    inputs, cotangents = _given(failure)
    sliced = run.expectation.sample.memory == "sliced"
    arrays = {f"input {path}": stored(values, sliced) for path, (values, _) in inputs.items()}
    arrays |= {f"cotangent {name}": stored(values, sliced) for name, (values, _) in cotangents.items()}
    everything = replace(result, findings=[])
    for item in _judged(failure, everything):
        arrays[f"expected {item.name}"], arrays[f"bar {item.name}"] = item.expected, item.bar
        answer = failure.answers.get(item.name)
        if answer is not None:
            path = item.name.removeprefix("d_") if item.got.startswith("gradients") else item.name
            same = answer.value.shape == failure.expected[item.name][0].shape
            here = lies(run.backend, run.expectation.operation, path)
            arrays[f"output {item.name}"] = layouts.to_native(answer.value, *here) if same else answer.value
    return arrays


def _new_names(folder: Path, name: str) -> tuple[Path, Path]:
    """Two files of a name that nothing in the folder has, made empty."""
    for number in range(1, 10_000):
        whole = name if number == 1 else f"{name}-{number}"
        script, arrays = folder / f"{whole}.py", folder / f"{whole}.npz"
        if arrays.exists():
            continue
        try:
            script.open("x").close()
        except FileExistsError:
            continue
        return script, arrays
    raise FileExistsError(f"{folder.name} holds ten thousand scripts of {name}")


def safe_name(text: str) -> str:
    """A file name of letters, digits and few signs.

    >>> safe_name("forward-sigmoid-../x y")
    'forward-sigmoid-___x_y'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:180]


def write_dump(options: Any, session: Session, description: Description, result: Result) -> str:
    """Write a failing check's arrays and its script into the folder of ``--dump``; a line that says where, or nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    case = result.case
    if options.dump is None or result.status not in DUMPED or case.check not in CHECKS:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in description.versions.items())
    about = [
        *(item["line"] for item in result.findings if item.get("outcome") == "failed"),
        *([result.message] if result.status not in ("failed", "known_failure") else []),
        f"{versions}; {case.mode} on {description.device} ({description.instructions}), seed {options.seed}",
        command_for(case, options),
    ]
    failure = failure_of(session, result)
    text, arrays = script_text(session, result, failure, about, options), arrays_of(failure, result)
    name = safe_name(f"{case.check}-{case.operation}-{case.sample}-{case.dtype}-{case.mode}")
    script, place = _new_names(Path(options.dump), name)
    np.savez(place, **arrays)  # type: ignore[arg-type]
    script.write_text(text, encoding="utf-8")
    return f"script: {script}"
