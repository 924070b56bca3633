"""A folder for a static host: addresses and anchors that stay, everything escaped, and nothing of others written over."""

import re
from urllib.parse import unquote

import math_core
import pytest
from made_lines import NIGHT_END, check, end, run, write
from nightly_records import night, write_conformance, write_pins

from tensorproof.cli import main
from tensorproof_reference.catalogue import known_operations
from tensorproof_reports.site.nights import Night, list_nights
from tensorproof_reports.site.pages import site, write_site
from tensorproof_reports.site.specification import html, specification

OUR_LINKS = re.compile(r"a href=(\.\./)?((index|runs|operations/[a-z0-9_-]+|(nights/)?[0-9TZ-]+)\.html)(#.*)?")
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=1</script>'


@pytest.fixture(name="records")
def records_fixture(made):
    """Two backends, of which one is wrong in two operations."""
    finding = {
        "output": "y", "outcome": "failed", "reason": "bars", "line": "y: 25 bars", "size": 6, "outside": 2, "largest_z": 25.0,
        "rms_z": 9.0, "index": [0, 1], "got": 0.25, "expected": 0.5, "bar": 0.01, "ulp": 3.0, "input": {"x": 1.5},
        "shapes": {"x": [2, 3]}, "keywords": {"axis": "-1"}, "fits": [],
    }  # fmt: skip
    one = made.of(
        made.check(
            "softmax", status="failed", findings=[finding], message="y: 25 bars", command="tensorproof check torch --op=softmax"
        ),
        made.check("softmax", "axis_first", dtype="float64", status="known_failure", findings=[finding], message="y: 25 bars"),
        made.check("relu", status="error", findings=[], message="ValueError: no", traceback="a.py:1 in f"),
        made.check("tanh"),
    )
    return [one, made.of(made.check("softmax", mode="jit"), backend="jax", modes={"jit": "all"})]


def ids(text):
    """The ids of a page."""
    return re.findall(r' id="([^"]*)"', text)


def strangers(foreign, text):
    """What of a page of a site may run or load, or leads out of the site."""
    return [item for item in foreign(text) if not OUR_LINKS.fullmatch(item)]


def test_each_operation_has_a_page_with_its_own_name(records):
    assert list(site(records)) == [
        "index.html",
        "runs.html",
        *(f"operations/{name}.html" for name in ("relu", "softmax", "tanh")),
    ]


def test_an_operation_tells_its_specification_every_backend_the_worst_error_and_what_fails(records):
    text = site(records)["operations/softmax.html"]
    assert "<p>Exponentials of <code>x</code> along <code>axis</code>, scaled to sum to one: <math><msub><mi>y</mi>" in text
    assert "<strong>Special values:</strong>" in text
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td>(\w+)</td><td>(\w+)</td><td class="(\w+)"', text)
    assert rows == [
        ("torch", "eager", "float64", "known_failure"),
        ("torch", "eager", "float32", "failed"),
        ("jax", "jit", "float32", "passed"),
    ]
    assert '<a href="#check%3Atorch%3Aforward%3Aeager-softmax-plain_rows-float32">25.0</a>' in text
    for told in ("tensorproof check torch --op=softmax", "<dd>0.25</dd>", "<dd>x = 1.5</dd>", "y: 25 bars"):
        assert told in text


def test_an_operation_tells_its_samples_and_the_worst_rms(records):
    text = site(records)["operations/softmax.html"]
    row = re.search(r'<tr><th scope="row">axis_first</th>(.*)</tr>', text)
    assert row
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row[1]) == ["other axes than the default, negative ones too", "△ 0/1", ""]
    assert '<td class="number">9.00</td>' in text


def test_what_a_backend_declares_is_no_sample(made):
    declared = made.check("tanh", "none", dtype="none", mode="none", check="defaults", findings=[])
    text = site([made.of(made.check("tanh"), declared)])["operations/tanh.html"]
    assert "<td>declared</td>" in text
    assert '<th scope="row">plain_rows</th>' in text
    assert '<th scope="row">none</th>' not in text
    only = site([made.of(made.check("tanh"), {**declared, "operation": "adapter"})])
    assert 'id="samples"' not in only["operations/adapter.html"]
    assert '<th scope="row">adapter</th>' not in only["runs.html"].partition('id="matrix-table"')[2].partition("</table>")[0]


