"""The page's scripts: they make elements, never markup; they ask for nothing; they are read by an engine without complaint."""

import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from tensorproof_reports import assets

WEB = files("tensorproof_reports") / "web"
FORBIDDEN = (
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "srcdoc", "createContextualFragment"),
    *(r"\beval\(", r"\bFunction\(", r"\bimport\(", r"\bfetch\(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon"),
    *(
        "localStorage",
        "sessionStorage",
        "indexedDB",
        r"document\.cookie",
        r"setAttribute\(\s*[\"']on",
        r"javascript:",
        "</script",
    ),
)
"""What makes markup or code of text, asks for something, or keeps something on the reader's machine."""


@pytest.mark.parametrize("name", assets.SCRIPTS)
def test_script_makes_no_markup_and_asks_for_nothing(name):
    text = (WEB / name).read_text(encoding="utf-8")
    assert [word for word in FORBIDDEN if re.search(word, text)] == []
    assert text.count("\n") < 400


@pytest.mark.parametrize("word", ["element.innerHTML = x", "eval(x)", "fetch('x')", "node.setAttribute('onclick', x)"])
def test_forbidden_word_is_noticed(word):
    assert any(re.search(one, word) for one in FORBIDDEN)


def test_every_script_of_the_folder_is_on_the_page():
    assert {path.name for path in WEB.iterdir() if path.name.endswith(".js")} == set(assets.SCRIPTS)


@pytest.mark.parametrize("name", assets.SCRIPTS)
def test_script_is_well_formed(name):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node is installed, which reads scripts")
    found = subprocess.run([node, "--check", str(WEB / name)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
