"""``--dump``: a failing check becomes arrays and a script that shows the same wrong number, without this project where it can."""

import ast
import functools
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dumped_scripts import ran
from fake_backend import backend

from tensorproof.conformance.dump.files import require_folder, safe_name
from tensorproof.conformance.dump.folding import NotPlain, folded, literal
from tensorproof.conformance.dump.judging import index_in_layout
from tensorproof.conformance.dump.source import Source
from tensorproof.errors import UsageError
from tensorproof_numpy import ml_dtypes
from tensorproof_numpy import operations as numpy_operations
from tensorproof_reference.operation import CORE

Plugin = Callable[..., Path]
SETUP = '''
SCRIPT = """
def array(values, dtype):
    return values


numbers = np.asarray
"""
'''
IMPORT = "from tensorproof.backend import ScriptTemplate\n"
BODY = """
layouts = {"conv2d": {"x": "n h w c", "weight": "h w i o", "y": "n h w o"}}

def value_and_vjp(self, function, mode):
    def run(primals, constants, cotangents):
        inputs, keywords = function.arguments(primals, constants)
        outputs, others = function(primals, constants)
        return outputs, others, (reference_sigmoid.vjp(*cotangents, **inputs, **keywords)["x"] * 1.5,)

    return run

def instruction_switches(self, level):
    return {"FAKE_LIMIT": level}

def instructions(self, device):
    return {"fake": "sse2"}
"""
TEMPLATE = """
def script(self, operation, mode, device):
    forward = "outputs, others = function(primals, constants)"
    return ScriptTemplate(SCRIPT, forward, forward + "\\ngradients = [cotangents[0] * 0 + 1.5]")
"""
PLAIN = SETUP + IMPORT + backend(BODY + TEMPLATE)


FAULTY = """
def helper(x):
    if x.ndim > 9:
        raise Unsupported("so many axes")
    return x * FACTOR

FACTOR = 1.001

@operations.native
def sigmoid(x):
    return helper(reference_sigmoid.sigmoid(x))
"""


def test_the_script_shows_the_same_wrong_number_without_this_project(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + PLAIN)
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32")
    outcome = tensorproof(*asked, "--sample=plain_both_signs", "--sample=strided_sliced", "--dump=out", path=folder)
    assert outcome.code == 1, outcome.text
    script = tmp_path / "out" / "forward-sigmoid-plain_both_signs-float32-eager.py"
    assert f"script: {script}" in outcome.text
    code, text = ran(script, plain=True)
    assert code == 1, text
    assert "as recorded: True" in text
    (line,) = [line for line in outcome.text.splitlines() if "bars from the reference" in line and "plain_both" in line][:1]
    got = line.partition("got ")[2].partition(",")[0]
    assert f"got {got}, expected" in text
    assert "Unsupported" not in script.read_text()
    code, text = ran(tmp_path / "out" / "forward-sigmoid-strided_sliced-float32-eager.py", plain=True)
    assert (code, "as recorded: True" in text) == (1, True), text


def test_the_script_says_so_when_the_number_is_right(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + PLAIN)
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32", "--sample=plain_both_signs")
    tensorproof(*asked, "--dump=out", path=folder)
    (script,) = (tmp_path / "out").glob("*.py")
    script.write_text(script.read_text().replace("FACTOR = 1.001", "FACTOR = 1.0"))
    code, text = ran(script, plain=True)
    assert code == 0, text
    assert "as recorded: False" in text


def test_without_a_template_the_script_calls_the_plugin(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + backend(BODY + "script = Backend.script\n"))
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--dtype=float32", "--sample=plain_both_signs")
    tensorproof(*asked, "--check=forward", "--check=gradient", "--dump=out", path=folder)
    scripts = sorted((tmp_path / "out").glob("*.py"))
    assert [script.name.partition("-")[0] for script in scripts] == ["forward", "gradient"]
    for script in scripts:
        assert "It needs tensorproof and its plugin: fake gives no template for it." in script.read_text()
        code, text = ran(script, plain=False, path=folder)
        assert code == 1, text
        assert "as recorded: True" in text


def test_layouts_are_those_of_the_backend(tensorproof, plugin: Plugin, tmp_path):
    source = """
from tensorproof_reference.operations import conv2d as reference_conv2d

@operations.native
def conv2d(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    first, second = np.moveaxis(x, -1, 1), np.moveaxis(weight, (2, 3), (1, 0))
    return np.moveaxis(reference_conv2d.conv2d(first, second, bias, stride=stride, padding=padding), 1, -1) * 1.01
"""
    folder = plugin("fake", source + PLAIN)
    asked = ("check", "fake", "-n0", "--op=conv2d", "--check=forward", "--dtype=float64", "--sample=geometry_stride")
    outcome = tensorproof(*asked, "--dump=out", path=folder)
    scripts = list((tmp_path / "out").glob("*.py"))
    assert len(scripts) == 1, outcome.text
    with np.load(scripts[0].with_suffix(".npz")) as case:
        assert case["expected y"].shape == case["output y"].shape
        assert case["input weight"].shape[-1] == case["expected y"].shape[-1]
    code, text = ran(scripts[0], plain=True)
    assert (code, "as recorded: True" in text) == (1, True), text


