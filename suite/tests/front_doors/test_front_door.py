"""The command line end to end: usage errors, outcomes told apart, records that survive, baselines and shards."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_backend import BACKEND

Plugin = Callable[..., Path]


def statuses(record: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in record.read_text().splitlines():
        line = json.loads(text)
        if line["kind"] == "check":
            counts[line["status"]] = counts.get(line["status"], 0) + 1
    return counts


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "nunpy"], "no backend is called 'nunpy' (did you mean numpy?); installed:"),
        (["check", "numpy", "--op=sofmax"], "--op: nothing is called 'sofmax' (did you mean softmax?)"),
        (["check", "numpy", "--dtype=float23"], "(did you mean float32?)"),
        (["check", "numpy", "--dtype=bfloat16"], "numpy on cpu has no bfloat16; it declares float64, float32"),
        (["check", "numpy", "--mode=jit"], "--mode: nothing is called 'jit'; there are: eager"),
        (["check", "numpy", "--sample=plain_row"], "(did you mean plain_rows?)"),
        (["check", "numpy", "--op=relu", "--sample=plain_rows"], "no sample of relu is called 'plain_rows'"),
        (["check", "numpy", "--op=relu", "--sample=kink"], "there are: "),
        (["check", "numpy", "--device=cuda:0"], "no device 'cuda:0'; present: cpu"),
        (["check", "numpy", "--shard=3/2"], "--shard: expected I/N"),
        (["check", "numpy", "--seed=-1"], "--seed: expected a number from 0"),
        (["check", "numpy", "-n=-1"], "-n: expected a count of worker processes, got -1"),
        (["check", "numpy", "--time-budget=0"], "--time-budget: expected a positive number"),
        (["check", "numpy", "--profile=core2"], "(did you mean core?)"),
        (["check", "numpy", "--op=relu", "--check=randomness"], "no check matches all of these options"),
        (["check", "numpy", "--declarations=absent.toml"], "declarations file absent.toml"),
        (["check", "numpy", "--baseline=absent.ndjson"], "record absent.ndjson: cannot be read"),
        (["check", "numpy", "--op=relu", "--compile-cache=/dev/null"], "--compile-cache: null cannot be written"),
        (["list", "--op=sofmax"], "(did you mean softmax?)"),
        (["report", "absent.ndjson", "-o", "page.html"], "record absent.ndjson: cannot be read"),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_code_4(tensorproof, arguments, expected):
    outcome = tensorproof(*arguments)
    assert outcome.code == 4, outcome.text
    assert expected in outcome.text
    assert "Traceback" not in outcome.text
    assert len([line for line in outcome.text.splitlines() if line.strip()]) == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import absent_framework\n", "ModuleNotFoundError: No module named 'absent_framework'"),
        ("def broken(:\n", "SyntaxError"),
        ("operations.native(reference_tanh.vjp)\n", "no operation is called 'vjp'"),
        (
            "@operations.native\ndef softmax(x, axis=-1): pass\n",
            "softmax: the parameters must be those of the specification: softmax(x, *, axis=-1)",
        ),
        ("", "tensorproof_fake has no function tensorproof_backend"),
        ("os._exit(7)\n", "importing it ended the process (exit code 7)"),
        (BACKEND + "Fake.dtypes = lambda self, device: ['float31']\n", "no dtype is called 'float31' (did you mean float32?)"),
    ],
)  # fmt: skip
def test_broken_plugin_is_named_with_its_error_and_harms_no_other(tensorproof, plugin: Plugin, source, expected):
    folder = plugin("fake", source)
    outcome = tensorproof("check", "fake", path=folder)
    assert outcome.code == 4, outcome.text
    assert "backend 'fake'" in outcome.text
    assert expected in outcome.text
    assert "Traceback" not in outcome.text
    assert tensorproof("check", "numpy", "--op=tanh", "--sample=plain_both_signs", "-n0", path=folder).code in (0, 4)
    other = tensorproof("check", "numpy", "--op=softmax", "--sample=plain_rows", "-n0", path=folder)
    assert other.code == 0, other.text


ENDS = {
    "crashed": "os.kill(os.getpid(), signal.SIGSEGV)",
    "timed_out": "time.sleep(60)",
    "out_of_memory": "raise MemoryError('cannot allocate')",
    "error": "raise RuntimeError('no kernel')",
    "unsupported": "raise Unsupported('not in this build')",
    "failed": "return reference_sigmoid.sigmoid(x) * 1.001",
}


@pytest.mark.parametrize(("status", "action"), ENDS.items())
def test_what_ends_a_check_is_told_apart_and_costs_it_only(tensorproof, plugin: Plugin, tmp_path, status, action):
    source = f"""
