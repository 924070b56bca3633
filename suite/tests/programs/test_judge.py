"""A user's function is judged in each mode: right ones pass, a miscompiled one is found, and what is not known is listed.

The framework is the small one; what its plugin tells of a function is what its own tape recorded.
"""

import sys

import numpy as np
import pytest
from faulty import Fault
from planted_rewrites import PLANTED
from planted_writes import PLANTED_WRITES
from small_backend import SmallBackend, Value
from small_operations import KNOWN, SCALE

import tensorproof
from tensorproof import cli
from tensorproof.backend import Traced, Transcript, flat_results
from tensorproof.errors import UsageError
from tensorproof.programs.functions.command import drawn

UNKNOWN = (SCALE,)


class Traceable(SmallBackend):
    """The small framework, whose plugin traces functions by its tape."""

    def trace(self, function, arguments):
        self.mode = "eager"
        with self.tape() as tape:
            results = flat_results(function(*arguments))
        transcript = Transcript()
        numbers = {id(item): transcript.argument(item) for item in arguments}

        def number_of(value):
            if id(value) not in numbers:
                numbers[id(value)] = transcript.captured(value)
            return numbers[id(value)]

        for node in tape:
            operands = {
                name: tuple(map(number_of, item)) if isinstance(item, list | tuple) else number_of(item)
                for name, item in node.inputs.items()
                if item is not None
            }
            for output in node.outputs:
                known = node.operation in KNOWN
                number = transcript.call(f"small.{node.operation}", node.operation, operands, node.keywords)
                numbers[id(output)] = number if known else transcript.unknown(f"small.{node.operation}")
        values = {numbers[id(output)]: output for node in tape for output in node.outputs}

        def with_results(wanted):
            places = [list(values).index(number) for number in wanted]

            def replayed(*given):
                with self.tape() as again:
                    function(*given)
                outputs = [output for node in again for output in node.outputs]
                if self._tapes:
                    self._tapes[-1].extend(again)
                return tuple(outputs[place] for place in places)

            return replayed

        return Traced(transcript, [numbers[id(item)] for item in results], sorted(values), with_results)


def backend_with(name=""):
    """The framework with a miscompilation planted, or none."""
    return Traceable(PLANTED[name].fault if name else None)


def arrays(*shapes):
    """Normal numbers in float32."""
    rng = np.random.default_rng(3)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def judged(name, make, *shapes):
    """The verdict on a function made of the framework's operations."""
    backend = backend_with(name)
    calls = {operation: item.function for operation, item in backend.operations.implementations.items()}
    return tensorproof.judge(make(calls), *arrays(*shapes), backend=backend)


def layer(calls):
    """A product, its bias, and a relu, with its residual."""

    def function(x, w, b):
        y = calls["add"](calls["matmul"](x, w), b)
        return calls["add"](y, calls["relu"](y))

    return function


def attention(calls):
    """Scores, softmax and their product with values."""

    def function(q, k, v):
        scores = calls["matmul"](q, calls["permute"](k, axes=(1, 0)))
        return {"weights": (weights := calls["softmax"](scores)), "out": calls["matmul"](weights, v)}

    return function


def statistics(calls):
    """A sum of exponentials, and a spread."""

    def function(x):
        return calls["reduce_sum"](calls["exp"](x), axis=0), calls["variance"](x, axis=1)

    return function


@pytest.mark.parametrize(
    ("make", "shapes"),
    [(layer, [(4, 5), (5, 5), (5,)]), (attention, [(6, 6)] * 3), (statistics, [(3, 7)])],
    ids=["layer", "attention", "statistics"],
)
def test_a_right_function_is_right_in_every_mode(make, shapes):
    found = judged("", make, *shapes)
    assert found.right, found.text
    assert {mode: item.status for mode, item in found.modes.items()} == {"eager": "passed", "compiled": "passed"}
    assert not found.unknown
    assert "compiled: right" in found.text


@pytest.mark.parametrize(
    ("planted", "make", "shapes", "wrong"),
    [
        ("operand_not_transposed", attention, [(6, 6)] * 3, "matmul("),
        ("residual_in_place", layer, [(4, 5), (5, 5), (5,)], "add("),
        ("mean_for_a_sum_of_exponentials", statistics, [(3, 7)], "reduce_sum("),
    ],
)
def test_a_miscompiled_function_is_wrong_where_it_is_compiled_and_the_value_is_named(planted, make, shapes, wrong):
    found = judged(planted, make, *shapes)
    assert not found.right
    assert found.modes["eager"].status == "passed"
    assert found.modes["compiled"].status == "failed"
    assert wrong in found.modes["compiled"].wrong
    assert "first wrong: v" in found.text


