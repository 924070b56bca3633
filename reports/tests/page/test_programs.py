"""Campaigns of programs on a page: verdicts first, findings once for all modes, what is known and stale; nothing runs."""

import copy
import random
from typing import Any

import made_lines
import pytest

from tensorproof.errors import UsageError
from tensorproof.programs.campaigns.records import SCHEMA, CampaignRecord, closing_line, read_campaign, record_of
from tensorproof_reports.page import page, write_page
from tensorproof_reports.programs.campaigns import LONGEST, SCRIPTS, SHOWN_FINDINGS, programs_of

HEADER = {
    "kind": "campaign",
    "format": SCHEMA.format,
    "tensorproof": "0.1.0",
    "specification": "44.44",
    "started": made_lines.MOMENT,
    "backend": "torch",
    "device": "cpu",
    "mode": "compile",
    "dtype": "float32",
    "seed": 3,
    "source": "all",
    "planned": 4,
    "versions": {"torch": "2.13.0"},
    "instructions": "onednn avx2",
    "machine": made_lines.MACHINE,
}
SCRIPT = "</script><script>alert(1)</script>"
HOSTILE = '"><img src=x onerror="document.title=1">' + SCRIPT + "\x1b[31m\u202e"


def program(number: int, status: str = "passed", **changes: Any) -> dict[str, Any]:
    """The line of a program."""
    line = {"kind": "program", "number": number, "name": "0" * 12, "label": "", "nodes": 2, "pairs": ["exp>add", "add>sin"]}
    return {**line, "status": status, "message": "", "compiled": {}, "seconds": 0.1, **changes}


def finding(key: str = "one", status: str = "failed", **changes: Any) -> dict[str, Any]:
    """The line of a finding."""
    value = {"shape": [2], "dtype": "float32", "kind": "normal", "seed": 0, "values": None}
    node = {"operation": "exp", "operands": [["x", 0]], "keywords": []}
    line = {"kind": "finding", "key": key, "status": status, "reason": "value bars", "message": "v1: 20 bars at [0]"}
    text = f"v0: float32[2]; v1 = exp(v0); v2 = {key}(v1) -> v2"
    whole = {"inputs": [value], "nodes": [node], "outputs": [1], "seed": 0}
    told = {"program": whole, "text": text, "blamed": "exp alone", "eager": "passed", "script": "import torch\n", "no_script": ""}
    return {**line, **told, "programs": [1, 2], **changes}


DECLARED = {"kind": "declared", "source": "d.toml: known_program 1", "text": "v0: float32[9]; v1 = sin(v0) -> v1", "message": ""}


def record(*lines: dict[str, Any], ended: str = "", **header: Any) -> CampaignRecord:
    """A whole campaign."""
    made = record_of([{**HEADER, **header}, *lines])
    made.end = closing_line(made, 2.0, 1.0, ended)
    return made


@pytest.fixture(name="campaigns")
def campaigns_fixture() -> list[CampaignRecord]:
    """Two modes of one backend with a finding in common, a crash, what is known, and a declaration that is stale."""
    known = "declared: a sum of 16 bits [v3: 12 bars at [1, 2]]"
    statuses = ("failed", "failed", "known_failure", "known_failure", "near_a_branch", "crashed", "timed_out")
    lines = [program(number, status, message=known) for number, status in enumerate(statuses)]
    stale = [{**DECLARED, "explanation": "wrong sine", "status": status} for status in ("passed", "failed")]
    first = record(*stale, *lines, finding(), finding("two", "crashed", message="the process ended (signal 6)"), planned=7)
    return [first, record(program(0), finding(programs=[7]), mode="vmap", ended="interrupted")]


def test_the_verdict_comes_first_and_statuses_are_told_apart(campaigns, foreign):
    text = page([], campaigns=campaigns)
    assert foreign(text) == []
    places = [text.index(f'id="{name}"') for name in ("programs", "findings", "known", "coverage", "method")]
    assert places == sorted(places)
    assert "torch compile float32: 2 findings in 7 programs" in text
    assert "! incomplete</span> interrupted" in text
    for status in ("crashed", "timed_out", "near_a_branch"):
        assert f'<td class="number {status}">1</td>' in text
    for words in ("torch 2.13.0", "onednn avx2", "all, seed 3", "made up, 2 cores"):
        assert words in text


def test_a_finding_of_several_modes_is_one(campaigns):
    told = programs_of(campaigns)
    assert [(item.status, item.count, [seen.mode for seen in item.seen]) for item in told.findings] == [
        ("failed", 3, ["compile", "vmap"]),
        ("crashed", 2, ["compile"]),
    ]
    command = "tensorproof fuzz torch --mode=vmap --dtype=float32 --source=all --seed=3 --programs=8"
    assert told.findings[0].seen[1].command == command
    other = record(finding(), backend="jax")
    assert len(programs_of([*campaigns, other]).findings) == 3


