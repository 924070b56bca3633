"""The section of timings: right numbers, what is missing and why, what is not trusted, and nothing that a record says runs."""

import html
import re
from pathlib import Path

import pytest

from tensorproof.runs.records import Record
from tensorproof_reports.page import page, write_page

CONFORMANCE = {
    "kind": "run", "format": 2, "tensorproof": "0.1.0", "specification": "44.44", "started": "2026-01-01T00:00:00+00:00",
    "backend": "torch", "device": "cpu", "seed": 0, "dtypes": ["float32"], "modes": {"eager": "all"},
    "versions": {"torch": "2.13"}, "arithmetic": {}, "sources": {}, "reasons": {},
    "machine": {"processor": "x", "cores": 2, "system": "Linux"}, "options": {"profile": "core"}, "shard": None, "planned": 0,
    "left_out": {}, "declarations": [], "idle_declarations": [],
}  # fmt: skip


def cells_of(text: str, contender: str) -> list[str]:
    """The texts of the first row of a contender, tags taken out."""
    table = text[text.index('<table class="timings"') :]
    row = re.search(rf'<th scope="row">{re.escape(contender)}</th>(.*?)</tr>', table, re.S)
    assert row is not None
    return [html.unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[1], re.S)]


def title_of(text: str, contender: str, number: int) -> str:
    """The title of one of these cells."""
    table = text[text.index('<table class="timings"') :]
    row = re.search(rf'<th scope="row">{re.escape(contender)}</th>(.*?)</tr>', table, re.S)
    assert row is not None
    found = re.search(r'title="([^"]*)"', re.findall(r"<td([^>]*)>", row[1])[number])
    return html.unescape(found[1]) if found else ""


class TestRow:
    def test_measured_series_shows_all_its_numbers(self, make):
        text = page([], [make.record([make.timing("jax jit", median=812e3)], [make.duel("jax jit")])])
        cells = cells_of(text, "jax jit")
        assert cells[:3] == ["812.0 µs [807.1, 817.7]", "▼ slower 1.230×", "✓ 1.30"]
        assert cells[3].startswith("✓ trusted")
        assert cells[4:8] == ["throughput hot", "1.60", "2.58", "43.0 % bandwidth"]
        assert cells[8:] == ["317 ms", "11.0 ms", "–", "6.00 MiB"]

    @pytest.mark.parametrize(
        ("changed", "column", "reason"),
        [
            pytest.param({"work": None, "rates": None}, 5, "no formula", id="no-work"),
            pytest.param(
                {"rates": {"flops_per_s": 1e9, "bytes_per_s": 1e9, "roof": None, "roof_share": None}}, 7, "no roof", id="no-roof"
            ),
            pytest.param({"compile": None}, 8, "nothing is compiled", id="eager"),
            pytest.param(
                {"compile": {"cold": {"total_ns": 1e9}, "warm": None}}, 9, "warm compilation was not measured", id="no-warm"
            ),
            pytest.param(
                {"memory": {"peak_bytes": None, "method": "not measured: no counter"}}, 11, "no counter", id="no-memory"
            ),
            pytest.param({"clocks": {"throughput hot": {"median_ns": 0}}}, 0, "no positive median", id="zero-median"),
            pytest.param({"clocks": {"throughput hot": {"median_ns": float("nan")}}}, 0, "no positive median", id="nan-median"),
            pytest.param({"clocks": {"throughput hot": {"median_ns": 10**400}}}, 0, "no positive median", id="endless-median"),
        ],
    )
    def test_missing_number_is_a_dash_with_its_reason(self, make, changed, column, reason):
        text = page([], [make.record([make.timing("jax jit", **changed)])])
        assert cells_of(text, "jax jit")[column] == "–"
        assert reason in title_of(text, "jax jit", column)

    @pytest.mark.parametrize(
        ("median", "shown"),
        [
            pytest.param(85.0, "85.00 ns [84.49, 85.59]", id="ns"),
            pytest.param(1100.0, "1.100 µs [1.093, 1.108]", id="microseconds"),
            pytest.param(2.5e6, "2.500 ms [2.485, 2.517]", id="ms"),
            pytest.param(3e10, "30.00 s [29.82, 30.21]", id="seconds"),
        ],
    )
    def test_unit_is_chosen_by_the_median_and_kept_in_its_cell(self, make, median, shown):
        assert cells_of(page([], [make.record([make.timing(median=median)])]), "torch eager")[0] == shown

    @pytest.mark.parametrize(
        ("status", "shown"),
        [
            pytest.param("unsupported", "– unsupported", id="unsupported"),
            pytest.param("error", "! error", id="error"),
            pytest.param("crashed", "† crashed", id="crashed"),
            pytest.param("timed_out", "… timed out", id="timed-out"),
            pytest.param("out_of_memory", "▪ out of memory", id="out-of-memory"),
            pytest.param("not_run", "· not run", id="not-run"),
            pytest.param("not_resolved_by_clock", "◷ not resolved by the clock", id="not-resolved-by-clock"),
        ],
    )
    def test_series_that_was_not_measured_says_what_happened(self, make, status, shown):
        line = make.timing("jax jit", status=status, message="signal 11")
        for name in ("clocks", "trust", "error", "rates", "memory"):
            del line[name]
        cells = cells_of(page([], [make.record([line])]), "jax jit")
        assert cells[0] == shown
        assert cells[1].startswith("signal 11")

    def test_factor_agrees_with_its_word(self, make):
        duel = make.duel("jax jit", ratio=0.5, verdict="faster")
        text = page([], [make.record([make.timing("jax jit")], [duel])])
        assert cells_of(text, "jax jit")[1] == "▲ faster 2.000×"

    def test_reference_contender_is_named_so(self, make):
        text = page([], [make.record([make.timing("torch eager"), make.timing("jax jit")], [make.duel("jax jit")])])
        assert cells_of(text, "torch eager")[1] == "reference"

    def test_details_hold_the_other_clocks_and_the_command(self, make, held):
        data, _ = held(page([], [make.record([make.timing("jax jit")])]))
        details = dict(data[0]["details"][0])
        assert "least " in details["latency cold"]
        assert "--op=softmax --workload=M" in details["command"]
        assert details["compile cold"] == "trace 2.10 ms, lower 4.00 ms, compile 310 ms, first call 1.00 ms"


