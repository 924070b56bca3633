"""What a backend says of itself, from a process apart: whatever it says or does there is an answer or a sentence."""

import pytest
from fake_backend import BACKEND, backend

from tensorproof.contract import description
from tensorproof.contract.description import describe, describe_apart
from tensorproof.errors import UsageError
from tensorproof_numpy import NumpyBackend


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("devices", lambda self: [], "devices: expected at least one device"),
        ("devices", lambda self: 1 / 0, "ZeroDivisionError: division by zero"),
        (
            "open_device",
            lambda self, device: (_ for _ in ()).throw(RuntimeError("no driver,\nor an old one")),
            "no driver, or an old",
        ),
        ("dtypes", lambda self, device: ("float32", "float32"), "dtypes: expected different dtypes"),
        ("dtypes", lambda self, device: (), "dtypes: expected different dtypes, at least one"),
        ("modes", {3: "all"}, "modes: expected a text as a mode's name, got 3"),
        ("variants", {"jit:other": "some"}, "variants: jit:other: expected one of all, float32, spread, got 'some'"),
        ("variants", {"eager": "all"}, "variants: eager is one of the modes already"),
    ],
)
def test_what_breaks_the_contract_is_told_by_its_name(monkeypatch, name, value, expected):
    monkeypatch.setattr(NumpyBackend, name, value)
    with pytest.raises(UsageError, match=f"^backend 'numpy': its plugin is broken: .*{expected}"):
        describe(NumpyBackend(), None)


@pytest.mark.parametrize(
    "action",
    [
        "sys.stdout.write('loading... '); sys.stdout.flush()",
        "os.write(1, b'\\xff\\x1b[31m')",
        "os.close(1); os.close(2)",
        "sys.stdout = None",
        "import threading; threading.Thread(target=time.sleep, args=(600,)).start()",
        "import atexit; atexit.register(time.sleep, 600)",
    ],
)
def test_what_an_import_prints_closes_or_leaves_running_keeps_no_answer_back(monkeypatch, plugin, action):
    monkeypatch.syspath_prepend(plugin("fake", action + "\n" + BACKEND))
    monkeypatch.setattr(description, "IMPORT_SECONDS", 60)
    assert describe_apart("fake", None).dtypes == ("float64", "float32")


def test_no_escape_in_what_a_backend_says_of_itself_reaches_the_terminal(tensorproof, plugin):
    body = "def devices(self):\n    return ['a \\x1b[31m device']"
    outcome = tensorproof("check", "fake", "-n0", "--op=tanh", "--check=declared", path=plugin("fake", backend(body)))
    assert "fake on a ?[31m device" in outcome.text
    assert "\x1b" not in outcome.text
