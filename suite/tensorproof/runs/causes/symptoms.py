"""What a bad check shows: which output deviates, and in what way.

It is read from the numbers in a record's line, never from the text of a judgement.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BAD = ("failed", "error", "crashed", "timed_out", "out_of_memory", "fell_back")

Point = tuple[str, str, str]
"""Sample, dtype and mode."""

DEVIATIONS = {
    "nan-lost": "NaN is lost",
    "nan-made": "NaN where the reference has none",
    "overflow": "overflows to infinity",
    "infinity-lost": "infinity is lost",
    "infinity-sign": "infinity of the wrong sign",
    "zero-sign": "wrong sign of zero",
    "wrong": "wrong values",
    "shape": "wrong shape",
    "dtype": "wrong dtype",
    "not-repeatable": "the same call gives two results",
    "result-kept": "other inputs give the same result",
    "input-changed": "the call changes its input",
    "result-overwritten": "a later call changes the result of an earlier one",
    "memory-shared": "a result shares memory with an argument in one mode only",
    "distribution": "draws are not distributed or repeated as they should be",
    "no-error": "no error where one is required",
    "not-declared": "neither implemented nor declared unsupported",
}
"""Kinds of deviation, in words."""

_STATEMENTS = (
    ("gave two results", "not-repeatable"),
    ("gave the same result", "result-kept"),
    ("the call changed", "input-changed"),
    ("changed the result of an earlier one", "result-overwritten"),
    ("shares memory with", "memory-shared"),
    ("expected an error", "no-error"),
    ("neither implemented nor declared", "not-declared"),
)
"""Statements of checks that judge no output, and the deviation that each one tells."""

_OF_DRAWS = (
    ("with the output's mask and scale", "d_x", "wrong"),
    ("each output is 0 or x/(1-p)", "y", "wrong"),
    ("each weight is 0 or softmax's over 1-p", "y", "wrong"),
    *((f"the gradient of {name} is that of the weights", f"d_{name}", "wrong") for name in ("query", "key", "value")),
    ("each row is there once, and whole", "y", "wrong"),
    ("each image is as it was, or mirrored", "y", "wrong"),
    (": rows are orthogonal", "y", "wrong"),
    (": shape ", "y", "shape"),
    (": dtype ", "y", "dtype"),
)
"""Statements of draws that are about an output and no chance: the output, and how it deviates."""


@dataclass(frozen=True)
class Symptom:
    """One output that deviates in one way."""

    output: str
    kind: str
    """A key of ``DEVIATIONS``."""
    became: str = ""
    """What stands in place of NaN, where it is lost."""


def point(check: Mapping[str, Any]) -> Point:
    """Where a check looks: sample, dtype and mode."""
    return check["sample"], check["dtype"], check["mode"]


def named(output: str) -> str:
    """An output without its place in a list: all arrays of one list are one output.

    >>> named("d_parameters.0.1.bias")
    'd_parameters.bias'
    """
    return re.sub(r"\.\d+(?=\.|$)", "", output)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def deviation(finding: Mapping[str, Any]) -> str:
    """The kind of deviation of a finding that failed.

    >>> deviation({"reason": "exact", "got": 0.0, "expected": "nan"})
    'nan-lost'
    >>> deviation({"reason": "overflow", "got": "inf", "expected": 3.0})
    'overflow'
    """
    reason = finding.get("reason", "bars")
    if reason in ("shape", "dtype"):
        return str(reason)
    if reason == "sign of zero":
        return "zero-sign"
    if finding.get("got") is None or finding.get("expected") is None:
        return "wrong"
    got, expected = _number(finding["got"]), _number(finding["expected"])
    if got != got or expected != expected:
        return "nan-lost" if got == got else "nan-made" if expected == expected else "wrong"
    if abs(got) == abs(expected) == float("inf"):
        return "infinity-sign" if got != expected else "wrong"
    if abs(got) == float("inf"):
        return "overflow"
    # Beyond the largest number of the dtype, only an infinite output is right.
    return "infinity-lost" if abs(expected) == float("inf") or reason == "overflow" else "wrong"


def symptoms_of(check: Mapping[str, Any]) -> list[Symptom]:
    """What a check that failed by value shows; an exception and the end of a process show no output."""
    if check["status"] != "failed":
        return []
    found = []
    for finding in check.get("findings", ()):
        if finding.get("outcome") == "failed":
            kind = deviation(finding)
            became = f"{_number(finding.get('got')):g}" if kind == "nan-lost" else ""
            found.append(Symptom(named(str(finding["output"])), kind, became))
    if found:
        return list(dict.fromkeys(found))
    for text, kind in _STATEMENTS:
        if text in check["message"]:
            return [Symptom("", kind)]
    if check["check"] != "randomness":
        return [Symptom("", "wrong")]
    told = (Symptom(output, kind) for text, output, kind in _OF_DRAWS if text in check["message"])
    return [next(told, Symptom("", "distribution"))]


def judged_outputs(check: Mapping[str, Any]) -> list[str]:
    """The outputs of which a check says that they are right or wrong."""
    if check["status"] not in ("passed", "failed"):
        return []
    return [named(str(item["output"])) for item in check.get("findings", ()) if item.get("outcome") in ("passed", "failed")]


_GENERATED = re.compile(r"/[a-z0-9_]{30,}\.py:|<string>|<stdin>|torch_dynamo_resume")
"""Frames of code that a compiler wrote: their names differ from program to program."""


def exception_of(check: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """An exception's type, its innermost frame that is not generated, and its message with numbers as ``#``.

    >>> exception_of({"status": "error", "message": "IndexError: 7 of 10", "traceback": "  a/b.py:3 in f\\nIndexError: 7 of 10"})
    ('IndexError', 'a/b.py:3 in f', '# of #')
    """
    if check["status"] not in ("error", "out_of_memory"):
        return None
    kind, _, text = str(check["message"]).partition(":")
    frames = [line.strip() for line in str(check.get("traceback", "")).splitlines() if re.match(r"  \S.*:\d+ in ", line)]
    written = [frame for frame in frames if not _GENERATED.search(frame)]
    # A compiler numbers what it makes, and messages hold shapes and addresses.
    numbers = re.sub(r"-?(0x[0-9a-f]+|\d+(\.\d+)?(e[+-]?\d+)?)", "#", text.strip())
    return kind, written[-1] if written else "", re.sub(r"#(, ?#)+|#,(?=\))", "#", numbers)