class TestTrust:
    def test_failed_check_is_named_and_the_row_marked(self, make):
        line = make.timing("jax jit")
        line["trust"]["threads"] = {"ok": False, "value": 1.9, "message": "1.90 cores in use of 1 given"}
        text = page([], [make.record([line])])
        assert '<tr class="doubt"><th scope="row">jax jit</th>' in text
        cells = cells_of(text, "jax jit")
        assert cells[0].startswith("⚠ ")
        assert cells[3].startswith("✗ not trusted: threads")
        assert "✗ 1.90 cores in use of 1 given" in text

    def test_check_that_could_not_be_made_is_neither_passed_nor_failed(self, make):
        line = make.timing("jax jit")
        line["trust"]["faults"] = {"ok": None, "value": None, "message": "this system does not count"}
        text = page([], [make.record([line])])
        assert cells_of(text, "jax jit")[3].startswith("○ unchecked: faults")
        assert 'class="doubt"' not in text

    def test_row_without_any_check_is_not_trusted_silently(self, make):
        assert cells_of(page([], [make.record([make.timing("jax jit", trust={})])]), "jax jit")[3].startswith("○ unchecked: all")

    @pytest.mark.parametrize(
        ("share", "believed"), [pytest.param(1.04, True, id="within"), pytest.param(1.06, False, id="beyond")]
    )
    def test_beyond_the_roof_is_not_believable_whatever_the_record_says(self, make, share, believed):
        rates = {"flops_per_s": 1e12, "bytes_per_s": 1e9, "roof": "compute", "roof_share": share}
        text = page([], [make.record([make.timing("jax jit", rates=rates)])])
        assert cells_of(text, "jax jit")[3].startswith("✓ trusted" if believed else "✗ not believable")

    def test_verdict_against_a_reference_that_is_not_trusted_is_marked(self, make):
        reference = make.timing("torch eager")
        reference["trust"]["rotation"] = {"ok": False, "value": 0.5, "message": "results are kept"}
        text = page([], [make.record([reference, make.timing("jax jit")], [make.duel("jax jit")])])
        assert cells_of(text, "jax jit")[1] == "▼ slower 1.230× ⚠"
        assert title_of(text, "jax jit", 1) == "against torch eager; not trusted: torch eager"

    def test_wrong_output_shows_its_bars(self, make):
        error = {"outcome": "failed", "largest_bars": 5321.0, "rms_bars": 9.0, "line": "y: 5321 bars"}
        text = page([], [make.record([make.timing("jax jit", error=error)])])
        assert cells_of(text, "jax jit")[2] == "✗ 5320"
        assert title_of(text, "jax jit", 2) == "y: 5321 bars"

    @pytest.mark.parametrize("word", ["nan", "inf"])
    def test_bars_that_are_no_number_are_shown_as_the_word(self, make, word):
        error = {"outcome": "failed", "largest_bars": word, "rms_bars": None, "line": ""}
        assert cells_of(page([], [make.record([make.timing("jax jit", error=error)])]), "jax jit")[2] == f"✗ {word}"