@operations.native
def sigmoid(x):
    if x.dtype == np.float32 and x.shape[-1:] == (17,):
        {action}
    return reference_sigmoid.sigmoid(x)
"""
    folder = plugin("fake", source + BACKEND)
    record = tmp_path / "run.ndjson"
    outcome = tensorproof(
        *("check", "fake", "--op=sigmoid", "--check=forward", "--dtype=float32", "--check-timeout=4", f"--record={record}"),
        path=folder,
    )
    counts = statuses(record)
    assert counts.pop(status) == 1, outcome.text
    assert set(counts) <= {"passed", "not_meaningful"}
    assert counts["passed"] >= 10
    assert outcome.code == (0 if status == "unsupported" else 1), outcome.text
    if status != "unsupported":
        assert "reproduce: tensorproof check fake --op=sigmoid --check=forward --sample=" in outcome.text


def test_killed_by_a_signal_at_the_time_limit_is_timed_out_and_tells_both(tensorproof, plugin: Plugin, tmp_path):
    source = """
@operations.native
def sigmoid(x):
    if x.dtype == np.float32:
        import threading
        threading.Timer(2.2, os.kill, (os.getpid(), signal.SIGSEGV)).start()
        faulthandler.cancel_dump_traceback_later()
        time.sleep(60)
    return reference_sigmoid.sigmoid(x)
"""
    folder = plugin("fake", "import faulthandler\n" + source + BACKEND)
    record = tmp_path / "run.ndjson"
    options = ("--op=sigmoid", "--check=forward", "--sample=plain_both_signs", "--check-timeout=2", f"--record={record}")
    outcome = tensorproof("check", "fake", *options, path=folder)
    assert statuses(record) == {"passed": 1, "timed_out": 1}, outcome.text
    assert "still running after 2 s; the process ended at that time (signal 11)" in outcome.text


def test_killed_by_the_system_reads_as_out_of_memory(tensorproof, plugin: Plugin, tmp_path):
    source = """
@operations.native
def sigmoid(x):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    folder = plugin("fake", source + BACKEND)
    record = tmp_path / "run.ndjson"
    tensorproof(
        *("check", "fake", "--op=sigmoid", "--check=forward", "--sample=plain_both_signs", f"--record={record}"),
        path=folder,
    )
    assert statuses(record)["out_of_memory"] == 2


def test_result_from_another_device_fell_back_and_is_no_pass(tensorproof, plugin: Plugin, tmp_path):
    source = BACKEND.replace("operations = operations", "operations = operations\n    def devices(self): return ('npu', 'cpu')")
    folder = plugin("fake", source)
    record = tmp_path / "run.ndjson"
    outcome = tensorproof(
        "check", "fake", "--op=tanh", "--check=forward", "--dtype=float32", "-n0", f"--record={record}", path=folder
    )
    counts = statuses(record)
    assert counts.get("fell_back", 0) >= 10
    assert "passed" not in counts
    assert "computed on cpu, not on npu" in outcome.text
    assert outcome.code == 1


