"""Records, histories and declarations, damaged at random: a sentence or a result, never anything else.

``TENSORPROOF_EXAMPLES`` says how many; the nightly workflow asks for 10,000.
"""

import contextlib
import io
import json
import os

import made_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorproof.contract.declarations import DeclarationError, read_declarations
from tensorproof.errors import UsageError
from tensorproof.lines.reading import read_lines
from tensorproof.nightly.history import NIGHT_SCHEMA
from tensorproof.programs.campaigns.records import FORMAT, kept_lines, read_campaign, verdict_text
from tensorproof.programs.campaigns.records import SCHEMA as CAMPAIGN_SCHEMA
from tensorproof.runs.baseline import compare
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.merge import merge_records
from tensorproof.runs.records import SCHEMA, read_record
from tensorproof.runs.summary import summary_text
from tensorproof.timing.command import summary
from tensorproof.timing.results.merge import merge_timing_records
from tensorproof.timing.results.records import SCHEMA as TIMING_SCHEMA
from tensorproof.timing.results.records import read_timing_record

EXAMPLES = settings(
    max_examples=int(os.environ.get("TENSORPROOF_EXAMPLES", "500")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CHECKS = [made_lines.check(status=status, sample=f"s{number}") for number, status in enumerate(("passed", "failed", "error"))]
RECORD = [made_lines.run(planned=3), *CHECKS, made_lines.end({"passed": 1, "failed": 1, "error": 1})]
TIMINGS = [
    made_lines.timing_run(planned=1),
    made_lines.limits(),
    made_lines.timing(),
    made_lines.duel(),
    made_lines.timing_end({"measured": 1}),
]
NIGHT = [
    {"kind": "stage", "name": "x", "status": "done", "exit_code": 0, "seconds": 1.0},
    made_lines.NIGHT_END,
]


CAMPAIGN = [
    {
        **{
            name: value
            for name, value in made_lines.run().items()
            if name in ("tensorproof", "specification", "started", "machine")
        },
        "kind": "campaign",
        "format": FORMAT,
        "backend": "numpy",
        "device": "cpu",
        "mode": "eager",
        "dtype": "float32",
        "seed": 0,
        "source": "random",
        "planned": 2,
        "versions": {"numpy": "1.0"},
        "instructions": "avx2",
    },
    *(
        {
            "kind": "program",
            "number": number,
            "name": "0123456789ab",
            "label": "p",
            "nodes": 1,
            "pairs": ["a>b"],
            "status": "passed",
            "message": "",
            "compiled": {},
            "seconds": 0.1,
        }
        for number in range(2)
    ),
    {
        "kind": "end",
        "finished": made_lines.MOMENT,
        "counts": {"passed": 2},
        "coverage": {"a>b": 2},
        "seconds": {"total": 1.0, "workers": 1.0},
    },
]


def paths(value, path=()):
    """The places of all values within a value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


@st.composite
def damaged(draw, lines):
    """Lines of which one value was replaced, one line was dropped or doubled, or some bytes were changed."""
    lines = json.loads(json.dumps(lines))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("replace", "remove", "line", "bytes")))
        places = [path for path in paths(lines) if len(path) > 1]
        if kind in ("replace", "remove") and places:
            *front, last = draw(st.sampled_from(places))
            holder = lines
            for part in front:
                holder = holder[part]
            if kind == "replace":
                holder[last] = draw(JSON)
            else:
                del holder[last]
        elif kind == "line" and lines:
            number = draw(st.integers(0, len(lines) - 1))
            lines[number : number + 1] = [lines[number]] * draw(st.sampled_from((0, 2)))
    # The digest is that of what was damaged: else nothing behind it would be read.
    data = made_lines.text_of(lines).encode()
    if data and draw(st.booleans()):
        place = draw(st.integers(0, len(data) - 1))
        data = data[:place] + draw(st.binary(max_size=3)) + data[place + draw(st.integers(0, 3)) :]
    return data


@EXAMPLES
@given(damaged(RECORD))
def test_damaged_records(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.ndjson"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        record = read_record(path)
        assert "Traceback" not in summary_text(record, causes_of(record))
        with contextlib.suppress(UsageError):
            compare(record, record)
        merge_records([record])


@EXAMPLES
@given(damaged(TIMINGS))
def test_damaged_timings(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz_timings.ndjson"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        record = read_timing_record(path)
        summary(record)
        merge_timing_records([record])


@EXAMPLES
@given(damaged(CAMPAIGN))
def test_damaged_campaigns(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz_campaign.ndjson"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        assert verdict_text(read_campaign(path))
    with contextlib.suppress(UsageError):
        kept_lines(path, CAMPAIGN[0] | {"planned": 9})


@EXAMPLES
@given(st.sampled_from((RECORD, TIMINGS, CAMPAIGN, NIGHT)), st.integers(0), st.binary(max_size=3), st.integers(0, 3))
def test_bytes_that_were_changed_are_noticed(tmp_path_factory, lines, place, given_bytes, dropped):
    schema = {"run": SCHEMA, "timing_run": TIMING_SCHEMA, "campaign": CAMPAIGN_SCHEMA, "stage": NIGHT_SCHEMA}[lines[0]["kind"]]
    path = tmp_path_factory.getbasetemp() / "changed.ndjson"
    data = made_lines.write(path, lines).read_bytes()
    whole = read_lines(path, schema).values
    place %= len(data)
    path.write_bytes(data[:place] + given_bytes + data[place + dropped :])
    assert whole[-1]["kind"] == "end"
    with contextlib.suppress(UsageError):
        found = read_lines(path, schema).values
        # What is told of it is all that it was, or it is told as not ended.
        assert found[-1]["kind"] != "end" or found == whole


@EXAMPLES
@given(damaged(NIGHT))
def test_damaged_histories(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "night.ndjson"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        read_lines(path, NIGHT_SCHEMA)


@EXAMPLES
@given(
    st.sampled_from(("unsupported", "known_failure", "precision", "device", "convention")), st.text(max_size=80) | st.none(), JSON
)
def test_damaged_declarations(tmp_path_factory, kind, text, value):
    out = io.StringIO()
    out.write(f"[[{kind}]]\nreason = 'x'\nexplanation = 'x'\n" if text is None else f"[[{kind}]]\n{text}\n")
    for key in ("keywords", "versions", "platform", "given", "instructions"):
        out.write(f"{key} = {json.dumps(value)}\n")
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(out.getvalue(), encoding="utf-8", errors="replace")
    with contextlib.suppress(DeclarationError):
        read_declarations(path, {}, [], {})
