"""What is told of a record that is not gone on with."""

from pathlib import Path

import pytest

from tensorproof.errors import UsageError
from tensorproof.runs.resume import require_same


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (1, 2, "(was 1, is 2)"),
        ({"numpy": "1"}, {"numpy": "2"}, "(numpy was 1, is 2)"),
        (["relu"], ["tanh"], "(was ['relu'], is ['tanh'])"),
        (
            [{"label": "a long name " * 9, "versions": {"scipy": "1", "numpy": "1"}}],
            [{"label": "a long name " * 9, "versions": {"scipy": "1", "numpy": "2"}}],
            "(numpy was 1, is 2)",
        ),
        ([{"label": "a"}], [{"label": "a"}, {"label": "b"}], "(was [{'label': 'a'}], is [{'label': 'a'}, {'label': 'b'}])"),
        ({"cores": 1}, {}, "(cores was 1, is None)"),
    ],
)
def test_what_differs_is_told_however_deep_it_lies(was, now, expected):
    with pytest.raises(UsageError) as error:
        require_same(Path("r.ndjson"), {"it": was}, {"it": now}, ["it"])
    assert f"it differs {expected}; give the options" in str(error.value)
