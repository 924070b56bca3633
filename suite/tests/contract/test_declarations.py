"""Declarations: what they match, what they refuse, when they are stale or idle, and conventions that a backend is held to."""

import json
import tomllib
from pathlib import Path

import pytest
from fake_backend import BACKEND

from tensorproof.conformance.selection.plan import SampleNames
from tensorproof.contract.backends import specification
from tensorproof.contract.declarations import Declaration, DeclarationError, Situation, in_force, matches, read_declarations

SITUATION = Situation(
    "conv2d", "plain", "float32", "eager", "cpu", "forward", {"groups": 2, "stride": (2, 1)}, frozenset({"x", "weight", "bias"})
)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"operation": "conv2d"}, True),
        ({"operation": ["softmax", "conv2d"]}, True),
        ({"operation": "conv"}, False),
        ({"dtype": "float64"}, False),
        ({"dtype": "float32", "mode": "jit"}, False),
        ({"keywords": {"groups": 2}}, True),
        ({"keywords": {"groups": {"not": 1}}}, True),
        ({"keywords": {"groups": {"not": 2}}}, False),
        ({"keywords": {"groups": {"any_of": [2, 3]}}}, True),
        ({"keywords": {"groups": {"none_of": [1, 4]}}}, True),
        ({"keywords": {"stride": [2, 1]}}, True),
        ({"keywords": {"stride": [1, 2]}}, False),
        ({"keywords": {"dilation": [1, 1]}}, False),
        ({"given": ["bias"]}, True),
        ({"absent": ["bias"]}, False),
        ({"given": ["mask"]}, False),
    ],
)
def test_all_conditions_must_hold_and_names_are_exact(conditions, expected):
    assert matches(Declaration("unsupported", {**conditions, "reason": "x"}, "test"), SITUATION) is expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [({"torch": "<2.14"}, True), ({"torch": ">=2.14"}, False), ({"jax": "<9"}, False), ({"python": ">=3"}, True)],
)
def test_versions_and_platform_decide_whether_it_is_in_force(versions, expected):
    assert in_force(Declaration("unsupported", {"versions": versions}, "test"), {"torch": "2.13.0+cpu"}, {}) is expected
    assert not in_force(Declaration("unsupported", {"platform": "nowhere"}, "test"), {}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[unsuported]]\n", "no kind of declaration is called 'unsuported' (did you mean unsupported?)"),
        ("unsupported = 3\n", "must be a list of tables"),
        ("[[unsupported]]\noperation = 'softmax'\n", "reason: a declaration says why"),
        ("[[known_failure]]\nexplanation = ' '\n", "explanation: a declaration says why"),
        ("[[unsupported]]\noperation = 'sofmax'\nreason = 'x'\n", "no operation is called 'sofmax' (did you mean softmax?)"),
        ("[[unsupported]]\ndtype = 'float23'\nreason = 'x'\n", "no dtype is called 'float23' (did you mean float32?)"),
        ("[[unsupported]]\nmode = 'jit'\nreason = 'x'\n", "no mode is called 'jit'"),
        ("[[unsupported]]\ncheck = 'foward'\nreason = 'x'\n", "(did you mean forward?)"),
        ("[[unsupported]]\ndtpye = 'float32'\nreason = 'x'\n", "unknown key 'dtpye' (did you mean dtype?)"),
        ("[[known_failure]]\nreason = 'x'\n", "unknown key 'reason' ('explanation' is the word in [[known_failure]])"),
        ("[[unsupported]]\nexplanation = 'x'\n", "unknown key 'explanation' ('reason' is the word in [[unsupported]])"),
        ("[[unsupported]]\noperation = 'softmax'\nsample = 'plain'\nreason = 'x'\n", "it has: plain_rows"),
        ("[[unsupported]]\noperation = 3\nreason = 'x'\n", "operation: expected a name or a list of names"),
        ("[[unsupported]]\nkeywords = { a = { nt = 1 } }\nreason = 'x'\n", "expected a value, or not, any_of or none_of"),
        ("[[unsupported]]\nversions = { torch = '2.13' }\nreason = 'x'\n", "is no version specifier"),
        ("[[precision]]\nmatmul_input_bits = 10\nreason = 'x'\n", "matmul_input_bits: expected 24, 16, 11 or 8"),
        ("[[precision]]\naccumulate = 'half'\nreason = 'x'\n", "accumulate: expected"),
        ("[[precision]]\ncasts = 'exact'\nreason = 'x'\n", "casts: expected"),
        ("[[known_failure]]\nsometimes = 'often'\nexplanation = 'x'\n", 'sometimes: "often" is not of type'),
        ("[[known_failure]]\nsometimes = true\nexplanation = 'x'\n", "sometimes: name the versions that it was seen in"),
        ("[[unsupported]]\nattempt = 0\nreason = 'x'\n", "attempt: 0 is not of type"),
        ("[[known_failure]]\nattempt = false\nexplanation = 'x'\n", "unknown key 'attempt'"),
        ("[[device]]\ndtypes = ['float32']\n", "name: expected the device's name"),
        ("[[device]]\nname = 'x'\ndtypes = ['float31']\n", "no dtype is called 'float31'"),
        ("[[convention]]\noperation = 'gelu'\nreason = 'x'\n", "names its operation and its keywords"),
        (
            "[[convention]]\noperation = 'gelu'\nkeywords = { aproximation = 'x' }\nreason = 'x'\n",
            "has no convention 'aproximation'",
        ),
        (
            "[[convention]]\noperation = 'batch_norm'\nkeywords = { running_variance_estimate = 'x' }\nreason = 'x'\n",
            "expected one of 'unbiased', 'biased', got 'x'",
        ),
        ("[[unsupported]]\noperation = 'softmax'\nsample = 'plain_row'\nreason = 'x'\n", "(did you mean plain_rows?)"),
        ("[[unsupported]]\nsample = 2020-01-01\nreason = 'x'\n", "unsupported 1: sample: "),
        ("[[unsupported]]\nkeywords = { a = 2020-01-01 }\nreason = 'x'\n", "unsupported 1: keywords: "),
        ("[[known_program]]\nexplanation = 'x'\n", "program: say which calls are known to fail"),
        (
            "[[known_program]]\nprogram = 'exp'\nexplanation = 'x'\n",
            "as 'v0: float32[9]; v1 = exp(v0) -> v1', got 'exp'",
        ),
        ("[[known_program]]\nprogram = 'v1 = exp(v0) -> v1'\nexplanation = 'x'\n", "expected a finding's text"),
        (
            "[[known_program]]\nprogram = 'v0: float32[]; v1 = relo(v0) -> v1'\nexplanation = 'x'\n",
            "'relo' (did you mean relu?)",
        ),
        ("[[known_program]]\nprogram = 'v0: float32[9]; v1 = relu(v0) -> v1'\n", "explanation: a declaration says why"),
        ("[[unsupported]\n", "declarations file bad.toml"),
    ],
)
def test_malformed_declarations_say_what_to_type_instead(tmp_path: Path, text, expected):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(DeclarationError) as caught:
        read_declarations(path, specification(), ["eager"], {"softmax": ["plain_rows"], "relu": ["plain"]})
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        "operation = 'gelu'\nsample = 'no_such'",
        "operation = ['softmax', 'gelu']\nsample = 'no_such'",
        "sample = 'no_such'",
    ],
)
def test_samples_of_operations_that_do_not_run_are_not_looked_up(tmp_path: Path, table):
    path = tmp_path / "some.toml"
    path.write_text(f"[[unsupported]]\n{table}\nreason = 'x'\n")
    assert read_declarations(path, specification(), ["eager"], {"softmax": ["plain_rows"]})
    every = {name: ["plain_rows"] for name in specification()}
    with pytest.raises(DeclarationError, match=r"no sample of .* is called 'no_such'"):
        read_declarations(path, specification(), ["eager"], every)


