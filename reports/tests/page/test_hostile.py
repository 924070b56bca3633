"""Records come from other people's machines: whatever is in them, the page is whole and inert, or the record is named."""

import copy
import random

import pytest

from tensorproof.errors import UsageError
from tensorproof_reports.page import page, write_page

SCRIPT = "</script><script>alert(1)</script>"
ODD = (
    None,
    True,
    -1,
    10**400,
    float("nan"),
    float("-inf"),
    1e308,
    "",
    SCRIPT,
    "\x1b[31m\x00\u202e",
    "x" * 100_000,
    [],
    [[]],
    {},
    {SCRIPT: SCRIPT},
)
"""What nobody expects in a field."""


def places(value, path=()):
    """The paths to everything in a line."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from places(inner, (*path, name))


def changed(line, path, odd):
    """A copy of a line with something odd at a path."""
    made = copy.deepcopy(line)
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = odd
    return made


@pytest.mark.parametrize("seed", range(12))
def test_odd_values_anywhere_leave_the_page_inert_or_name_the_record(made, foreign, tmp_path, seed):
    source = random.Random(seed)
    line = made.check(wrong=True, check="gradient", traceback="  a.py:1 in f\nValueError: x", status="failed")
    path, odd = source.choice([path for path in places(line) if path]), source.choice(ODD)
    for part in ("check", "header"):
        record = made.of(changed(line, path, odd) if part == "check" else line, made.check("relu"))
        if part == "header":
            name = source.choice([path for path in places(record.header) if path])
            record.header = changed(record.header, name, odd)
        text, refused = written(record, tmp_path / "page.html")
        assert foreign(text) == []
        assert len(text) < 400_000
        assert not refused or "malformed" in refused
        assert len(refused) < 1000


def written(record, path):
    """The page of a record, or why there is none."""
    try:
        write_page([record], path)
    except UsageError as error:
        return "", str(error)
    return path.read_text(encoding="utf-8"), ""


@pytest.mark.parametrize("name", ["operation", "sample", "dtype", "mode", "check", "status"])
def test_wrong_type_in_a_check_names_its_line(made, name):
    with pytest.raises(UsageError, match=r"made\.ndjson: check 2 is malformed"):
        page([made.of(made.check(), {**made.check("relu"), name: {"a": 1}})])


def test_endless_texts_are_cut(made):
    endless = "x" * 10_000_000
    text = page([made.of(made.check(message=endless, status="error", traceback=endless, command=endless), backend="torch")])
    assert len(text) < 200_000


def test_nothing_of_the_machine_but_what_is_allowed_is_on_the_page(made):
    """A header with more than the schema has does not carry it onto the page."""
    machine = {"processor": "x", "cores": 2, "system": "Linux", "hostname": "my-host"}
    text = page([made.of(made.check(environment="SECRET"), machine=machine, user="somebody", folder="/home/somebody")])
    for word in ("my-host", "somebody", "SECRET"):
        assert word not in text
