"""The page in a real browser: it asks for nothing, complains of nothing, and leads from a red cell to what is wrong."""

import re

import pytest

from tensorproof_reference.catalogue import known_operations
from tensorproof_reports.conformance.operations import GROUPS, described


@pytest.fixture(name="records")
def records_fixture(made):
    """Two backends, of which one is wrong in two places and lacks something."""
    finding = {
        "output": "y", "outcome": "failed", "reason": "bars", "line": "y: 25 bars", "size": 6, "outside": 2, "largest_z": 25.0,
        "rms_z": 9.0, "index": [0, 1], "got": 0.25, "expected": 0.5, "bar": 0.01, "ulp": 3.0, "input": {"x": 1.5},
        "shapes": {"x": [2, 3]}, "keywords": {"axis": "-1"}, "fits": [],
    }  # fmt: skip
    lost = {**finding, "reason": "nan", "got": 0.0, "expected": "nan", "largest_z": None, "rms_z": None}
    one = made.of(
        made.check("softmax", "plain_rows", status="failed", findings=[finding], message="y: 25 bars"),
        made.check("softmax", "nan_each_lane", status="failed", findings=[lost], message="y: NaN is lost"),
        made.check("softmax", "axis_first", status="unsupported", findings=[], message="no such axis"),
        made.check("relu"),
        made.check("mean_squared_error"),
    )
    other = made.of(
        made.check("softmax", "plain_rows", mode="jit"),
        made.check("softmax", "nan_each_lane", mode="jit"),
        made.check("relu", mode="jit"),
        backend="jax", modes={"jit": "all"},
    )  # fmt: skip
    return [one, other]


def test_page_asks_for_nothing_and_complains_of_nothing(opened, records):
    one = opened(records)
    one.page.click("#matrix-table td.failed")
    one.page.wait_for_selector("#operation-section:not([hidden])")
    assert one.requests == [one.address]
    assert one.complaints == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        pytest.param("softmax", 5, id="word"),
        pytest.param("torch:fail jax:pass", 4, id="backends"),
        pytest.param("torch:fail mode:jit", 2, id="backend-and-mode"),
        pytest.param("is:different", 4, id="different"),
        pytest.param("cause:nan", 1, id="cause"),
        pytest.param("dtype:bfloat16", 0, id="dtype"),
        pytest.param("bars>2 status:failed", 2, id="bars"),
        pytest.param("path:soft -sample:nan", 3, id="not"),
        pytest.param("group:losses", 1, id="group"),
        pytest.param("status:unsupported", 1, id="status"),
        pytest.param("group:losses or cause:nan", 2, id="or"),
        pytest.param("status:failed or status:unsupported path:relu OR mode:jit path:relu", 3, id="or-after-and"),
    ],
)
def test_query_filters(opened, records, query, count):
    assert opened(records).query(query).startswith(f"{count} of 8 checks")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("torhc:fail", "backends here are torch, jax"),
        ("torch:bad", "is no status"),
        ("is:odd", "try is:different"),
        ("bars>x", "no number"),
        ("torch:fail or", "needs words on both sides"),
    ],
)
def test_query_that_cannot_be_read_says_what_to_type(opened, records, query, told):
    one = opened(records)
    assert told in one.query(query)
    assert one.complaints == []


def test_query_is_in_the_address_and_comes_back_from_it(opened, records):
    one = opened(records)
    one.query("cause:nan")
    assert one.page.url.endswith("#q=cause%3Anan")
    again = opened(records, fragment="#q=cause%3Anan")
    assert again.page.input_value("#query") == "cause:nan"
    assert again.page.inner_text("#query-said").startswith("1 of 8 checks")


def test_two_clicks_lead_from_a_red_cell_to_input_and_command(opened, records):
    one = opened(records)
    one.page.click("#matrix-table td.failed")
    one.page.click("#operation-body tbody th a")
    one.page.wait_for_selector("#case-section:not([hidden])")
    text = one.page.inner_text("#case-section")
    assert "x = 1.5" in text
    assert "tensorproof check torch --op=softmax --check=forward" in text
    assert "--mode=eager --dump=case" in text
    assert "got" in text
    assert "jit" in text