SHIPPED = sorted(Path(__file__).parents[3].glob("plugins/*/*/declarations.toml"))


def test_there_are_declarations_in_the_plugins():
    assert len(SHIPPED) >= 8


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parts[-3])
def test_every_sample_that_a_plugin_declares_exists(path: Path):
    tables = [table for kind in tomllib.loads(path.read_text(encoding="utf-8")).values() for table in kind]
    named = [table.get(key, []) for table in tables for key in ("mode", "modes")]
    modes = {mode for item in named for mode in ([item] if isinstance(item, str) else item)}
    assert read_declarations(path, specification(), modes, SampleNames(specification(), 0))


SOURCE = (
    """
import pathlib

@operations.native
def sigmoid(x):
    y = reference_sigmoid.sigmoid(x)
    return y * 1.001 if x.dtype == np.float32 and x.shape[-1:] == (17,) else y
"""
    + BACKEND
)
BASE = ("check", "fake", "--op=sigmoid", "--check=forward", "-n0")


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_known_failure_excuses_a_wrong_value_but_does_not_conform(tensorproof, plugin, tmp_path):
    folder = plugin("fake", SOURCE)
    (tmp_path / "known.toml").write_text(
        "[[known_failure]]\noperation = 'sigmoid'\nsample = 'width_17'\ndtype = 'float32'\nexplanation = 'a factor'\n"
    )
    plain = tensorproof(*BASE, path=folder)
    assert plain.code == 1
    outcome = tensorproof(*BASE, "--declarations=known.toml", "--strict-declarations", "--record=run.ndjson", path=folder)
    assert outcome.code == 0, outcome.text
    assert "does not conform" in outcome.text
    known = [line for line in records(tmp_path / "run.ndjson") if line.get("status") == "known_failure"]
    assert [line["sample"] for line in known] == ["width_17"]


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("[[known_failure]]\noperation = 'sigmoid'\nexplanation = 'too wide'\n", "is stale: this check passes"),
        ("[[unsupported]]\noperation = 'sigmoid'\ndtype = 'float64'\nreason = 'not so'\n", "is stale: this check passes"),
        (
            "[[known_failure]]\noperation = 'relu'\nsample = 'nan_gradient'\ncheck = 'subset'\nexplanation = 'x'\n",
            "matches no case",
        ),
    ],
)
def test_stale_and_idle_declarations_fail_under_strict_only(tensorproof, plugin, tmp_path, declaration, expected):
    folder = plugin("fake", SOURCE)
    known = "[[known_failure]]\noperation='sigmoid'\nsample='width_17'\ndtype='float32'\nexplanation='a factor'\n"
    (tmp_path / "all.toml").write_text(known + declaration)
    strict = tensorproof(*BASE, "--declarations=all.toml", "--strict-declarations", path=folder)
    assert strict.code == 1
    assert expected in strict.text
    assert strict.text.count("\nstale declaration: ") == ("is stale" in expected)  # one line, however many checks pass
    lenient = tensorproof(*BASE, "--declarations=all.toml", path=folder)
    assert lenient.code == 0, lenient.text