def test_an_exception_comes_again(tensorproof, plugin: Plugin, tmp_path):
    source = """
@operations.native
def sigmoid(x):
    raise RuntimeError("no kernel")
"""
    folder = plugin("fake", source + PLAIN)
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32", "--sample=plain_both_signs")
    tensorproof(*asked, "--dump=out", path=folder)
    (script,) = (tmp_path / "out").glob("*.py")
    code, text = ran(script, plain=True)
    assert code == 1
    assert "RuntimeError: no kernel" in text


def test_instruction_sets_are_set_before_the_framework_is_imported(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + PLAIN)
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32", "--sample=plain_both_signs")
    tensorproof(*asked, "--dump=out", "--instructions=sse2", path=folder)
    (script,) = (tmp_path / "out").glob("*.py")
    text = script.read_text()
    assert text.index("os.environ['FAKE_LIMIT'] = 'sse2'") < text.index("import numpy as np")
    assert ran(script, plain=True)[0] == 1


def test_nothing_is_overwritten(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + PLAIN)
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32", "--sample=plain_both_signs")
    for _ in range(2):
        tensorproof(*asked, "--dump=out", path=folder)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    stem = "forward-sigmoid-plain_both_signs-float32-eager"
    assert names == sorted(f"{stem}{number}.{kind}" for number in ("", "-2") for kind in ("py", "npz"))


def test_the_command_carries_all_that_decides(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", FAULTY + PLAIN)
    (folder / "brought.py").write_text("")
    (tmp_path / "more.toml").write_text("")
    asked = ("check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32", "--sample=plain_both_signs")
    more = ("-p", "brought", "--declarations=more.toml", "--seed=3", "--instructions=sse2", "--check-timeout=50")
    outcome = tensorproof(*asked, *more, path=folder)
    (command,) = {line.partition("reproduce: ")[2] for line in outcome.text.splitlines() if "reproduce: " in line}
    assert command == (
        "tensorproof check fake -p brought --op=sigmoid --check=forward --sample=plain_both_signs --dtype=float32 --mode=eager "
        "--instructions=sse2 --seed=3 --declarations=more.toml --check-timeout=50"
    )


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--dump: out cannot be written: Not a directory"):
        require_folder(str(tmp_path / "file" / "out"))


def test_names_are_safe():
    assert safe_name("forward-../../etc/x y-float32") == "forward-______etc_x_y-float32"


def test_an_index_is_found_in_the_other_layout():
    def laid(array):
        return np.moveaxis(array, 1, -1)

    assert index_in_layout([1, 2, 0], (2, 3, 4), laid) == (1, 0, 2)


def function_of(text: str) -> ast.FunctionDef:
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.FunctionDef)
    return definition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x, *, k=1):\n    return g(x, k)", "def f(x):\n    return g(x, 2)"),
        ("def f(x, b=None):\n    return x if b is None else x + b", "def f(x):\n    return x"),
        ("def f(x, *, k=1):\n    if k == 1:\n        return x\n    return -x", "def f(x):\n    return -x"),
        ("def f(x, *, k=1):\n    k = k + 1\n    return k", "def f(x, *, k=1):\n    k = k + 1\n    return k"),
        ("def f(x):\n    return 1 if x is None else x == 3", "def f(x):\n    return x == 3"),
        ("def f(x, *, k=1):\n    return lambda k: k + x", "def f(x, *, k=1):\n    return lambda k: k + x"),
        ("def f(x, *, k=1):\n    return () if k is None else (k,)", "def f(x):\n    return (2,)"),
        ("def f(x, *, k=1):\n    return 0 if k == 1 or x > 0 else 1", "def f(x):\n    return 0 if x > 0 else 1"),
    ],
)
def test_keywords_are_filled_in_and_branches_decided(text, expected):
    assert ast.unparse(folded(function_of(text), {"k": 2, "b": None}, ("x",))) == expected


def test_a_keyword_that_is_no_literal_is_refused():
    with pytest.raises(NotPlain, match="a keyword is a ndarray"):
        literal(np.zeros(3))


def test_a_function_made_while_the_plugin_runs_has_no_source_of_its_own():
    factor = 2.0

    def made(x):
        return x * factor

    with pytest.raises(NotPlain, match="makes its function while it runs"):
        Source(("test_dump",), passed=True).function(made, {}, ("x",))


def test_every_operation_of_numpy_is_written_out_without_this_project(monkeypatch):
    # A script imports it, and its checks are made only where it is installed.
    monkeypatch.setitem(sys.modules, "ml_dtypes", ml_dtypes or types.ModuleType("ml_dtypes"))
    for name, implementation in numpy_operations.implementations.items():
        operation = numpy_operations.specification[name]
        if operation.model is not None:
            continue
        # Those of primitives are made from a table of derivatives: a script calls them where they are.
        vjp = operation.vjp if operation.profile == CORE else None
        for function in filter(None, (implementation.function, vjp)):
            source = Source(("tensorproof_numpy",), passed=True)
            if operation.family == "block":  # a table of steps names operations by their modules: a script calls it where it is
                with pytest.raises(NotPlain, match=r"takes the module tensorproof_reference\.\S+ as a value"):
                    source.function(function, {}, ())
                continue
            if isinstance(function, functools.partial):  # made while the plugin runs: a script calls it where it is
                with pytest.raises(NotPlain):
                    source.function(function, {}, ())
                continue
            definition = ast.unparse(source.function(function, {}, ()))
            imports, definitions = source.needed(definition)
            text = "\n".join([*imports, *definitions, definition])
            exec(compile(text, name, "exec"), {})
            assert "tensorproof" not in text, name