def test_an_operation_maps_where_its_outputs_are_wrong_and_nothing_else(made):
    found = {"output": "y", "outcome": "failed", "line": "y", "largest_z": 25.0, "rms_z": 1.0}
    for cells, drawn in ((["0n", "29"], 4), (["<b>", 7], 0), ("00", 0)):
        line = made.check("softmax", status="failed", findings=[{**found, "map": {"rows": 2, "columns": 2, "cells": cells}}])
        assert site([made.of(line)])["operations/softmax.html"].count('<span class="level-') == drawn


def test_every_formula_of_the_specification_is_drawn_without_a_script_or_a_style():
    told = {name: str(specification(name)) for name in known_operations()}
    assert [name for name, text in told.items() if re.search(r"\$`|:math:|```|\*\*| style=", text)] == []
    assert sum("<math" in text for text in told.values()) > 60
    assert specification("nobody_knows") == ""


def test_a_formula_that_is_no_tex_is_noticed():
    with pytest.raises(math_core.LatexError):
        html("It is $`\\frac{1`$.")


def test_an_operation_tells_its_timings_and_no_other(records, make):
    timed = make.record([make.timing(operation="softmax"), make.timing(operation="tanh")])
    pages = site(records, [timed])
    for name, other in (("softmax", "tanh"), ("tanh", "softmax")):
        table = pages[f"operations/{name}.html"].partition('<table class="timings">')[2].partition("</table>")[0]
        assert f"<span>{name} " in table
        assert other not in table
    assert 'id="timings"' not in pages["operations/relu.html"]


def test_anchors_are_the_same_whatever_else_is_told(made, records):
    (before,) = [text for name, text in site(records[:1]).items() if name.endswith("softmax.html")]
    more = made.of(*(made.check("softmax", f"sample_{number}", wrong=True) for number in range(60)), backend="tensorflow")
    after = site([more, *records])["operations/softmax.html"]
    named = [name for name in ids(before) if name.startswith(("check:", "cause:"))]
    assert "check:torch:forward:eager-softmax-plain_rows-float32" in named
    assert set(named) <= set(ids(after))


def test_every_failing_check_has_its_anchor_also_where_there_are_many(made):
    many = made.of(*(made.check("softmax", f"sample_{number}", wrong=True) for number in range(200)))
    text = site([many])["operations/softmax.html"]
    found = {name for name in ids(text) if name.startswith("check:")}
    assert found == {f"check:torch:forward:eager-softmax-sample_{number}-float32" for number in range(200)}
    assert "160 more" in text


def test_no_page_loads_anything_or_leads_out_of_the_folder_and_every_link_has_its_target(foreign, records):
    pages = site(records, nights=[Night("2026-11-21T030000Z", "all as before")])
    for place, text in pages.items():
        assert strangers(foreign, text) == []
        for folder, name, _, anchor in re.findall(r'href="(\.\./)?((?:[\w/-]+\.html)?)(#([^"]*))?"', text):
            target = name if folder or not name else "/".join([*place.split("/")[:-1], name])
            target = target or place
            assert target in pages
            if anchor and "=" not in anchor:
                assert unquote(anchor) in ids(pages[target]), (place, target, anchor)


@pytest.mark.parametrize(
    "field", ["operation", "sample", "dtype", "mode", "check", "message", "command", "traceback", "declaration"]
)
def test_what_records_supply_is_escaped_and_stays_in_the_folder(made, foreign, tmp_path, field):
    for text in (HOSTILE, "../../../evil", "/etc/evil", "..", "\x00\ud800\u202e", "CON", "x" * 5000):
        lines = [{**made.check("softmax", status="failed", findings=[]), field: text}, made.check("tanh")]
        write_site([made.of(*lines)], tmp_path / "site")
        written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
        assert all(re.fullmatch(r"site/(index|runs|operations/[a-z0-9_-]{1,90})\.html", name) for name in written), written
        assert len(written) == 4
        for name in written:
            page = (tmp_path / name).read_text(encoding="utf-8")
            assert strangers(foreign, page) == []
            assert len(page) < 100_000


def test_names_that_differ_in_case_only_have_pages_that_differ_on_every_system(made):
    names = list(site([made.of(made.check("mine"), made.check("Mine"), made.check("MINE"))]))
    assert len({name.lower() for name in names}) == 5


