"""The forty-line plugin of docs/validate-your-backend.md works as printed there."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "validate-your-backend.md"


def example() -> str:
    found = re.search(r"<!-- example.*?-->\n```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "the document shows the example between its mark and the end of the block"
    return found.group(1)


def test_example_is_under_forty_lines():
    assert len([line for line in example().splitlines() if line.strip()]) < 40


def test_example_passes_what_it_offers_and_fails_what_it_neither_offers_nor_declares(tensorproof, plugin):
    folder = plugin("mine", example(), preamble="")
    offered = tensorproof("check", "mine", "--op=softmax", "--check=forward", "--check=purity", "-n0", path=folder)
    assert offered.code == 0, offered.text
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