def test_a_failure_that_comes_and_goes_is_a_known_failure_each_time(tensorproof, plugin, tmp_path):
    folder = plugin("fake", SOURCE)
    # Of these samples one fails and others pass, as one sample would from run to run.
    (tmp_path / "all.toml").write_text(
        "[[known_failure]]\noperation='sigmoid'\nsample=['width_16', 'width_17']\ndtype='float32'\n"
        "sometimes=true\nversions={ numpy = '>1' }\nexplanation='reads memory that nobody wrote'\n"
    )
    options = ("--declarations=all.toml", "--strict-declarations", "--record=run.ndjson", "--report=page.html")
    outcome = tensorproof(*BASE, *options, path=folder)
    assert outcome.code == 0, outcome.text
    found = {line["sample"]: line for line in records(tmp_path / "run.ndjson") if line.get("declaration")}
    assert {name: line["status"] for name, line in found.items()} == dict.fromkeys(("width_16", "width_17"), "known_failure")
    assert str(found["width_16"]["message"]) == "reads memory that nobody wrote [it passes this time]"
    assert "bars" in str(found["width_17"]["message"])


def test_a_declaration_of_a_program_is_none_of_a_check(tensorproof, plugin, tmp_path):
    folder = plugin("fake", SOURCE)
    text = "v0: float32[9]; v1 = sigmoid(v0) -> v1"
    (tmp_path / "all.toml").write_text(f"[[known_program]]\nprogram = '{text}'\nexplanation = 'a factor'\n")
    options = ("--sample=plain_both_signs", "--declarations=all.toml", "--strict-declarations", "--record=run.ndjson")
    outcome = tensorproof(*BASE, *options, path=folder)
    assert outcome.code == 0, outcome.text
    declared = records(tmp_path / "run.ndjson")[0]["declarations"]
    assert isinstance(declared, list)
    assert "known_program" not in [item["kind"] for item in declared]


def test_unsupported_is_tried_under_strict_and_counts_as_unsupported(tensorproof, plugin, tmp_path):
    folder = plugin(
        "fake", SOURCE.replace("return y * 1.001 if", "if x.shape[-1:] == (17,): raise RuntimeError('no')\n    return y if")
    )
    (tmp_path / "all.toml").write_text("[[unsupported]]\noperation = 'sigmoid'\nsample = 'width_17'\nreason = 'no kernel'\n")
    outcome = tensorproof(*BASE, "--declarations=all.toml", "--strict-declarations", "--record=run.ndjson", path=folder)
    assert outcome.code == 0, outcome.text
    assert sum(line.get("status") == "unsupported" for line in records(tmp_path / "run.ndjson")) == 2


def test_a_backend_is_held_to_the_convention_that_it_declares(tensorproof, plugin, tmp_path):
    source = SOURCE.replace("class Fake", "from tensorproof_reference.operations.batch_norm import batch_norm as right\n"
        "@operations.native\ndef batch_norm(x, scale, offset, running_mean, running_variance, *, training=True, epsilon=1e-5, "
        "momentum=0.9, running_variance_estimate='unbiased'):\n"
        "    return right(x, scale, offset, running_mean, running_variance, training=training, epsilon=epsilon, "
        "momentum=momentum, running_variance_estimate='biased')\n\nclass Fake")  # fmt: skip
    folder = plugin("fake", source)
    (tmp_path / "biased.toml").write_text(
        "[[convention]]\noperation = 'batch_norm'\nkeywords = { running_variance_estimate = 'biased' }\nreason = 'documented'\n"
    )
    arguments = ["check", "fake", "--op=batch_norm", "--check=forward", "--sample=plain_images", "--dtype=float64", "-n0"]
    assert tensorproof(*arguments, path=folder).code == 1
    outcome = tensorproof(*arguments, "--declarations=biased.toml", path=folder)
    assert outcome.code == 0, outcome.text
