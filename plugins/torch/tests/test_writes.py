"""Programs that write over values, on PyTorch: a part of a transposed view, and the sum that it is a view of."""

import pytest

from tensorproof.contract.backends import load, specification
from tensorproof.programs.building import Material
from tensorproof.programs.judging import Subject
from tensorproof.programs.sources.memory.writes import written_compositions
from tensorproof.programs.sources.rows import ROWS

pytest.importorskip("tensorproof_torch")
# Of PyTorch's own, as Inductor is imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


@pytest.mark.parametrize("mode", ["eager", "compile", "export", "vmap"])
def test_a_part_of_a_view_is_written_over_and_the_whole_is_read(mode):
    backend = load("torch")
    subject = Subject(backend, "cpu", specification())
    programs = dict(written_compositions(Material(specification(), ROWS, "float32", 0, writes=True)))
    verdict = subject.verdict(programs["sum, transposed_and_cropped, plus_one"], mode)
    assert verdict.status == "passed", verdict.message
    labels = {item["label"] for item in verdict.judgements}
    assert "d_v0" in labels
