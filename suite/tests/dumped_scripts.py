"""What ``--dump`` writes, made and run: for the tests of the suite and of the plugins."""

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tensorproof.backend import Backend
from tensorproof.conformance.dump.files import safe_name
from tensorproof.conformance.dump.script import RESERVED
from tensorproof.conformance.dump.source import Source

REFUSE = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("tensorproof"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def ran(script: Path, plain: bool, path: Path | None = None) -> tuple[int, str]:
    """Exit code and output of a script; ``plain``: where nothing of this project can be imported."""
    variables = {name: value for name, value in os.environ.items() if not plain or name != "PYTHONPATH"}
    if path:
        variables["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [variables.get("PYTHONPATH")])])
    command = [sys.executable, "-I", "-c", REFUSE, str(script)] if plain else [sys.executable, str(script)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=200, check=False)
    return done.returncode, done.stdout + done.stderr


def dumped(folder: Path, *arguments: str) -> dict[Path, dict[str, Any]]:
    """Check a backend with ``--dump``; each script, with the record's line of its check."""
    record = folder / "run.ndjson"
    command = [sys.executable, "-m", "tensorproof", "check", *arguments, "-n0", f"--record={record}", f"--dump={folder / 'out'}"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert record.exists(), done.stdout + done.stderr
    found = {}
    for text in record.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["kind"] == "check" and line["status"] in ("failed", "known_failure"):
            name = f"{line['check']}-{line['operation']}-{line['sample']}-{line['dtype']}-{line['mode']}"
            found[folder / "out" / f"{safe_name(name)}.py"] = line
    assert sorted(found) == sorted((folder / "out").glob("*.py")), done.stdout + done.stderr
    return found


def shows_the_same(script: Path, line: dict[str, Any]) -> None:
    """Assert that a script, run without this project, prints the wrong number of the record.

    Eagerly all other numbers are the record's too. A compiled program may round one in the last place otherwise in a new process.
    """
    code, text = ran(script, plain=True)
    assert code == 1, text
    (finding,) = [item for item in line["findings"] if item["outcome"] == "failed"]
    assert f"{finding['output']}: got {float(finding['got']):.9g}, expected {float(finding['expected']):.9g}" in text
    assert f"at {finding['index']}; as recorded: " in text
    assert line["mode"] != "eager" or "as recorded: True" in text


def require_plain_sources(backend: Backend) -> None:
    """Assert that each operation of a backend can be written out without this project."""
    package = type(backend).__module__.partition(".")[0]
    for name, implementation in backend.operations.implementations.items():
        operation = backend.operations.specification[name]
        if operation.model is not None:
            continue
        parameters = inspect.signature(operation.function).parameters.values()
        known = {item.name: item.default for item in parameters if item.default is not item.empty}
        source = Source((package,), True, RESERVED)
        definition = ast.unparse(source.function(implementation.function, known, ()))
        imports, definitions = source.needed(definition)
        text = "\n".join([*imports, *definitions, definition])
        compile(text, name, "exec")
        assert "tensorproof" not in text, name