def test_a_wrong_gradient_is_told_and_the_call_that_has_it():
    found = judged(
        "gradient_of_the_mean_for_the_sum",
        lambda calls: lambda x, y: calls["exp"](calls["reduce_sum"](calls["multiply"](x, y), axis=1)),
        (3, 4),
        (3, 4),
    )
    assert found.modes["compiled"].message.startswith("gradient of argument")
    assert found.modes["compiled"].wrong.startswith("the gradient of v3 = reduce_sum(")


def test_what_is_not_known_is_listed_and_the_rest_is_judged_up_to_it():
    def make(calls):
        return lambda x: calls["tanh"](calls["reduce_sum"](calls["exp"](x), axis=0) * 2.0)

    right, wrong = judged("", make, (3, 4)), judged("mean_for_a_sum_of_exponentials", make, (3, 4))
    assert right.unknown == ("small.scale",)
    assert right.right
    assert "no result is judged" in right.text
    assert "reduce_sum(" in wrong.modes["compiled"].wrong


class Lazy(Traceable):
    """A compiler that compiles nothing, and says so."""

    def prepared(self, function, mode):
        return function


def test_a_compiler_that_compiles_nothing_fell_back_and_is_no_pass():
    found = tensorproof.judge(lambda x: x_plus_itself(backend, x), *arrays((3,)), backend=(backend := Lazy()))
    assert {mode: item.status for mode, item in found.modes.items()} == {"eager": "passed", "compiled": "fell_back"}
    assert not found.right
    assert "compiled: FELL BACK: ran eagerly in mode compiled: nothing was compiled" in found.text


def x_plus_itself(backend, x):
    """Twice an array."""
    return backend.operations.implementations["add"].function(x, x)


def test_where_nothing_is_judged_nothing_is_right():
    found = tensorproof.judge(lambda x: x * 2.0, *arrays((3,)), backend=backend_with())
    assert not found.modes
    assert not found.right
    assert "nothing is judged" in found.text


def test_memory_that_runs_out_is_told_from_an_error():
    def out_of_memory(function):
        def compiled(*arguments):
            raise MemoryError("no more")

        return compiled

    backend = backend_with()
    found = tensorproof.judge(
        lambda x: x_plus_itself(backend, x), *arrays((3,)), backend=backend, modes=["eager"], compilers={"mine": out_of_memory}
    )
    assert found.modes["mine"].status == "out_of_memory"
    assert not found.right


def test_of_an_argument_that_is_not_finite_no_gradients_are_judged_and_that_is_said():
    backend = backend_with()
    found = tensorproof.judge(lambda x: x_plus_itself(backend, x), np.array([np.inf, 1.0], np.float32), backend=backend)
    assert found.right, found.text
    assert "gradients are not judged, for an argument is not finite" in found.text


def test_a_compiler_of_the_users_own_is_a_mode():
    backend = backend_with()
    cos = backend.operations.implementations["cos"].function
    found = tensorproof.judge(
        backend.operations.implementations["sin"].function,
        *arrays((4,)),
        backend=backend,
        modes=["eager"],
        compilers={"mine": lambda function: cos},
    )
    assert found.modes["eager"].status == "passed"
    assert found.modes["mine"].status == "failed"


def test_a_plugin_that_traces_nothing_says_so():
    with pytest.raises(UsageError, match="traces no functions"):
        tensorproof.judge(lambda x: x, *arrays((2,)), backend=SmallBackend())


def test_what_is_no_call_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean compiled"):
        tensorproof.judge(lambda x: x, *arrays((2,)), backend=backend_with(), modes=["compile"])
    with pytest.raises(UsageError, match="got complex128"):
        tensorproof.judge(lambda x: x, np.ones(2, complex), backend=backend_with())
    with pytest.raises(UsageError, match="expected the arrays"):
        tensorproof.judge(lambda x: x, backend=backend_with())


def test_inputs_of_the_command_are_shapes():
    assert drawn("3,4", 0, 0).shape == (3, 4)
    assert drawn("float64[2]", 0, 0).dtype == np.float64
    assert set(drawn("int64[50]<3", 0, 0)) == {0, 1, 2}
    for text in ("x", "int64[3]", "int64[3]<0", "float32[3]<4", "float32[3", "3]", "complex64[2]"):
        with pytest.raises(UsageError, match="--input"):
            drawn(text, 0, 0)


def test_the_command_judges_a_function_of_a_module(tensorproof, tmp_path):
    (tmp_path / "mine.py").write_text("def f(x):\n    return x\n")
    done = tensorproof("judge", "mine:f", "--input=2,3", "--backend=numpy")
    assert done.code == 4
    assert "the plugin numpy traces no functions" in done.text
    done = tensorproof("judge", "mine:g", "--input=2,3", "--backend=numpy")
    assert done.code == 4
    assert "mine has no function 'g'" in done.text
    (tmp_path / "broken.py").write_text("def f(x:\n")
    done = tensorproof("judge", "broken:f", "--input=2,3", "--backend=numpy")
    assert done.code == 4
    assert "broken: cannot be imported: SyntaxError" in done.text