class TestCircumstances:
    def test_resolution_machine_and_roofs_are_told(self, make):
        text = html.unescape(page([], [make.record([make.timing()])]))
        assert "differences under 0.500 % cannot be told on this run" in text
        assert "91.0 GFLOP/s in float32" in text
        assert "60.0 GB/s at 128 KiB" in text
        assert "torch 2.13.0, TF32: off" in text
        assert "cores 0" in text
        assert "3 × 31" in text
        assert "100 s, of which measuring 80.0 s, preparing 15.0 s" in text

    def test_record_without_limits_says_that_resolution_is_unknown(self, make):
        record = make.record([make.timing()])
        record.limits = None
        assert "how small a difference this run can tell is unknown" in page([], [record])

    def test_killed_run_is_incomplete(self, make):
        record = make.record([make.timing()], planned=7)
        record.end = None
        assert "! incomplete: this run was killed, 1 of 7 planned series are here" in page([], [record])
        assert "6 not run" in page([], [record])

    def test_end_with_series_missing_is_incomplete(self, make):
        assert "! incomplete: 1 of 7 planned series are here" in page([], [make.record([make.timing()], planned=7)])

    def test_complete_run_is_not_marked(self, make):
        assert "incomplete" not in page([], [make.record([make.timing()])])

    def test_few_launches_are_warned_of(self, make):
        assert "claim no difference under 3 %" in page([], [make.record([make.timing()], launches=1)])

    def test_missing_affinity_and_notes_are_told(self, make):
        record = make.record([make.timing()], affinity=None, notes=["affinity: not available on this platform"])
        record.notes.append("the last line is torn")
        text = page([], [record])
        assert "not set: the system may move" in text
        assert "! affinity: not available on this platform" in text
        assert "! the last line is torn" in text


class TestPage:
    def test_page_of_checks_alone_has_no_section_of_timings(self):
        text = page([Record(dict(CONFORMANCE), [], end={"kind": "end"}, name="run.ndjson")])
        assert "<h1>Conformance</h1>" in text
        assert 'id="timings"' not in text
        assert '"#timings"' not in text

    def test_page_of_timings_alone_has_no_matrix(self, make):
        text = page([], [make.record([make.timing("jax jit")])])
        assert "<title>tensorproof: jax</title>" in text
        assert 'id="matrix"' not in text
        assert "Made by tensorproof 0.1.0, specification 44.44" in text

    def test_page_of_both_has_both(self, make):
        text = page([Record(dict(CONFORMANCE), [], end={"kind": "end"}, name="run.ndjson")], [make.record([make.timing()])])
        assert "Conformance and timings" in text
        assert 'id="matrix"' in text
        assert 'id="timings"' in text

    def test_table_has_caption_and_headers_with_scope(self, make):
        text = page([], [make.record([make.timing()])])
        table = text[text.index("<table") : text.index("</table>")]
        assert "<caption>" in table
        assert '<th scope="rowgroup"' in table
        assert not re.search(r"<th(?![^>]*scope=)[^>]*>", table.replace("<thead", ""))

    def test_rows_are_in_order_of_operation_size_direction_and_contender(self, make):
        lines = [
            make.timing("torch eager", "tanh"),
            make.timing("torch eager", "softmax", workload="L"),
            make.timing("torch eager", "softmax", direction="forward+backward"),
            make.timing("torch eager", "softmax", workload="S"),
            make.timing("torch eager", "softmax"),
            make.timing("jax jit", "softmax"),
        ]
        text = page([], [make.record(lines)])
        places = re.findall(r'scope="rowgroup"[^>]*><span>([^<]*)</span>', text)
        assert places == [
            "softmax S forward float32", "softmax M forward float32", "softmax M forward+backward float32",
            "softmax L forward float32", "tanh M forward float32",
        ]  # fmt: skip
        assert re.findall(r'<th scope="row">([^<]*)</th>', text)[:3] == ["torch eager", "jax jit", "torch eager"]

    def test_records_of_several_machines_stand_apart(self, make):
        one, other = make.record([make.timing()]), make.record([make.timing()])
        other.name = "elsewhere.ndjson"
        text = page([], [one, other])
        assert "<h3>timings.ndjson</h3>" in text
        assert "<h3>elsewhere.ndjson</h3>" in text


def test_page_of_a_whole_night_stays_under_two_megabytes(make, tmp_path: Path):
    record = make.large(1656)
    write_page([], tmp_path / "page.html", [record])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 1_700_000
    tables = text[text.index('<table class="timings"') :]
    assert tables.count('<th scope="row">') == 1656 + len(record.duels)
    # Those that need an explanation have theirs.
    doubtful = re.findall(r'<tr class="doubt"><th scope="row">[^<]*</th>(?:(?!</tr>).)*✗ not ((?:(?!</tr>).)*)</tr>', text)
    assert doubtful
    assert all("</details>" in row for row in doubtful)
