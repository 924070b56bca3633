"""The section of duels and the charts: verdicts that the numbers bear out, images in which nothing can run."""

import base64
import re
from xml.etree import ElementTree

import pytest

from tensorproof.errors import UsageError
from tensorproof_reports import charts
from tensorproof_reports.duels import duel_of
from tensorproof_reports.page import page, write_page

SCRIPT = "<script>alert(1)</script>"


def images_of(text: str) -> list[str]:
    """The images of a page, decoded."""
    return [base64.b64decode(found).decode() for found in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)]


def duels_of(lines):
    return [duel_of(line, {}) for line in lines]


@pytest.mark.usefixtures("without_charts")
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


class TestCharts:
    def test_page_holds_images_that_say_what_they_show(self, make):
        record = make.record([make.timing(), make.timing("jax jit")], [make.duel("jax jit")])
        text = page([], [record])
        assert len(images_of(text)) == 2
        assert 'alt="Dot-and-interval chart of 1 duels on a logarithmic axis: 1 slower.' in text
        assert 'alt="Scatter plot of 2 series' in text
        assert all(re.search(r'width="\d+" height="\d+"', tag) for tag in re.findall(r"<img[^>]*>", text))
        assert "img-src data:" in text

    def test_image_has_dots_intervals_and_labels(self, make):
        (chart,) = charts.duel_charts(duels_of([make.duel("jax jit"), make.duel("jax eager", ratio=0.5, verdict="faster")]))
        svg = base64.b64decode(chart.uri.partition(",")[2]).decode()
        assert charts.VERDICT_COLOURS["slower"].lower() in svg.lower()
        assert "softmax · jax jit" in svg
        assert "time / time of torch eager" in svg

    def test_nothing_in_an_image_can_run_or_load(self, make):
        hostile = [make.timing(SCRIPT, SCRIPT), make.timing('"/><script>', SCRIPT)]
        duels = [make.duel(SCRIPT, SCRIPT, reference='"/><script>'), make.duel("</text><script>", workload="javascript:alert(1)")]
        images = images_of(page([], [make.record(hostile, duels)]))
        assert len(images) == 2
        for image in images:
            root = ElementTree.fromstring(image)
            names = {element.tag.rpartition("}")[2] for element in root.iter()}
            assert names <= {"svg", "g", "path", "rect", "line", "text", "title", "defs", "clipPath"}
            attributes = {name.lower() for element in root.iter() for name in element.attrib}
            assert not [name for name in attributes if name.startswith("on") or "href" in name]
        assert "&lt;script&gt;" in "".join(images)

    def test_up_to_forty_rows_are_one_chart_and_more_are_several_of_equal_size(self, make):
        assert len(charts.duel_charts(duels_of([make.duel(f"a{number} jit") for number in range(40)]))) == 1
        parts = charts.duel_charts(duels_of([make.duel(f"a{number} jit") for number in range(48)]))
        assert [chart.alt.split(" ")[3] for chart in parts] == ["24", "24"]
        assert "part 2 of 2" in parts[1].caption

    def test_too_many_duels_are_drawn_in_part_and_that_is_said(self, make):
        lines = [make.duel(f"a{number} jit", ratio=1.0, verdict="same") for number in range(400)]
        lines[7] = make.duel("striking jit", ratio=5.0)
        drawn = charts.drawn_duels(duels_of(lines))
        assert len(drawn) == charts.ROWS_PER_CHART * charts.MOST_DUEL_CHARTS
        assert "striking jit" in {duel.contender for duel in drawn}

    @pytest.mark.parametrize("ratio", [0, -1, 1e-300, 1e300, float("nan")])
    def test_duel_that_no_logarithmic_axis_shows_is_left_out(self, make, ratio):
        assert charts.duel_charts(duels_of([make.duel(ratio=ratio)])) == []

    @pytest.mark.parametrize("bars", [0.0, 1e300], ids=["zero", "huge"])
    def test_error_at_the_edges_is_drawn(self, bars):
        assert charts.accuracy_chart([charts.Point("jax jit", bars, 1.0, True)], "time") is not None

    @pytest.mark.parametrize("speed", [0.0, 1e-300, 1e300])
    def test_time_that_no_logarithmic_axis_shows_is_left_out(self, speed):
        assert charts.accuracy_chart([charts.Point("jax jit", 1.0, speed, True)], "time") is None

    @pytest.mark.parametrize("low", [1e-6, 0.93, 8e5], ids=str)
    @pytest.mark.parametrize("factor", [1.04, 1.5, 30.0, 1e12], ids=str)
    def test_axis_has_a_few_ticks_whatever_its_range(self, low, factor):
        ticks = charts.log_ticks(low, low * factor)
        assert 1 <= len(ticks) <= 14
        assert all(low * 0.999999 <= tick <= low * factor * 1.000001 for tick in ticks)

    def test_no_verdict_is_drawn_green(self):
        for colour in charts.VERDICT_COLOURS.values():
            red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
            assert green < max(red, blue), colour
        assert len(set(charts.VERDICT_SHAPES.values())) == len(charts.VERDICT_SHAPES)