def test_undeclared_operation_fails_once_and_says_what_to_write(tensorproof, plugin: Plugin):
    outcome = tensorproof("check", "fake", "--op=relu", "-n0", path=plugin("fake", BACKEND))
    assert outcome.code == 1
    assert 'implement it, or say operations.unsupported("relu", reason)' in outcome.text
    assert "1 failed" in outcome.text


def test_upgrade_question_tells_new_failures_fixed_and_missing(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", BACKEND.replace("name = ", "factor = float(os.environ['FACTOR'])\n    name = ") + """
@operations.native
def sigmoid(x):
    return reference_sigmoid.sigmoid(x) * Fake.factor
""")  # fmt: skip
    base = ["check", "fake", "-n0", "--op=sigmoid", "--check=forward", "--dtype=float32"]
    right, wrong = {"FACTOR": "1"}, {"FACTOR": "1.1"}
    assert tensorproof(*base, "--record=right.ndjson", path=folder, environment=right).code == 0
    worse = tensorproof(*base, "--baseline=right.ndjson", "--record=wrong.ndjson", path=folder, environment=wrong)
    assert worse.code == 1
    assert "0 fixed, 0 missing" in worse.text
    same = tensorproof(*base, "--baseline=wrong.ndjson", path=folder, environment=wrong)
    assert same.code == 0, same.text
    assert "0 new failures, 0 fixed, 0 missing" in same.text
    better = tensorproof(*base, "--baseline=wrong.ndjson", path=folder, environment=right)
    assert better.code == 0
    assert "0 new failures" in better.text
    fewer = tensorproof(*base, "--sample=plain_both_signs", "--baseline=right.ndjson", path=folder, environment=right)
    assert fewer.code == 1
    assert "0 new failures, 0 fixed, 0 missing" not in fewer.text


def test_shards_cover_all_once_and_merge_says_incomplete(tensorproof, tmp_path):
    base = ["check", "numpy", "-n0", "--op=softmax", "--op=tanh", "--check=forward"]
    tensorproof(*base, "--record=all.ndjson")
    for index in (1, 2, 3):
        tensorproof(*base, f"--shard={index}/3", f"--record=part{index}.ndjson")
    whole = sum(statuses(tmp_path / "all.ndjson").values())
    assert sum(sum(statuses(tmp_path / f"part{index}.ndjson").values()) for index in (1, 2, 3)) == whole
    merged = tensorproof("merge", "part1.ndjson", "part2.ndjson", "part3.ndjson", "-o", "merged.ndjson")
    assert merged.code == 0, merged.text
    assert statuses(tmp_path / "merged.ndjson") == statuses(tmp_path / "all.ndjson")
    short = tensorproof("merge", "part1.ndjson", "part3.ndjson", "-o", "short.ndjson")
    assert short.code == 1
    assert "incomplete: shard 2/3 is missing" in short.text
    twice = tensorproof("merge", "part1.ndjson", "part1.ndjson", "-o", "twice.ndjson")
    assert twice.code == 4
    assert "given more than once" in twice.text


SLOW_RELU = "@operations.native\ndef relu(x):\n    time.sleep(1.1)\n    return np.maximum(x, 0)\n"


def test_time_budget_counts_what_was_not_run(tensorproof, plugin: Plugin, tmp_path):
    folder = plugin("fake", SLOW_RELU + BACKEND)
    outcome = tensorproof("check", "fake", "-n0", "--op=relu", "--time-budget=1", "--record=run.ndjson", path=folder)
    counts = statuses(tmp_path / "run.ndjson")
    assert counts.get("not_run", 0) > 10
    assert "incomplete" in outcome.text


def test_what_is_unsupported_is_that_also_when_the_time_is_spent(tensorproof, plugin: Plugin, tmp_path):
    source = SLOW_RELU + 'operations.native(reference_sigmoid.sigmoid)\noperations.unsupported("softplus", "it has none")\n'
    record, limits = tmp_path / "run.ndjson", tmp_path / "limits.toml"
    limits.write_text('[[unsupported]]\noperation = "sigmoid"\ndtype = "float64"\nreason = "float32 only"\n')
    chosen = ("--op=relu", "--op=sigmoid", "--op=softplus")
    options = (*chosen, "--check=forward", "--time-budget=1", f"--record={record}", f"--declarations={limits}")
    outcome = tensorproof("check", "fake", "-n0", *options, path=plugin("fake", source + BACKEND))
    lines = [json.loads(text) for text in record.read_text().splitlines()]
    checks = [line for line in lines if line["kind"] == "check"]
    assert {line["status"] for line in checks if line["operation"] == "softplus"} == {"unsupported"}, outcome.text
    assert {line["status"] for line in checks if (line["operation"], line["dtype"]) == ("sigmoid", "float64")} == {"unsupported"}
    assert {line["status"] for line in checks if (line["operation"], line["dtype"]) == ("sigmoid", "float32")} == {"not_run"}


def test_a_declared_convention_excuses_the_error_that_it_does_not_raise(tensorproof, plugin: Plugin, tmp_path):
    source = """
@operations.native
def one_hot(labels, *, classes, out_of_range="error"):
    return (labels[..., None] == np.arange(classes)).astype(np.float32)
"""
    folder, record, declared = plugin("fake", source + BACKEND), tmp_path / "run.ndjson", tmp_path / "zeros.toml"
    options = ("-n0", "--op=one_hot", "--sample=bounds_error_negative", "--sample=bounds_zeros_negative", "--check=forward")
    assert tensorproof("check", "fake", *options, path=folder).code == 1
    declared.write_text('[[convention]]\noperation = "one_hot"\nkeywords = { out_of_range = "zeros" }\nreason = "no errors"\n')
    outcome = tensorproof("check", "fake", *options, f"--record={record}", f"--declarations={declared}", path=folder)
    assert outcome.code == 0, outcome.text
    assert statuses(record) == {"unsupported": 1, "passed": 1}
    assert "1 excused by another convention" in outcome.text
    assert "its convention is out_of_range = 'zeros', by which there is no error" in record.read_text()


def test_list_prints_required_and_optional_without_a_framework(tensorproof):
    outcome = tensorproof("list", "--op=one_hot", "--op=softmax")
    assert outcome.code == 0
    assert any(line.split() == ["required", "forward", "softmax", "plain_rows", "float64"] for line in outcome.text.splitlines())
    assert any(line.startswith("optional") for line in outcome.text.splitlines())


def test_records_are_never_overwritten(tensorproof):
    arguments = ["check", "numpy", "-n0", "--op=tanh", "--sample=plain_both_signs", "--record=run.ndjson"]
    tensorproof(*arguments)
    again = tensorproof(*arguments)
    assert again.code == 4
    assert "records are never overwritten" in again.text


def test_a_report_of_pytest_replaces_no_file_of_others(tensorproof, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    outcome = tensorproof("check", "numpy", "-n0", "--op=tanh", "--sample=plain_both_signs", "--junit-xml=notes.txt")
    assert outcome.code == 4
    assert "notes.txt is no report of pytest; give another name, or --force to replace it" in outcome.text
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_wrong_adapter_is_told_first_and_once(tensorproof, plugin: Plugin, tmp_path):
    source = BACKEND.replace(
        '    name = "fake"',
        '    name = "fake"\n    def to_numpy(self, value):\n        return np.asarray(value).T.reshape(np.shape(value))',
    )
    folder = plugin("fake", source)
    outcome = tensorproof("check", "fake", "-n0", "--op=tanh", "--dtype=float32", "--record=run.ndjson", path=folder)
    checks = [json.loads(text) for text in (tmp_path / "run.ndjson").read_text().splitlines()]
    first = [line["check"] for line in checks if line["kind"] == "check"][:4]
    assert first == ["adapter", "adapter", "adapter", "forward"]
    assert "1 cause of what is wrong:" in outcome.text
    assert "adapter: arrays" in outcome.text
    assert "so also: tanh (" in outcome.text
    assert outcome.code == 1
