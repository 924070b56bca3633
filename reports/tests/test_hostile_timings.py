"""Records of timings come from other people's machines: nothing in one runs, and what is malformed is named."""

from pathlib import Path

import pytest

from tensorproof.errors import UsageError
from tensorproof_reports.page import page, write_page

SCRIPT = "<script>alert(1)</script>"


class TestHostileRecords:
    @pytest.mark.parametrize("name", ["contender", "operation", "direction", "dtype", "workload", "message", "command", "source"])
    @pytest.mark.parametrize("status", ["measured", "error"])
    def test_what_a_series_says_is_escaped(self, make, name, status, foreign):
        text = page([], [make.record([make.timing(**{"status": status, name: SCRIPT})])])
        assert foreign(text) == []

    @pytest.mark.parametrize(
        "part",
        [
            pytest.param({"clocks": {SCRIPT: {"median_ns": 1.0}}}, id="clock"),
            pytest.param({"trust": {SCRIPT: {"ok": False, "value": 1, "message": SCRIPT}}}, id="trust"),
            pytest.param({"error": {"outcome": SCRIPT, "largest_bars": 1, "line": SCRIPT}}, id="error"),
            pytest.param({"memory": {"peak_bytes": None, "method": '"><script>'}}, id="memory"),
            pytest.param({"rates": {"roof": SCRIPT, "roof_share": 0.5}}, id="roof"),
        ],
    )
    def test_what_its_parts_say_is_escaped(self, make, part, foreign):
        text = page([], [make.record([make.timing(**part)])])
        assert foreign(text) == []
        assert "&lt;script" in text

    @pytest.mark.parametrize(
        "name",
        ["tensorproof", "specification", "started"],
    )
    def test_what_the_header_says_is_escaped(self, make, name, foreign):
        assert foreign(page([], [make.record([make.timing()], **{name: SCRIPT})])) == []

    def test_versions_machine_notes_and_name_are_escaped(self, make, foreign):
        record = make.record([make.timing()], notes=[SCRIPT], machine={"processor": SCRIPT})
        record.header["backends"][0] = {
            "label": SCRIPT,
            "device": SCRIPT,
            "versions": {SCRIPT: SCRIPT},
            "arithmetic": {SCRIPT: SCRIPT},
        }
        record.name = SCRIPT
        assert foreign(page([], [record])) == []

    def test_endless_texts_are_cut(self, make):
        endless = "x" * 1_000_000
        line = make.timing(endless, endless, message=endless, command=endless, clocks={endless: {"median_ns": 1.0}})
        line["trust"][endless] = {"ok": False, "value": 1, "message": endless}
        usual = len(page([], [make.record([make.timing()])]))
        assert len(page([], [make.record([line], [make.duel(endless, endless)], notes=[endless])])) - usual < 30_000

    @pytest.mark.parametrize(
        "odd", [pytest.param("a\x00b", id="nul"), pytest.param("a\ud800b", id="surrogate"), pytest.param("a‮b", id="direction")]
    )
    def test_characters_that_no_page_may_hold_are_replaced(self, make, odd, tmp_path: Path):
        write_page([], tmp_path / "page.html", [make.record([make.timing("torch eager", odd, message=odd)])])
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert odd not in text
        assert "a\ufffdb" in text

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            pytest.param({"dtype": 5}, "dtype must be a text, not int", id="dtype"),
            pytest.param({"status": "splendid"}, "status 'splendid' is none of measured", id="status"),
            pytest.param({"clocks": [1]}, "clocks must be a mapping, not list", id="clocks"),
            pytest.param({"clocks": {"throughput hot": 3}}, "throughput hot must be a mapping", id="clock"),
            pytest.param(
                {"clocks": {"throughput hot": {"median_ns": "NaN"}}}, "median_ns must be a number, not str", id="nan-as-word"
            ),
            pytest.param({"clocks": {"throughput hot": {"median_ns": True}}}, "median_ns must be a number, not bool", id="truth"),
            pytest.param({"trust": {"roof": {"ok": "yes"}}}, "trust.roof.ok must be true, false or null", id="trust"),
            pytest.param({"error": {"outcome": "passed", "largest_bars": "few"}}, "error.largest_bars must be", id="bars"),
            pytest.param({"compile": "fast"}, "compile must be a mapping", id="compile"),
            pytest.param({"memory": {"peak_bytes": "much"}}, "peak_bytes must be a number", id="memory"),
        ],
    )
    def test_wrong_type_is_a_usage_error_that_names_record_and_field(self, make, changed, message, tmp_path: Path):
        with pytest.raises(UsageError) as caught:
            write_page([], tmp_path / "page.html", [make.record([make.timing(**changed)])])
        assert "record timings.ndjson: timing 1 is malformed: " in str(caught.value)
        assert message in str(caught.value)

    def test_missing_name_is_a_usage_error(self, make, tmp_path: Path):
        record = make.record([make.timing()])
        del record.timings[0]["operation"]
        with pytest.raises(UsageError, match=r"record timings\.ndjson: timing 1 is malformed: operation is missing"):
            write_page([], tmp_path / "page.html", [record])

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param({"machine": "fast"}, id="machine"),
            pytest.param({"backends": ["torch"]}, id="backends"),
            pytest.param({"contenders": {"a": 1}}, id="contenders"),
            pytest.param({"contenders": ["torch"]}, id="contender"),
            pytest.param({"planned": "many"}, id="planned"),
            pytest.param({"affinity": "all"}, id="affinity"),
            pytest.param({"tensorproof": 1}, id="version"),
        ],
    )
    def test_wrong_type_in_the_header_is_a_usage_error(self, make, header, tmp_path: Path):
        with pytest.raises(UsageError, match=r"timings\.ndjson"):
            write_page([], tmp_path / "page.html", [make.record([make.timing()], **header)])

    @pytest.mark.parametrize(
        "limits",
        [
            pytest.param({"bandwidth": [1]}, id="bandwidth"),
            pytest.param({"resolution": 0.01}, id="resolution"),
            pytest.param({"gemm_flops_per_s": {"float32": "fast"}}, id="gemm"),
        ],
    )
    def test_wrong_type_in_the_limits_is_a_usage_error(self, make, limits, tmp_path: Path):
        record = make.record([make.timing()])
        record.limits = limits
        with pytest.raises(UsageError, match=r"timings\.ndjson"):
            write_page([], tmp_path / "page.html", [record])
