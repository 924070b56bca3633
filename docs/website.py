"""What turns these pages, written for GitHub, into a site (hooks of ``mkdocs.yml``).

- Formulas become MathML when the site is built: browsers draw it without a script, a font or a request.
- Operations and models get their places in the navigation from the index, which is generated.
- A file of the repository that a page links to becomes a page of the site, so that links work wherever the repository is.
- A link to a JSON Schema leads to the schema itself, which the site has under the name in its ``$id``.
- Example reports that ``docs/examples.py`` made in ``build/examples`` become part of the site, and each operation's page tells
  every backend's state in them.
- A page that would load anything from elsewhere is a warning, which ends a strict build.
"""

import ast
import json
import logging
import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor
from markdown.preprocessors import Preprocessor
from mkdocs.structure.files import File

from tensorproof_reports.site.specification import mathml

LOG = logging.getLogger("mkdocs.hooks.website")
DOCUMENTS = Path(__file__).parent
ROOT = DOCUMENTS.parent

FENCED = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)
OUTWARD = re.compile(r'\]\(((?:\.\./)+)([^\s)]+)(?: "([^"]*)")?\)')
"""A link out of this folder: the way up, the file, and what of it is meant."""

SOURCES = "sources"
"""Where the repository's files are pages."""

EXAMPLES = ROOT / "build" / "examples"
"""The example reports, once they are made; without them the site has none."""

SCHEMA = ".schema.json"
"""How the name of a JSON Schema ends; the site has them as they are, for programs to read."""


class Formulas(Extension):
    """Formulas as GitHub knows them: between a dollar with a backtick, and in fences that are called math."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Add both; before backticks (190) and before other fences (25) are read."""
        md.inlinePatterns.register(InlineFormula(r"\$`([^`]+)`\$", md), "formula", 195)
        md.preprocessors.register(DisplayedFormulas(md), "formulas", 30)


class InlineFormula(InlineProcessor):
    """A formula in a line."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element | str, int, int]:  # noqa: N802
        """The formula in MathML, kept from being read as Markdown."""
        return self.md.htmlStash.store(f'<span class="formula">{mathml(m[1], displayed=False)}</span>'), m.start(0), m.end(0)


class DisplayedFormulas(Preprocessor):
    """Formulas in paragraphs of their own."""

    def run(self, lines: list[str]) -> list[str]:
        """The lines with each formula in MathML."""

        def rendered(match: re.Match[str]) -> str:
            formula = f'<div class="formula displayed">{mathml(match[1], displayed=True)}</div>'
            return f"\n{self.md.htmlStash.store(formula)}\n"

        return re.sub(r"^```math\n(.*?)\n```$", rendered, "\n".join(lines), flags=re.MULTILINE | re.DOTALL).split("\n")


def groups(index: str) -> list[dict[str, list[dict[str, str]]]]:
    """The navigation of the operations, from the headings and links of their index.

    >>> groups("# All\\n## Losses\\n- [hinge](hinge.md): …\\n## Texts\\nNone.")
    [{'Losses': [{'hinge': 'operations/hinge.md'}]}]
    """
    found: dict[str, list[dict[str, str]]] = {}
    for line in index.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif match := re.match(r"- \[(\w+)\]\((\w+\.md)\)", line):
            found.setdefault(heading, []).append({match[1]: f"operations/{match[2]}"})
    return [{heading: pages} for heading, pages in found.items()]


def cited(texts: list[str]) -> dict[str, set[str]]:
    """The files of the repository that pages link to, and the functions in them that the links name.

    >>> cited(['[test](../suite/a.py "test_b") [page](index.md)'])
    {'suite/a.py': {'test_b'}}
    """
    found: dict[str, set[str]] = {}
    for text in texts:
        for _, path, name in OUTWARD.findall(FENCED.sub("", text)):
            found.setdefault(path, set()).update({name} - {""})
    return found


def source_page(path: str, text: str, names: set[str]) -> str:
    """A source file as a page, with a heading before each function that is named.

    Raises:
        ValueError: a named function is not in it.
    """
    lines, begins = text.splitlines(), []
    if names:
        defined = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for name in names:
            if name not in defined:
                raise ValueError(f"{path} has no {name}")
            node = defined[name]
            begins.append((min(part.lineno for part in (node, *node.decorator_list)) - 1, name))
    parts = [f"---\nsearch:\n  exclude: true\ntitle: {path}\n---\n\n# {path.rpartition('/')[2]}\n\n`{path}`\n"]
    ends = [*(line for line, _ in sorted(begins)), len(lines)]
    language = path.rpartition(".")[2]
    fence = "~" * 8
    for (start, name), end in zip([(0, ""), *sorted(begins)], ends, strict=True):
        heading = [f"## {name}", ""] if name else []
        parts += ["\n".join([*heading, f"{fence}{language}", *lines[start:end], fence, ""])]
    return "\n".join(parts)


def schema_place(path: str) -> str:
    """Where the site has a schema of the repository.

    Raises:
        OSError: it is not there.

    >>> schema_place("suite/tensorproof/runs/record.schema.json")
    'schemas/record-1.json'
    """
    identity: str = json.loads((ROOT / path).read_text(encoding="utf-8"))["$id"]
    return f"schemas/{identity.rpartition('/')[2]}"


def inward(text: str, page: str) -> str:
    """A page whose links out of this folder lead to the pages of the repository's files."""

    def link(match: re.Match[str]) -> str:
        anchor = f"#{match[3].lower()}" if match[3] else ""
        place = schema_place(match[2]) if match[2].endswith(SCHEMA) else f"{SOURCES}/{match[2]}.md"
        return f"]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor})"

    return "".join(part if part.startswith("```") else OUTWARD.sub(link, part) for part in FENCED.split(text))