def test_check_opens_by_link_and_names_every_backend(opened, records):
    name = "torch:forward[eager-softmax-plain_rows-float32]"
    one = opened(records, fragment=f"#case={name}")
    assert one.page.inner_text("#case") == name.replace(":", ": ", 1)
    assert one.page.is_visible("#case")
    rows = one.page.locator("#case-body table").last.locator("tbody tr").all_inner_texts()
    assert ["torch" in rows[0], "jax" in rows[1]] == [True, True]


def test_link_to_a_check_that_is_not_there_says_so(opened, records):
    one = opened(records, fragment="#case=torch:forward[eager-nothing-x-float32]")
    assert "This page has no check" in one.page.inner_text("#case-body")


def test_cause_opens_by_link(opened, records):
    one = opened(records, fragment="#cause:torch:softmax-nan-lost")
    assert one.page.get_attribute('[id="cause:torch:softmax-nan-lost"]', "open") is not None


def test_command_link_and_issue_are_copied(opened, records):
    one = opened(records, fragment="#case=torch:forward[eager-softmax-plain_rows-float32]")
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    one.page.clock.install()  # "Copied" stands for two seconds, which a slow machine would miss
    copied = []
    for label in ("Copy command", "Copy link", "Copy issue text"):
        one.page.click(f'#case-body button:text-is("{label}")')
        one.page.wait_for_selector('#case-body button:text-is("Copied")')
        copied.append(one.page.evaluate("navigator.clipboard.readText()"))
        one.page.clock.run_for(2500)
        one.page.wait_for_selector(f'#case-body button:text-is("{label}")')
    assert copied[0].startswith("tensorproof check torch")
    assert "#case=" in copied[1]
    assert "got 0.25, expected 0.5" in copied[2]


def test_matrix_is_reached_and_read_by_keyboard_alone(opened, records):
    one = opened(records)
    assert one.page.locator('#matrix-table [tabindex="0"]').count() == 1
    one.page.focus('#matrix-table [tabindex="0"]')
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        one.page.keyboard.press(key)
    one.page.wait_for_selector("#operation-section:not([hidden])")
    assert one.page.inner_text("#operation") == "softmax: torch, eager, values"
    assert one.page.evaluate("document.activeElement.id") == "operation"


@pytest.mark.parametrize(("group", "title"), GROUPS.items())
def test_matrix_has_every_group(made, opened, group, title):
    names = {item.group: item.name for item in described([*known_operations(), "nobody_knows"])}
    one = opened([made.of(made.check(names[group], "x"))])
    assert one.page.inner_text(f'th[data-group="{group}"]') == f"{title}: 1"
    assert one.page.is_visible(f'th[data-op="{names[group]}"]')


def test_groups_fold(opened, records):
    one = opened(records)
    heading = one.page.locator('th[data-group="operations"]')
    heading.click()
    assert heading.get_attribute("aria-expanded") == "false"
    assert not one.page.is_visible('th[data-op="softmax"]')
    assert one.page.is_visible('th[data-op="mean_squared_error"]')


def test_worst_comes_first_where_that_is_asked(opened, records):
    one = opened(records)
    one.page.select_option("#order", "worst")
    assert one.page.locator("#matrix-table tbody th").first.inner_text() == "softmax"
    assert "order=worst" in one.page.url


def test_columns_are_dtypes_where_that_is_asked(opened, records):
    one = opened(records)
    one.page.select_option("#view", "dtype")
    assert "float32" in one.page.inner_text("#matrix-table thead")


def test_two_backends_are_compared_side_by_side(opened, made):
    records = [made.of(made.check("adam"), backend=name, defaults={"adam": {"epsilon": value, "beta": "0.9"}})
               for name, value in (("torch", "1e-8"), ("jax", "1e-8"), ("tensorflow", "1e-7"))]  # fmt: skip
    one = opened(records)
    one.page.select_option("#pair-first", "torch")
    one.page.select_option("#pair-second", "jax")
    assert one.page.locator("table.pairs tbody tr:visible").count() == 0
    one.page.select_option("#pair-second", "tensorflow")
    assert one.page.locator("table.pairs tbody tr:visible").all_inner_texts() == ["≠ adam\tepsilon\t1e-8\t1e-7"]


