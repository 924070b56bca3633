"""Documents name what exists: files and modules in backticks, relative links, and formulas that GitHub can show."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tensorproof_reference.manual.markup import first_sentence, markdown

ROOT = Path(__file__).parents[3]
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = sorted((ROOT / "docs/operations").glob("*.md"))
PACKAGES = ("reference", "suite", "reports", *(f"plugins/{path.name}" for path in (ROOT / "plugins").iterdir()))
FOLDERS = (".", *PACKAGES)
"""Where a path may begin: at the root, or beside a package."""
EXAMPLES = {"tensorproof_mine.py", "tensorproof_mine/adapter.py", "summary.md"}
"""Files that a reader or a run makes."""


def prose(text: str) -> str:
    """A document without its fenced code."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def exists(path: str) -> bool:
    """Whether a path of the repository, which may have ``*`` in it, is there."""
    return any(next((ROOT / folder).glob(path.rstrip("/")), None) for folder in FOLDERS)


def beginnings() -> set[str]:
    """The first parts of paths that are ours; what is built comes and goes."""
    return {path.name for folder in FOLDERS for path in (ROOT / folder).iterdir() if path.is_dir()} - {"build"}


def module_exists(name: str) -> bool:
    """Whether a dotted name is a module of ours, or something that is named in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        if exists(f"{path}.py"):
            source = next(ROOT / folder / f"{path}.py" for folder in FOLDERS if (ROOT / folder / f"{path}.py").exists())
            return all(word in source.read_text(encoding="utf-8") for word in parts[length:])
    return exists("/".join(parts))


def absent(text: str) -> list[str]:
    """The files and modules in backticks that look like the repository's own and are not there."""
    found = []
    ours = beginnings()
    for line in prose(text).splitlines():
        beside = ""
        for name in re.findall(r"`([\w./*-]+)`", line):
            if name in EXAMPLES:
                good = True
            elif name.split("/")[0] in ours and "/" in name:
                beside = name.rpartition("/")[0]
                good = exists(name)
            elif re.fullmatch(r"\w+\.(py|md)", name):
                good = exists(f"{beside}/{name}") if beside else exists(f"**/{name}")
            elif re.fullmatch(r"tensorproof(_\w+)?(\.\w+)+", name):
                good = module_exists(name)
            else:
                good = True
            if not good:
                found.append(name)
    return found


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links of a document whose file, or heading in it, is not there."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        name, _, anchor = link.partition("#")
        if re.match(r"\w+:", name):
            continue
        target = path.parent / name
        if (name and not target.exists()) or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8") if name else text)
        ):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_files_and_modules_in_backticks_exist(path):
    assert absent(path.read_text(encoding="utf-8")) == []


def test_a_file_or_module_that_moved_is_noticed():
    files = "`suite/tensorproof/verdict.py`, `verdict.py`, `my.toml`\n`verdict.py`, `walls.py`\n"
    modules = "`tensorproof.declarations`, `tensorproof.backend.Backend`, `tensorproof.backend.Front`"
    assert absent(files) == ["suite/tensorproof/verdict.py", "verdict.py", "walls.py"]
    assert absent(modules) == ["tensorproof.declarations", "tensorproof.backend.Front"]


def test_links_between_documents_resolve():
    broken = {path.name: broken_links(path, path.read_text(encoding="utf-8")) for path in [*PROSE, *GENERATED]}
    assert {name: links for name, links in broken.items() if links} == {}


def test_a_link_to_nowhere_is_noticed():
    text = "# A heading\n[good](#a-heading) [good](docs/accuracy.md) [file](docs/nothing.md) [heading](docs/accuracy.md#nothing)"
    assert broken_links(ROOT / "README.md", text) == ["docs/nothing.md", "docs/accuracy.md#nothing"]


@pytest.fixture
def script(monkeypatch) -> Callable[[str], ModuleType]:
    """Imports a script of ``docs``, which is no package."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module


def test_counts_in_readme_are_those_of_today(script):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "<!-- count: faults -->" in text
    assert script("generate").counted(text) == text


def test_a_count_of_yesterday_is_mended(script):
    generate = script("generate")
    text = "all <!-- count: models -->0<!-- /count --> models"
    assert generate.counted(text) == f"all <!-- count: models -->{generate.counts()['models']}<!-- /count --> models"


def test_formulas_become_what_github_shows():
    text = "The slope :math:`αx_i` of ``x``,\nwhere :math:`\\sum_i\n  x_i` is:\n\n.. math::\n    y = θ"
    assert markdown(text) == "The slope $`\\alpha x_i`$ of `x`, where $`\\sum_i x_i`$ is:\n\n```math\ny = \\theta\n```"


def test_sections_are_paragraphs_and_source_texts_are_linked():
    text = "One.\n\nShapes: any.\nRaises: never,\n  ever.\nSource: the texts, 001 §4.2."
    *_, raises, source = markdown(text).split("\n\n")
    assert raises == "**Raises:** never, ever."
    assert source == "**Source:** [the source texts](index.md#source-texts), [001 §4.2](index.md#text-001)."


def test_first_sentences_are_whole():
    assert first_sentence("Steps: :math:`a. b`, (e.g. c)\nand d. More.") == "Steps: $`a. b`$, (e.g. c) and d."


def test_no_page_shows_a_raw_role():
    assert [path.name for path in GENERATED if re.search(r":math:|\.\. math", path.read_text(encoding="utf-8"))] == []
