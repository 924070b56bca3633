"""The forty-line plugin of docs/validate-your-backend.md works as printed there."""

import re
import shlex
import tomllib
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "validate-your-backend.md"


def block(pattern: str) -> str:
    found = re.search(pattern, DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"the document has a block like {pattern}"
    return found.group(1)


def example() -> str:
    return block(r"<!-- example.*?-->\n```python\n(.*?)```")


def command() -> str:
    """The line that is printed right under the example."""
    return block(r"<!-- example.*?-->\n```python\n.*?```\n\n```console\n(.*?)\n```")


def test_example_is_under_forty_lines():
    assert len([line for line in example().splitlines() if line.strip()]) < 40


def test_command_under_the_example_runs_as_printed(tensorproof, plugin):
    installing, checking = command().split(" && ")
    assert installing == "pip install -e ."
    # Installing asks a package index. What it would leave is there: the entry point that the guide's pyproject.toml names.
    project = tomllib.loads(block(r"```toml\n(\[build-system\].*?)```"))["project"]
    assert project["entry-points"] == {"tensorproof.backends": {"mine": "tensorproof_mine"}}
    program, *arguments = shlex.split(checking)
    assert program == "tensorproof"
    outcome = tensorproof(*arguments, path=plugin("mine", example(), preamble=""))
    assert outcome.code == 0, outcome.text
    assert re.search(r"profile core: .* \(\d+ of \d+ required checks pass", outcome.text.splitlines()[-1]), outcome.text


def test_example_passes_what_it_offers_and_fails_what_it_neither_offers_nor_declares(tensorproof, plugin):
    folder = plugin("mine", example(), preamble="")
    offered = tensorproof("check", "mine", "--op=softmax", "--check=forward", "--check=purity", "-n0", path=folder)
    assert "0 failed" not in offered.text.splitlines()[-1]
    missing = tensorproof("check", "mine", "--op=relu", "--check=declared", "-n0", path=folder)
    assert missing.code == 1
    assert "relu is neither implemented nor declared unsupported" in missing.text


def test_example_without_gradients_is_told_unsupported_not_failed(tensorproof, plugin):
    folder = plugin("mine", example(), preamble="")
    outcome = tensorproof("check", "mine", "--op=softmax", "--check=gradient", "-n0", path=folder)
    assert outcome.code == 0, outcome.text
    assert "does not conform" in outcome.text
    assert "unsupported" in outcome.text


def test_wrong_operation_in_the_example_is_noticed(tensorproof, plugin):
    wrong = example().replace("x - x.max(axis, keepdims=True, initial=-np.inf)", "x")
    assert wrong != example()
    outcome = tensorproof("check", "mine", "--op=softmax", "--check=forward", "-n0", path=plugin("mine", wrong, preamble=""))
    assert outcome.code == 1
    assert "magnitude" in outcome.text