def test_without_javascript_overview_and_tables_are_readable(opened, records):
    one = opened(records, java_script_enabled=False)
    text = one.page.inner_text("main")
    for word in ("does not conform", "softmax-nan-lost", "✗ 0/3", "need JavaScript"):
        assert word in text
    assert not one.page.is_visible("#query-form")


def test_hostile_names_run_nothing_and_leave_the_rest_intact(opened, made):
    hostile = '"><img src=x onerror="document.title=1"><script>document.title=1</script>'
    lines = [
        made.check("softmax", hostile, status="failed", message=hostile, command=hostile, mode=hostile, traceback=hostile),
        made.check("relu"),
    ]
    one = opened([made.of(*lines, backend=hostile), made.of(made.check("relu"), backend="jax")])
    for link in ("#matrix-table td.failed", "#operation-body tbody th a"):
        one.page.click(link)
    one.page.wait_for_selector("#case-section:not([hidden])")
    assert one.complaints == []
    assert one.requests == [one.address]
    assert one.page.title().startswith("tensorproof: ")
    assert one.page.locator("main img").count() == 0
    assert "relu" in one.page.inner_text("#matrix-table")


@pytest.mark.parametrize(
    ("status", "symbol"),
    [("failed", "✗"), ("known_failure", "△"), ("error", "!"), ("crashed", "†"), ("timed_out", "…"), ("out_of_memory", "▪"),
     ("fell_back", "↩"), ("not_run", "·"), ("not_meaningful", "≈"), ("unsupported", "–")],
)  # fmt: skip
def test_no_other_status_looks_like_a_pass(opened, made, status, symbol):
    one = opened([made.of(made.check(status=status, findings=[]), made.check("relu"))])
    cells = one.page.locator('#matrix-table td[data-op="softmax"]')
    assert cells.first.get_attribute("class") == status
    assert cells.first.inner_text().startswith(symbol)
    passed = one.page.locator('#matrix-table td[data-op="relu"]').first
    colours = [cell.evaluate("cell => getComputedStyle(cell).backgroundColor") for cell in (cells.first, passed)]
    assert colours[0] != colours[1]
    cells.first.click()
    one.page.click("#operation-body tbody th a")
    one.page.wait_for_selector("#case-body .tag")
    for place in ("#verdict ~ * tbody td", "#operation-body tbody td", "#cases-table tbody td", "#case-body .tag"):
        shown = one.page.locator(f"{place}.{status}").first
        assert shown.inner_text().startswith("1" if "verdict" in place else symbol)
        assert shown.evaluate("shown => getComputedStyle(shown).backgroundColor") == colours[0]


@pytest.mark.parametrize("scripted", [True, False])
def test_what_a_backend_declares_wrongly_is_in_the_matrix(opened, made, scripted):
    declared = {"dtype": "none", "mode": "none", "check": "defaults", "findings": []}
    wrong = made.check("adam", "none", status="failed", message="epsilon is 1e-7", **declared)
    right = made.check("adam", "none", **declared)
    heads = [
        opened([made.of(line, made.check("adam"))], java_script_enabled=scripted).page.inner_text("#matrix-table thead tr")
        for line in (wrong, right)
    ]
    assert [head.split("\t")[1:] for head in heads] == [["torch\neager", "torch\ndeclared"], ["torch\neager"]]


def test_a_check_tells_its_message_once_and_on_what_it_ran(opened, records):
    one = opened(records, fragment="#case=torch:forward[eager-softmax-plain_rows-float32]")
    text = one.page.inner_text("#case-body")
    assert text.count("y: 25 bars") == 1
    assert "torch 2.13 · instruction set avx2 · device cpu · seed 0" in text