@pytest.fixture(name="history")
def history_fixture(tmp_path):
    """Three nights: one as it should be, one with a confirmed regression, and one that was killed."""
    parts = {
        "backend": "torch",
        "device": "cpu",
        "mode": "eager",
        "operation": "tanh",
        "workload": "M",
        "direction": "forward",
        "dtype": "float32",
    }
    found = {
        "kind": "finding", "series": parts, "since": night(1), "last_before": night(0), "machine": "0123456789", "factor": 1.3,
        "state": "slower", "message": "new/old 1.290 (torch 1 → 2)", "old_packages": "", "new_packages": "", "duel": None,
        "first_alarm": night(1),
    }  # fmt: skip
    alarm = {"kind": "alarm", "of": "torch <b>tanh</b>", "alarm": "regression", "message": "slower"}
    for index, lines in enumerate(([], [alarm, found])):
        folder = tmp_path / "nights" / night(index)
        verdict = {"kind": "verdict", "night": night(index), "headline": f"{len(lines) // 2} <b>regressions</b>"}
        write(folder / "verdict.ndjson", [verdict, *lines, NIGHT_END])
        stage = {"kind": "stage", "name": "conformance of torch", "status": "done", "exit_code": 0, "seconds": 12.0}
        write(folder / "night.ndjson", [stage])
        write_pins(folder, "torch", str(index + 1))
        write_conformance(folder, "torch", ["passed", "failed"])
    killed = tmp_path / "nights" / night(2)
    write_conformance(killed, "torch", ["passed"], ended=False)
    write_pins(killed, "torch", "2")
    return tmp_path / "nights"


def test_nights_are_listed_with_their_alarms_and_each_leads_to_its_page(records, history):
    text = site(records, nights=list_nights(history))["index.html"]
    rows = re.findall(
        r'<tr id="night:([^"]*)"><th scope="row"><a href="([^"]*)">.*?<td class="number[^"]*">(\d*)</td><td>(.*?)</td>', text
    )
    assert rows == [
        (night(2), f"nights/{night(2)}.html", "", "no verdict"),
        (night(1), f"nights/{night(1)}.html", "1", "1 &lt;b&gt;regressions&lt;/b&gt;"),
        (night(0), f"nights/{night(0)}.html", "", "0 &lt;b&gt;regressions&lt;/b&gt;"),
    ]


def test_a_night_tells_alarms_what_to_send_packages_counts_and_stages(records, history, foreign):
    pages = site(records, nights=list_nights(history))
    text = pages[f"nights/{night(1)}.html"]
    for told in (
        "torch &lt;b&gt;tanh&lt;/b&gt;", "▼ confirmed: slower", "new/old 1.290 (torch 1 → 2)",
        '<th scope="row">torch</th><td>torch 1 → 2</td>',
        f'before: <a href="{night(0)}.html">', f'after: <a href="{night(2)}.html">',
        "torch eager tanh M forward float32: 1.300 times as long", "tensorproof duel --env old=OLD --env new=NEW torch --op=tanh",
        '<th scope="row">torch</th><td>conforms</td><td class="number passed">1</td><td class="number failed">1</td>',
        '<th scope="row">conformance of torch</th><td class="">✓ done</td><td class="number">12',
    ):  # fmt: skip
        assert told in text, told
    assert strangers(foreign, text) == []


def test_what_a_killed_night_lacks_is_never_told_as_none(records, history):
    text = site(records, nights=list_nights(history))[f"nights/{night(2)}.html"]
    for told in (
        "This night has no verdict",
        "Nobody can tell without a verdict",
        "the record has no closing line: nobody can tell",
        "This night kept no log of its stages",
    ):
        assert told in text, told
    assert "None." not in text
    assert '<th scope="row">torch</th><td>none</td>' in text  # its packages are those of the night before


def test_a_verdict_that_cannot_be_read_costs_only_itself(history):
    write(history / night(1) / "verdict.ndjson", [{"kind": "alarm", "of": 3}])
    told = {one.name: one.headline for one in list_nights(history)}
    assert told[night(1)].startswith("verdict cannot be read: ")
    assert told[night(0)] == "0 <b>regressions</b>"
    text = site([], nights=list_nights(history))[f"nights/{night(1)}.html"]
    assert text.count("Nobody can tell without a verdict") == 2
    assert "None." not in text


