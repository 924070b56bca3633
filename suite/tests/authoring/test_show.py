"""The specification in the terminal: names, signatures and pages."""

import pytest

from tensorproof.authoring.show import text_of
from tensorproof.errors import UsageError
from tensorproof_reference.catalogue import all_operations


def test_a_page_has_formula_signature_and_samples_and_no_links():
    text = text_of("softmax")
    assert "softmax(x, *, axis=-1)" in text
    assert "`y_k = e^{x_k} / \\sum_j e^{x_j}`" in text
    assert "`plain_rows`" in text
    assert "](" not in text
    assert "<!--" not in text


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_cnn_training", "mnist_cnn_fitting"])
def test_what_is_made_of_a_model_has_the_model_s_page(name):
    assert text_of(name).startswith("# mnist_cnn\n")


def test_a_name_that_is_none_is_told_with_its_like():
    with pytest.raises(UsageError, match=r"did you mean softmax\?.*tensorproof list --names"):
        text_of("sofmax")


def test_names_and_signatures_are_listed(tensorproof):
    assert tensorproof("list", "--names").text.split() == list(all_operations())
    assert tensorproof("list", "--signatures", "--op=lstm", "--op=relu").text.splitlines() == [
        "lstm(x, parameters, hidden=None, cell=None, *, return_sequences=True)",
        "relu(x)",
    ]
