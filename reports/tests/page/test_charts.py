"""Charts in a browser: every series is in them, nothing far away hides the rest, and they follow light and dark."""

import pytest


def drawn(one, number):
    """A chart of the first section of timings, once it is drawn."""
    one.page.evaluate("document.querySelector('.charts').scrollIntoView()")
    one.page.wait_for_selector(".charts.drawn")
    return one.page.locator(".charts figure").nth(number)


@pytest.fixture(name="timed")
def timed_fixture(make):
    """Three contenders, of which one is not trusted."""
    doubted = make.timing("tensorflow eager")
    doubted["trust"]["threads"] = {"ok": False, "value": 2.0, "message": "2 cores"}
    duels = [make.duel("jax jit"), make.duel("tensorflow eager", ratio=0.5, verdict="faster")]
    return make.record([make.timing(), make.timing("jax jit"), doubted], duels)


def test_every_contender_is_in_the_chart_and_the_untrusted_one_is_hollow(opened, timed):
    chart = drawn(opened([], [timed]), 0)
    assert [text.strip() for text in chart.locator(".legend").all_inner_texts()] == ["torch eager", "jax jit", "tensorflow eager"]
    assert chart.locator("div.scroll path.dot").count() == 3
    assert chart.locator("div.scroll path.hollow").count() == 1


def test_no_series_is_left_out_of_a_whole_night(opened, make):
    record = make.large(600)
    chart = drawn(opened([], [record]), 1)
    assert chart.locator("div.scroll path.dot").count() == len(record.duels)


def test_ratio_has_its_interval_and_says_what_it_is_of(opened, timed):
    chart = drawn(opened([], [timed]), 1)
    assert chart.locator("line.interval").count() == 2
    assert "jax jit softmax M forward float32: 1.23× [1.21, 1.25], slower" in chart.locator("title").all_text_contents()


def test_roofline_has_the_measured_limits(opened, timed):
    chart = drawn(opened([], [timed]), 2)
    assert chart.locator("line.limit").count() == 2
    assert "bandwidth of memory, 11 GB/s" in chart.inner_text()


@pytest.mark.parametrize("ratio", [1e-300, 1e300])
def test_a_ratio_far_away_is_drawn_at_the_edge(opened, make, ratio):
    far = make.duel("jax jit", ratio=ratio, verdict="faster" if ratio < 1 else "slower")
    record = make.record([make.timing(), make.timing("jax jit"), make.timing("jax eager")], [far, make.duel("jax eager")])
    chart = drawn(opened([], [record]), 1)
    assert chart.locator("div.scroll path.dot").count() == 2
    assert "NaN" not in chart.inner_html()


@pytest.mark.parametrize("bars", [0.0, 1e300], ids=["zero", "huge"])
def test_an_error_far_away_is_drawn_at_the_edge(opened, make, bars):
    error = {"outcome": "passed", "largest_bars": bars, "rms_bars": 0.4, "line": ""}
    chart = drawn(opened([], [make.record([make.timing(error=error), make.timing("jax jit")])]), 0)
    assert chart.locator("div.scroll path.dot").count() == 2
    assert 2 <= chart.locator("text").count() <= 30


def test_charts_follow_light_and_dark(opened, timed):
    colours = []
    for scheme in ("light", "dark"):
        chart = drawn(opened([], [timed], color_scheme=scheme), 0)
        colours.append(chart.locator("text").first.evaluate("text => getComputedStyle(text).fill"))
    assert colours[0] != colours[1]


def test_hostile_names_in_charts_are_text(opened, make):
    hostile = "</text><script>document.title = 1</script>"
    record = make.record([make.timing(hostile, hostile), make.timing()], [make.duel(hostile, hostile)])
    one = opened([], [record])
    drawn(one, 0)
    assert one.complaints == []
    assert one.page.locator(".charts script").count() == 0


def test_error_and_trust_are_in_the_window_of_1280_pixels(opened, timed):
    one = opened([], [timed])
    for column in ("error in bars", "trust"):
        box = one.page.locator(f'table.timings th:has-text("{column}")').first.bounding_box()
        assert box["x"] + box["width"] <= 1280


def test_table_of_timings_sorts_up_and_down_and_back(opened, make):
    lines = [make.timing(name, operation, median) for name, operation, median in
             (("torch eager", "softmax", 2e6), ("jax jit", "softmax", 1e5), ("torch eager", "adam", 5e6))]  # fmt: skip
    lines.append(make.timing("jax jit", "adam", status="crashed", message="signal 11"))
    one = opened([], [make.record(lines)])
    names = one.page.locator("table.timings tbody th[scope=row]")
    before = names.all_inner_texts()
    head = one.page.locator("table.timings thead th").nth(1)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert one.page.locator("table.timings tbody td:first-of-type").all_inner_texts()[:3] == [
        "100.0 µs [99.4, 100.7]", "2.000 ms [1.988, 2.014]", "5.000 ms [4.970, 5.035]",
    ]  # fmt: skip
    assert names.first.get_attribute("data-place") == "softmax M forward float32"
    head.locator("button").click()
    assert one.page.locator("table.timings tbody td:first-of-type").all_inner_texts()[0] == "5.000 ms [4.970, 5.035]"
    # What has no time stays below, whichever way.
    assert "crashed" in one.page.locator("table.timings tbody tr").last.inner_text()
    head.locator("button").click()
    assert names.all_inner_texts() == before


def test_every_row_opens_to_all_that_was_recorded(opened, make):
    record = make.large(600)
    one = opened([], [record])
    rows = one.page.locator("table.timings[data-section] tbody tr:has(td.trust)")
    last = rows.last
    last.locator("summary").click()
    last.locator("dl").wait_for()
    assert "latency cold" in last.inner_text()
    assert "tensorproof time" in last.inner_text()


def test_a_contender_has_the_same_colour_and_shape_in_every_chart_and_no_limit_has_them(opened, timed):
    one = opened([], [timed])
    looks = []
    for number in range(3):
        legends = drawn(one, number).locator(".legend").all()
        looks.append(
            {legend.inner_text().strip(): legend.locator("path").evaluate("path => path.outerHTML") for legend in legends}
        )
    assert looks[0] | looks[1] == looks[0]
    assert {name: look for name, look in looks[2].items() if name in looks[0]} == {
        name: look for name, look in looks[0].items() if name in looks[2]
    }
    limits = {look for name, look in looks[2].items() if name.startswith("bandwidth")}
    assert len(limits) == len(looks[2]) - len(looks[0].keys() & looks[2].keys())
    assert len(looks[2]) > len(limits) > 1
    assert limits.isdisjoint(looks[0].values())