def test_what_is_missing_is_an_empty_cell_and_never_zero(opened, records):
    one = opened(records)
    row = one.page.locator('#matrix-table tr:has(th[data-op="mean_squared_error"]) td')
    assert row.all_inner_texts() == ["✓ 1/1", "", "", ""]


def test_printing_opens_the_causes_with_their_commands(opened, records):
    one = opened(records)
    one.page.emulate_media(media="print")
    one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert one.page.is_visible("details.cause pre >> nth=0")


def test_a_map_shows_where_an_output_is_wrong(opened, made):
    places = {"rows": 2, "columns": 3, "cells": ["0n1", "249"]}
    found = {"output": "y", "outcome": "failed", "line": "y", "largest_z": 25.0, "rms_z": 1.0, "map": places}
    hostile = {**found, "output": "z", "map": {"rows": "<b>", "columns": 3, "cells": ["<b>", 7]}}
    line = made.check("softmax", "plain_rows", status="failed", findings=[found, hostile])
    one = opened([made.of(line)], fragment="#case=torch:forward[eager-softmax-plain_rows-float32]")
    shown = one.page.locator("#case-body pre.map")
    assert shown.first.inner_text().split() == ["0n1", "249"]
    assert shown.first.locator(".level-n").count() == 1
    assert shown.last.locator(".level-0").count() == 3  # what is no level has the colour of none
    assert one.complaints == []


def test_training_curves_are_drawn_over_the_reference(opened, made):
    curve = {"output": "loss", "got": [1.0, 0.5, "nan"], "expected": [1.0, 0.5, 0.25]}
    line = made.check("mnist_cnn_training", "plain_steps", check="training", status="failed", findings=[curve])
    one = opened([made.of(line)], fragment="#case=torch:training[eager-mnist_cnn_training-plain_steps-float32]")
    assert one.page.locator("#case-body figure svg path.line").count() == 2
    assert re.search(r"loss by step", one.page.inner_text("#case-body figcaption"))


def test_training_of_every_backend_is_drawn_over_the_reference(opened, made):
    steps = [
        {"output": "loss", "outcome": "passed", "line": "", "largest_z": bars, "rms_z": bars, "size": 1} for bars in (0.5, 2.0)
    ]
    curve = {"output": "loss", "got": [1.0, 0.5], "expected": [1.0, 0.5]}
    line = made.check("mnist_cnn_training", "plain_steps", check="training", findings=[*steps, curve])
    one = opened([made.of(line), made.of({**line, "mode": "jit"}, backend="jax")])
    one.page.locator("#training").scroll_into_view_if_needed()
    one.page.wait_for_selector("#training-body figure")
    charts = one.page.locator("#training-body figure")
    legends = [[text.strip() for text in chart.locator(".legend").all_inner_texts()] for chart in charts.all()]
    assert legends == [["reference", "torch eager", "jax jit"], ["torch eager", "jax jit"]]
    assert charts.nth(1).locator("div.scroll path.dot").count() == 4
    colours = [chart.locator("div.scroll path.dot").last.get_attribute("class") for chart in charts.all()]
    assert colours[0] == colours[1]  # a backend has its colour in both
    assert one.complaints == []


def test_training_begins_with_a_model_that_is_wrong_and_a_step_without_a_number_has_no_dot(opened, made):
    steps = [
        {"output": "loss", "outcome": "failed", "line": "", "largest_z": bars, "rms_z": bars, "size": 1} for bars in (0.5, None)
    ]
    curve = {"output": "loss", "got": [1.0, "nan"], "expected": [1.0, 0.5]}
    right = made.check("linear_regression_training", "plain_steps", check="training", findings=[])
    wrong = made.check("mnist_cnn_training", "plain_steps", check="training", status="failed", findings=[*steps, curve])
    one = opened([made.of(right, wrong)])
    assert one.page.input_value("#training-model") == "mnist_cnn_training plain_steps float32"
    one.page.locator("#training").scroll_into_view_if_needed()
    one.page.wait_for_selector("#training-body figure")
    charts = one.page.locator("#training-body figure")
    assert [chart.locator("div.scroll path.dot").count() for chart in charts.all()] == [1, 1]
