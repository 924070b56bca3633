"""A page with every section: none is wider than the window, none is out of reach, and axe objects to none."""

import pytest
from made_lines import NIGHT_END, write
from nightly_records import night, series, write_timings

from tensorproof_reports.history import read_nights


@pytest.fixture(name="whole")
def whole_fixture(opened, made, make, tmp_path):
    """Opens a page that has every section, with all of them shown."""
    steps = [{"output": "loss", "outcome": "passed", "line": "", "largest_z": 0.5, "rms_z": 0.5, "size": 1}]
    curve = {"output": "loss", "got": [1.0, 0.5], "expected": [1.0, 0.5]}
    name = "long_" * 12 + "training"
    trained = made.check(name, "plain_steps", check="training", findings=[*steps, curve])
    declared = {"conventions": {"adam": {"maximum": "raw"}}, "defaults": {"adam": {"epsilon": "1e-8"}}}
    finding = {"output": "y", "outcome": "failed", "line": "y: 25 bars", "largest_z": 25.0, "rms_z": 9.0, "input": {"x": 1.5}}
    wrong = made.check("softmax", "plain_rows", status="failed", findings=[finding], message="y: 25 bars")
    lacking = made.check("relu", status="unsupported", findings=[], message="no such operation")
    told = [made.of(wrong, lacking), made.of(trained, backend="numpy", **declared)]
    earlier = made.of(made.check("softmax", "plain_rows"), versions={"torch": "2.12"})

    def before(record):
        return earlier if record.header["backend"] == "torch" else None

    for index in range(8):
        write_timings(tmp_path / night(index), {series(0): 1.0 + 0.002 * index})
    unread = [{"kind": "verdict", "night": night(7), "headline": "unread_" * 40, "tested": "none"}, NIGHT_END]
    write(tmp_path / night(7) / "verdict.ndjson", unread)

    def whole(**settings):
        one = opened(told, [make.large(60)], "", before, read_nights(tmp_path), **settings)
        one.page.click("#matrix-table td.failed")
        one.page.click("#operation-body tbody th a")
        one.page.wait_for_selector("#case-section:not([hidden])")
        for place in ("#training-body", ".charts"):
            one.page.evaluate("place => document.querySelector(place).scrollIntoView()", place)
            one.page.wait_for_selector(f"{place} figure")
        one.page.click("#series-table button")
        one.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        return one

    return whole


def test_nav_leads_to_every_section_by_keyboard(whole):
    one = whole()
    one.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    headings = one.page.locator("main h2:visible").evaluate_all("all => all.map((one) => one.id)")
    links = one.page.locator("nav a:visible").evaluate_all("all => all.map((one) => one.hash.slice(1))")
    assert set(headings) - set(links) == {"operation", "case"}  # what a click opens
    assert set(links) <= set(headings)
    one.page.focus("nav a >> nth=-2")
    one.page.keyboard.press("Enter")
    assert one.page.evaluate("location.hash") == "#history"


@pytest.mark.parametrize("width", [360, 640, 1280, 1920])
def test_page_is_not_wider_than_the_window(whole, width):
    one = whole(viewport={"width": width, "height": 800})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    assert one.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(whole, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe is installed: pip install axe-playwright-python"
    )
    one = whole(color_scheme=scheme)
    found = axe.Axe().run(one.page).response["violations"]
    grave = [
        (item["id"], [node["html"][:120] for node in item["nodes"][:3]])
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert grave == []
