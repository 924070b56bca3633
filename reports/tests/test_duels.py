"""The section of duels: verdicts that the numbers bear out."""

import re

import pytest

from tensorproof.errors import UsageError
from tensorproof_reports.page import page, write_page

SCRIPT = "<script>alert(1)</script>"


class TestTable:
    @pytest.mark.parametrize(
        ("verdict", "ratio", "shown"),
        [
            pytest.param("faster", 0.5, "▲ faster", id="faster"),
            pytest.param("slower", 1.5, "▼ slower", id="slower"),
            pytest.param("same", 1.001, "= same", id="same"),
            pytest.param("not_resolved", 1.1, "? not resolved", id="not-resolved"),
        ],
    )
    def test_verdict_has_symbol_word_and_colour(self, make, verdict, ratio, shown):
        text = page([], [make.record([make.timing()], [make.duel("jax jit", ratio=ratio, verdict=verdict)])])
        assert f'<td class="duel-{verdict}">{shown}</td>' in text

    def test_ratio_has_its_interval_rounds_and_launches(self, make):
        text = page([], [make.record([make.timing()], [make.duel("jax jit", ratio=1.23)])])
        assert ">1.230 [1.212, 1.250]</td>" in text
        assert "<td>31 × 3</td>" in text
        assert "by launch: 1.218, 1.230, 1.242" in text

    def test_not_resolved_has_no_fill(self, make):
        text = page([], [make.record([make.timing()], [make.duel()])])
        rule = re.search(r"\.duel-not_resolved \{([^}]*)\}", text)
        assert rule is not None
        assert "background" not in rule[1]

    @pytest.mark.parametrize(
        ("changed", "shown"),
        [
            pytest.param({"ratio": 0}, "–", id="zero"),
            pytest.param({"ratio": -1.5}, "–", id="negative"),
            pytest.param({"ratio": float("inf")}, "–", id="infinite"),
            pytest.param({"low": None}, "1.230 [no interval]", id="no-low"),
            pytest.param({"ratio": 0.8}, "0.800", id="verdict-against-ratio"),
            pytest.param({"low": 1.3, "high": 1.4}, "1.230 [1.300, 1.400]", id="outside-its-interval"),
            pytest.param({"verdict": "splendid"}, "1.230", id="no-verdict"),
        ],
    )
    def test_verdict_that_the_numbers_do_not_bear_out_is_not_shown(self, make, changed, shown):
        text = page([], [make.record([make.timing()], [make.duel("jax jit", **changed)])])
        assert f">{shown}" in text
        assert '<td class="duel-not_resolved">? not resolved ⚠</td>' in text
        assert "the record says" in text

    def test_duel_of_a_row_that_is_not_trusted_says_so(self, make):
        distrusted = make.timing("jax jit")
        distrusted["trust"]["threads"] = {"ok": False, "value": 2.0, "message": "2 cores"}
        text = page([], [make.record([make.timing(), distrusted], [make.duel("jax jit")])])
        assert "▼ slower ⚠ not trusted" in text
        assert "not trusted: jax jit" in text

    def test_record_without_duels_says_so(self, make):
        assert "No two contenders were compared." in page([], [make.record([make.timing()])])

    @pytest.mark.parametrize(
        "name", ["operation", "workload", "direction", "dtype", "clock", "reference", "contender", "verdict"]
    )
    def test_what_a_duel_says_is_escaped(self, make, name, foreign):
        text = page([], [make.record([make.timing()], [make.duel(**{name: SCRIPT})])])
        assert foreign(text) == []
        assert "&lt;script&gt;" in text

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            pytest.param({"low": "NaN"}, "low must be a number, not str", id="low"),
            pytest.param({"launch_ratios": 3}, "launch_ratios must be a list", id="launch-ratios"),
            pytest.param({"reference": None, "contender": []}, "contender must be a text", id="contender"),
            pytest.param({"verdict": 1}, "verdict must be a text", id="verdict"),
        ],
    )
    def test_wrong_type_is_a_usage_error(self, make, changed, message, tmp_path):
        with pytest.raises(UsageError, match=f"record timings.ndjson: duel 1 is malformed: {message}"):
            write_page([], tmp_path / "page.html", [make.record([make.timing()], [make.duel(**changed)])])
