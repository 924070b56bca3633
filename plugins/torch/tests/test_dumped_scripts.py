"""A failing case of PyTorch becomes a script that needs PyTorch and NumPy only, and shows the same wrong number."""

import pytest
from dumped_scripts import dumped, require_plain_sources, shows_the_same

from tensorproof_torch import TorchBackend


@pytest.mark.parametrize("mode", [*TorchBackend.modes, *TorchBackend.variants])
def test_a_known_failure_is_shown_in_every_mode(tmp_path, mode):
    sample = ("--op=gelu", "--sample=magnitude_tanh_gradient_huge", "--dtype=bfloat16", "--check=gradient")
    ((script, line),) = dumped(tmp_path, "torch", *sample, f"--mode={mode}").items()
    assert line["mode"] == mode
    shows_the_same(script, line)


def test_every_operation_is_written_out_without_this_project():
    require_plain_sources(TorchBackend())
