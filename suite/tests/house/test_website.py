"""What makes a site of the documents: formulas, links into the repository, the navigation, and nothing from elsewhere."""

import doctest
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(name="website")
def website_fixture(monkeypatch):
    for name in ("mkdocs", "math_core"):
        pytest.importorskip(name, reason="the extra docs is not installed: pip install -e '.[docs]'")
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("website")


@pytest.fixture(name="rendered")
def rendered_fixture(website):
    """Turns Markdown into HTML with our formulas."""
    markdown = importlib.import_module("markdown")
    extensions = ["pymdownx.superfences", website.Formulas()]
    return lambda text: markdown.Markdown(extensions=extensions).convert(text)


def test_examples_in_docstrings_hold(website):
    assert doctest.testmod(website).failed == 0


def test_formulas_become_mathml_and_are_not_read_as_markdown(rendered):
    text = rendered("So $`a_i * b_i * c`$ is:\n\n```math\ny = \\frac{a}{b}\n```\n\n    $`x`$")
    assert '<span class="formula"><math><msub><mi>a</mi><mi>i</mi></msub>' in text
    assert "<em>" not in text
    assert '<div class="formula displayed"><math display="block"' in text
    assert "<mfrac>" in text
    assert "$`x`$" in text  # code stays code


def test_a_formula_that_is_no_tex_is_noticed(rendered):
    math_core = importlib.import_module("math_core")
    with pytest.raises(math_core.LatexError):
        rendered("$`\\frac{1`$")


def test_links_into_the_repository_lead_to_pages_of_its_files(website):
    text = '[a](../suite/x/test_a.py "test_B")\n```\n[b](../suite/b.py)\n```\n[c](../suite/c.py) [d](index.md)'
    led = website.inward(text, "reliability.md")
    assert led.startswith("[a](sources/suite/x/test_a.py.md#test_b)\n")
    assert "[b](../suite/b.py)" in led
    assert led.endswith("[c](sources/suite/c.py.md) [d](index.md)")
    assert "](../sources/suite/c.py.md)" in website.inward("[c](../../suite/c.py)", "operations/index.md")


def test_links_to_schemas_lead_to_the_schemas_themselves(website):
    led = website.inward("[a](../suite/tensorproof/runs/record.schema.json)", "schemas.md")
    assert led == "[a](schemas/record-1.json)"


def test_every_schema_is_published_under_a_name_of_its_own(website):
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "suite/tensorproof").rglob(f"*{website.SCHEMA}")}
    text = (ROOT / "docs/schemas.md").read_text(encoding="utf-8")
    assert set(website.cited([text])) == there
    places = {path: website.schema_place(path) for path in there}
    assert len(set(places.values())) == len(there) == 6
    assert [path for path, place in places.items() if f"[{place.removeprefix('schemas/')}](../{path})" not in text] == []


def test_a_page_of_a_file_has_all_its_lines_and_a_heading_before_each_named_function(website):
    text = "import a\n\n\n@mark(\n    1,\n)\ndef test_b():\n    '''```'''\n\n\ndef c():\n    pass\n"
    page = website.source_page("suite/x.py", text, {"test_b"})
    assert page.index("## test_b") < page.index("@mark(")
    assert page.index("import a") < page.index("## test_b")
    assert [line for line in text.splitlines() if line not in page.splitlines()] == []


def test_a_named_function_that_is_not_in_the_file_is_noticed(website):
    with pytest.raises(ValueError, match=r"suite/x\.py has no test_gone"):
        website.source_page("suite/x.py", "def test_here():\n    pass\n", {"test_gone"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["script https://cdn.example/a.js"]),
        ('<link rel="stylesheet" href="//cdn.example/a.css">', ["link //cdn.example/a.css"]),
        ('<img src="http://a.example/b.png">', ["img http://a.example/b.png"]),
        ('<a href="https://a.example">a</a><img src="b.png"><link href="c.css">', []),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_noticed(website, text, found):
    assert website.loads(text) == found


def test_every_operation_and_model_has_a_place_in_the_navigation(website):
    named = {
        path
        for group in website.groups((ROOT / "docs/operations/index.md").read_text(encoding="utf-8"))
        for pages in group.values()
        for page in pages
        for path in page.values()
    }
    assert named == {f"operations/{path.name}" for path in (ROOT / "docs/operations").glob("*.md")} - {"operations/index.md"}


def test_pages_of_operations_tell_every_backends_state_in_the_example_runs(website, tmp_path, monkeypatch):
    report = '<h2 id="backends">Backends</h2><table>\n<tr><td>✗ 1/2</td></tr>\n</table><h2 id="samples"></h2><table></table>'
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations/softmax.html").write_text(report, encoding="utf-8")
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(website, "EXAMPLES", tmp_path)

    def shown(place):
        return website.on_page_markdown("# A page\n", SimpleNamespace(file=SimpleNamespace(src_uri=place)), None, None)

    assert "[example runs](../examples/operations/softmax.html)" in shown("operations/softmax.md")
    assert shown("operations/softmax.md").count("<table>") == 1
    assert "✗ 1/2" in shown("operations/softmax.md")
    assert "(examples/index.html)" in shown("index.md")
    assert shown("operations/relu.md") == shown("accuracy.md") == "# A page\n"


def test_a_strict_build_stops_at_links_to_nowhere_pages_out_of_sight_and_loads(website, tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for folder in ("suite", "reports"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    planted = (
        '[a](nothing.md) [b](accuracy.md#nowhere) [c](../suite/nothing.py) [d](../suite/tests/made_lines.py "test_gone")\n'
        "![e](https://a.example/b.png)\n"
    )
    with (tmp_path / "docs/timing.md").open("a", encoding="utf-8") as page:
        page.write(f"\n{planted}")
    (tmp_path / "docs/orphan.md").touch()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 1
    for told in (
        "link 'nothing.md', but the target is not found",
        "does not contain an anchor '#nowhere'",
        "suite/nothing.py",
        "suite/tests/made_lines.py has no test_gone",
        "timing.html would load img https://a.example/b.png",
        "orphan.md",
    ):
        assert told in built.stderr
    assert built.stderr.count("WARNING") == 8  # what is not planted is good