def test_timings_alone_make_a_site(make, foreign):
    pages = site([], [make.record([make.timing()])])
    assert list(pages) == ["index.html", "runs.html"]
    assert [strangers(foreign, text) for text in pages.values()] == [[], []]


@pytest.fixture(name="told")
def told_fixture(tmp_path, monkeypatch, capsys):
    """Runs ``tensorproof report run.ndjson`` in a folder with that record; gives code and complaint."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "run.ndjson", [run(planned=1), check(), end({"passed": 1})])

    def told(*arguments):
        code = main(["report", "run.ndjson", *arguments])
        return code, capsys.readouterr().err

    return told


def test_a_site_replaces_a_site_and_its_operations_but_no_file_of_others(told, tmp_path):
    assert told("--site", "out") == (0, "")
    stale = (tmp_path / "out/operations/tanh.html").rename(tmp_path / "out/operations/gone.html")
    mine = tmp_path / "out/operations/mine.html"
    mine.write_text("<p>mine</p>")
    (tmp_path / "out/CNAME").write_text("example.org")
    assert told("--site", "out") == (0, "")
    assert not stale.exists()
    assert mine.read_text() == "<p>mine</p>"
    assert (tmp_path / "out/CNAME").exists()
    assert (tmp_path / "out/operations/tanh.html").exists()


def test_a_folder_that_is_not_ours_is_refused_without_force(told, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/index.html").write_text("<!doctype html><p>mine</p>")
    code, complaint = told("--site", "home")
    assert code == 4
    assert "home holds no site of tensorproof; give a new or empty folder, or --force" in complaint
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["index.html"]
    assert told("--site", "home", "--force")[0] == 0
    assert (tmp_path / "home/operations/tanh.html").exists()


def test_no_page_of_others_within_a_site_is_replaced(told, tmp_path):
    told("--site", "out")
    (tmp_path / "out/runs.html").write_text("<p>mine</p>")
    before = (tmp_path / "out/index.html").stat().st_mtime_ns
    code, complaint = told("--site", "out")
    assert code == 4
    assert "runs.html is no page of tensorproof" in complaint
    assert (tmp_path / "out/index.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--site", "run.ndjson"], "run.ndjson is a file; give the name of a folder"),
        (["--site", ".", "--force"], "run.ndjson lies in"),
        (["--site", "out", "-o", "page.html"], "not allowed with argument"),
        ([], "one of the arguments -o --site is required"),
    ],
)
def test_usage_errors_say_what_to_type(told, tmp_path, arguments, complaint):
    before = (tmp_path / "run.ndjson").read_bytes()
    code, said = told(*arguments)
    assert code == 4
    assert complaint in said
    assert (tmp_path / "run.ndjson").read_bytes() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_no_request_leaves_the_folder_and_nothing_is_wider_than_a_telephone(browser, records, tmp_path, scheme):
    write_site(records, tmp_path, nights=[Night("2026-11-21T030000Z", HOSTILE, [("new failure", HOSTILE, HOSTILE)] * 3)])
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page, requests, complaints = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url.partition("#")[0]))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    visited = sorted(tmp_path.rglob("*.html"))
    for path in visited:
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path.name
    assert sorted(set(requests)) == sorted(path.as_uri() for path in visited)
    page.goto((tmp_path / "index.html").as_uri())
    page.click("text=softmax")
    page.click("td a")
    page.wait_for_url("**/operations/softmax.html#check%3Atorch%3Aforward%3Aeager-softmax-axis_first-float64")
    page.click("text=The same check in every backend")
    page.wait_for_selector("#case-section:not([hidden])")
    assert page.inner_text("#case").startswith("torch: forward[eager-softmax-")
    page.click("nav >> text=Index")
    page.wait_for_url("**/index.html")
    assert complaints == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["index.html", "operations/softmax.html", "nights/2026-11-21T030000Z.html"])
def test_axe_finds_nothing_serious(browser, records, tmp_path, place, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe is installed: pip install axe-playwright-python"
    )
    write_site(records, tmp_path, nights=[Night("2026-11-21T030000Z", "1 regression", [("regression", "torch", "slower")])])
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto((tmp_path / place).as_uri())
    found = axe.Axe().run(page).response["violations"]
    grave = [(item["id"], item["nodes"][0]["html"][:200]) for item in found if item["impact"] in ("serious", "critical")]
    assert grave == []
    context.close()