def test_known_failures_are_counted_by_explanation_and_stale_declarations_told(campaigns):
    told = programs_of(campaigns)
    assert [(item.explanation, item.count) for item in told.known] == [("a sum of 16 bits", 2)]
    text = page([], campaigns=campaigns)
    assert "! stale: it passes" in text
    assert "△ still failed" in text


def test_machines_of_a_cluster_are_among_the_conditions():
    nodes = [{"machine": {**made_lines.MACHINE, "processor": f"<{name}>"}, "instructions": "x avx2", "count": 3} for name in "ab"]
    (one,) = programs_of([record(nodes=nodes)]).campaigns
    assert [text for name, text in one.conditions if name == "nodes"] == ["3 × <a>, x avx2", "3 × <b>, x avx2"]


def test_pairs_are_counted_of_programs_that_mean_something():
    (one,) = programs_of([record(program(0), program(1), program(2, "unsupported"))]).campaigns
    assert one.coverage.rows == [("add", [0, 0, 2]), ("exp", [2, 0, 0]), ("sin", [0, 0, 0])]
    assert (one.coverage.pairs, one.coverage.possible) == (2, 9)


def test_campaigns_of_one_mode_are_told_apart():
    keys = [item.key for item in programs_of([record(), record(seed=4), record(mode="vmap"), record()]).campaigns]
    assert len(set(keys)) == 4
    assert keys[2] == "torch vmap float32"


def test_scripts_and_findings_are_left_out_where_they_are_too_many_and_the_page_says_so():
    script = "x = 1\n" * (SCRIPTS // 10)
    lines = [finding(f"f{number}", script=script, text="v" * 100_000, message="m" * 9_000) for number in range(130)]
    text = page([], campaigns=[record(*lines)])
    assert len(text) < 1_900_000
    assert "it is left out to keep this page small" in text
    assert f"{130 - SHOWN_FINDINGS} more are in the records" in text
    assert "v" * LONGEST not in text


@pytest.mark.parametrize("seed", range(8))
def test_what_a_record_supplies_runs_nothing(foreign, tmp_path, seed):
    source = random.Random(seed)
    lines = [
        program(0, "known_failure", message=f"declared: {HOSTILE}"),
        finding(),
        {**DECLARED, "explanation": "", "status": "passed"},
    ]
    whole = [dict(HEADER), *lines]
    texts = [(index, name) for index, line in enumerate(whole) for name, value in line.items() if isinstance(value, str)]
    for index, name in source.sample(texts, 12):
        if name not in ("kind", "status"):
            whole[index] = {**whole[index], name: HOSTILE}
    whole[0]["versions"] = {HOSTILE: HOSTILE}
    text = page([], campaigns=[record_of(whole)])
    assert foreign(text) == []
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(("line", "name", "odd"), [(0, "seed", []), (0, "machine", 3), (1, "status", {}), (2, "text", None)])
def test_what_is_of_a_wrong_type_names_the_record_or_is_missing(tmp_path, line, name, odd):
    lines = copy.deepcopy([dict(HEADER), program(0), finding()])
    lines[line][name] = odd
    try:
        write_page([], tmp_path / "page.html", campaigns=[record_of(lines)])
    except UsageError as error:
        assert "malformed" in str(error)  # noqa: PT017 (either is right)


def test_a_campaign_stands_beside_conformance(made, foreign):
    text = page([made.of(made.check())], campaigns=[record(program(0))])
    assert foreign(text) == []
    assert text.index('id="verdict"') < text.index('id="programs"')
    assert "<h1>Conformance</h1>" in text
    assert 'id="verdict"' not in page([], campaigns=[record(program(0))])


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_nothing_is_asked_for_and_nothing_is_wider_than_the_window(opened, campaigns, width, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe is installed: pip install axe-playwright-python"
    )
    one = opened([], campaigns=campaigns, viewport={"width": width, "height": 800}, color_scheme=scheme)
    one.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    assert one.requests == [one.address]
    assert one.complaints == []
    found = axe.Axe().run(one.page).response["violations"]
    assert [item["id"] for item in found if item["impact"] in ("serious", "critical")] == []


def test_without_javascript_a_campaign_is_readable(opened, campaigns):
    one = opened([], campaigns=campaigns, java_script_enabled=False)
    text = one.page.inner_text("main")
    for words in ("2 findings in 7 programs", "exp alone", "a sum of 16 bits", "stale: it passes"):
        assert words in text


def test_the_record_of_a_campaign_gives_its_page(campaigns, tmp_path):
    path = tmp_path / "campaign.ndjson"
    lines = [campaigns[1].header, *campaigns[1].programs, *campaigns[1].findings]
    made_lines.write(path, [*lines, campaigns[1].end])
    assert "torch vmap float32: 1 finding in 1 programs" in page([], campaigns=[read_campaign(path)])
