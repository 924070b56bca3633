"""A folder for a static host: addresses and anchors that stay, everything escaped, and nothing of others written over."""

import re
from urllib.parse import unquote

import pytest
from made_lines import check, end, run, write

from tensorproof.cli import main
from tensorproof_reports.history import Night, list_nights
from tensorproof_reports.site.pages import site, write_site

OUR_LINKS = re.compile(r"a href=(\.\./)?((index|runs|operations/[a-z0-9_-]+)\.html)(#.*)?")
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
    assert "Exponentials of x along axis" in text
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td>(\w+)</td><td>(\w+)</td><td class="(\w+)"', text)
    assert rows == [
        ("torch", "eager", "float64", "known_failure"),
        ("torch", "eager", "float32", "failed"),
        ("jax", "jit", "float32", "passed"),
    ]
    assert '<a href="#check%3Atorch%3Aforward%3Aeager-softmax-plain_rows-float32">25.0</a>' in text
    for told in ("tensorproof check torch --op=softmax", "<dd>0.25</dd>", "<dd>x = 1.5</dd>", "y: 25 bars"):
        assert told in text


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
    pages = site(records, nights=[Night("2026-11-21T030000Z", "all as before", 0)])
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


def test_nights_are_listed_with_their_alarms(records, tmp_path):
    name = "2026-11-21T030000Z"
    (tmp_path / name).mkdir()
    alarm = {"kind": "alarm", "of": "torch softmax", "alarm": "regression", "message": "slower"}
    write(tmp_path / name / "verdict.ndjson", [{"kind": "verdict", "night": name, "headline": "1 <b>regression</b>"}, alarm])
    (tmp_path / "2026-11-22T030000Z").mkdir()
    nights = list_nights(tmp_path)
    assert nights == [Night(name, "1 <b>regression</b>", 1), Night("2026-11-22T030000Z", "", 0)]
    text = site(records, nights=nights)["index.html"]
    assert text.index('id="night:2026-11-22T030000Z"') < text.index(f'id="night:{name}"')
    assert "1 &lt;b&gt;regression&lt;/b&gt;" in text


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
    write_site(records, tmp_path, nights=[Night("2026-11-21T030000Z", HOSTILE, 3)])
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
    assert page.url.endswith("operations/softmax.html#check%3Atorch%3Aforward%3Aeager-softmax-axis_first-float64")
    page.click("text=The same check in every backend")
    page.wait_for_selector("#case-section:not([hidden])")
    assert page.inner_text("#case").startswith("torch: forward[eager-softmax-")
    page.click("nav >> text=Index")
    assert page.url.endswith("index.html")
    assert complaints == []
    context.close()


@pytest.mark.parametrize("place", ["index.html", "operations/softmax.html"])
def test_axe_finds_nothing_serious(browser, records, tmp_path, place):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe is installed: pip install axe-playwright-python"
    )
    write_site(records, tmp_path, nights=[Night("2026-11-21T030000Z", "1 regression", 1)])
    context = browser.new_context()
    page = context.new_page()
    page.goto((tmp_path / place).as_uri())
    found = axe.Axe().run(page).response["violations"]
    grave = [(item["id"], item["nodes"][0]["html"][:200]) for item in found if item["impact"] in ("serious", "critical")]
    assert grave == []
    context.close()