@pytest.mark.parametrize(
    ("source", "arguments", "expected"),
    [
        ("import sys\nsys.exit(0)\n", ["--input=2"], "mine: cannot be imported: SystemExit: 0"),
        ("raise KeyboardInterrupt\n", ["--input=2"], "mine: cannot be imported: KeyboardInterrupt"),
        ("def f(x): return x\ndef made(): 1 / 0\n", ["--inputs=made"], "made: it returns no arrays: ZeroDivisionError"),
        ("import sys\ndef f(x): return x\ndef made(): sys.exit(0)\n", ["--inputs=made"], "no arrays: SystemExit: 0"),
    ],
)
def test_what_a_module_of_the_users_raises_or_leaves_by_is_a_usage_error(tensorproof, tmp_path, source, arguments, expected):
    (tmp_path / "mine.py").write_text(source)
    done = tensorproof("judge", "mine:f", "--backend=numpy", *arguments)
    assert done.code == 4
    assert expected in done.text
    assert "Traceback" not in done.text


def test_a_function_that_leaves_is_no_verdict(monkeypatch, capsys):
    monkeypatch.setattr(cli.functions, "run", lambda options: sys.exit(0))
    assert cli.main(["judge", "mine:f"]) == 3
    assert "code that a command called has left: SystemExit: 0" in capsys.readouterr().err


def test_values_are_of_the_framework_or_of_numpy():
    backend = backend_with()
    tanh = backend.operations.implementations["tanh"].function
    native = Value(np.ones((2,), np.float32), "float32")
    assert tensorproof.judge(tanh, native, backend=backend).right


class Varied(Traceable):
    """A framework with a variant of its compiler that compiles nothing."""

    variants = {"compiled:other": "spread"}

    def prepared(self, function, mode):
        return function if mode == "compiled:other" else super().prepared(function, mode)


def test_a_variant_of_a_mode_is_asked_for_by_its_name():
    backend = Varied()
    found = tensorproof.judge(lambda x: x_plus_itself(backend, x), *arrays((3,)), backend=backend)
    assert [*found.modes] == ["eager", "compiled"]
    found = tensorproof.judge(lambda x: x_plus_itself(backend, x), *arrays((3,)), backend=backend, modes=["compiled:other"])
    assert {mode: item.status for mode, item in found.modes.items()} == {"compiled:other": "fell_back"}


KNOWN_SINE = """
[[known_failure]]
operation = "sin"
mode = "compiled"
explanation = "its compiled sine is too large"
"""
LARGE_SINE = Fault(name="off", operation="sin", group="compiled", mode="compiled", function=lambda x: np.sin(x) * 1.001)


def test_a_wrong_value_of_an_operation_that_is_declared_to_fail_is_told_as_known(tmp_path):
    (tmp_path / "small.toml").write_text(KNOWN_SINE)
    backend, undeclared = Traceable(LARGE_SINE), Traceable(LARGE_SINE)
    backend.declarations = tmp_path / "small.toml"
    verdicts = []
    for one in (backend, undeclared):
        calls = {name: item.function for name, item in one.operations.implementations.items()}
        verdicts.append(tensorproof.judge(lambda x, calls=calls: calls["exp"](calls["sin"](x)), *arrays((5,)), backend=one))
    known, new = verdicts
    assert known.right, known.text
    assert known.modes["compiled"].status == "known_failure"
    assert "compiled: known failure: declared: its compiled sine is too large [result 0" in known.text
    assert "first wrong: v1 = sin(v0)" in known.text
    assert new.modes["compiled"].status == "failed"


def test_what_is_wrong_besides_an_operation_that_is_declared_to_fail_is_wrong(tmp_path):
    (tmp_path / "small.toml").write_text(KNOWN_SINE)
    backend = Traceable(PLANTED["mean_for_a_sum_of_exponentials"].fault)
    backend.declarations = tmp_path / "small.toml"
    calls = {name: item.function for name, item in backend.operations.implementations.items()}
    found = tensorproof.judge(
        lambda x: calls["reduce_sum"](calls["exp"](calls["sin"](x)), axis=0), *arrays((3, 4)), backend=backend
    )
    assert found.modes["compiled"].status == "failed"


class Aliasing(Traceable):
    """A compiler that gives the argument for what is negated twice."""

    def __init__(self):
        super().__init__(PLANTED_WRITES["alias_for_a_copy"])


def test_what_shares_memory_where_it_is_compiled_only_is_wrong():
    backend = Aliasing()
    negative = backend.operations.implementations["negative"].function
    found = tensorproof.judge(lambda x: negative(negative(x)), *arrays((3,)), backend=backend)
    assert found.modes["eager"].status == "passed"
    assert found.modes["compiled"].message == ("result 0 and argument 0 share memory in mode compiled, and not in mode eager")