def states(text: str, address: str) -> str:
    """Every backend's state in the example runs, for the page of an operation; from the operation's page there.

    >>> states('<h2 id="backends"></h2><table><tr><td><a href="#x">25</a></td></tr></table>', "../x.html").splitlines()[5]
    '<table><tr><td><a href="../x.html#x">25</a></td></tr></table>'
    """
    table = re.search(r'id="backends".*?(<table>.*?</table>)', text, re.DOTALL)
    if table is None:
        return ""
    told = table[1].replace('href="#', f'href="{address}#')
    return f"\n## Backends\n\nIn the [example runs]({address}), which also say what a symbol means:\n\n{told}\n"


class Loads(HTMLParser):
    """Collects what a page loads from elsewhere."""

    LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element; a link that a reader clicks loads nothing."""
        address = dict(attrs).get(self.LOADING.get(tag, ""))
        if address and re.match(r"(?:https?:)?//", address):
            self.found.append(f"{tag} {address}")


def loads(text: str) -> list[str]:
    """What a page loads from elsewhere.

    >>> loads('<script src="https://a.example/b.js"></script><a href="https://c.example">c</a><img src="d.png">')
    ['script https://a.example/b.js']
    """
    parser = Loads()
    parser.feed(text)
    parser.close()
    return parser.found


def on_config(config: Any) -> Any:
    """Add formulas, and the operations to the navigation."""
    config.markdown_extensions.append(Formulas())
    place = next(item for item in config.nav if "Operations and models" in item)
    place["Operations and models"] += groups((DOCUMENTS / "operations/index.md").read_text(encoding="utf-8"))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the files of the repository that pages link to."""
    texts = [file.content_string for file in files.documentation_pages()]
    for path, names in sorted(cited(texts).items()):
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
            place = schema_place(path) if path.endswith(SCHEMA) else f"{SOURCES}/{path}.md"
            content = text if path.endswith(SCHEMA) else source_page(path, text, names)
        except (OSError, ValueError) as error:
            LOG.warning("a link leads to nothing: %s", error)
            continue
        files.append(File.generated(config, place, content=content))
    for path in sorted(EXAMPLES.rglob("*")):
        if path.is_file():
            files.append(File.generated(config, f"examples/{path.relative_to(EXAMPLES).as_posix()}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead links out of this folder to pages of the site, and add what the example runs tell."""
    place = page.file.src_uri
    led = inward(markdown, place)
    if place == "index.md" and (EXAMPLES / "index.html").exists():
        led += "\n[Example reports](examples/index.html) of real runs of all backends are part of this site.\n"
    example = (EXAMPLES / place).with_suffix(".html")
    if place.startswith("operations/") and example.exists():
        led += states(example.read_text(encoding="utf-8"), f"../examples/{place.removesuffix('.md')}.html")
    return led


def on_post_build(config: Any) -> None:
    """Look for what would be loaded from elsewhere."""
    site = Path(config.site_dir)
    for path in sorted(site.rglob("*.html")):
        for load in loads(path.read_text(encoding="utf-8")):
            LOG.warning("%s would load %s", path.relative_to(site), load)
    for path in sorted(site.rglob("*.css")):
        for load in re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^\"')]*", path.read_text(encoding="utf-8")):
            LOG.warning("%s would load %s", path.relative_to(site), load)
