"""A failing case of TensorFlow becomes a script that needs TensorFlow and NumPy only, and shows the same wrong number."""

from dumped_scripts import dumped, require_plain_sources, shows_the_same

from tensorproof_tensorflow import TensorFlowBackend


def test_a_known_failure_is_shown_in_every_mode(tmp_path):
    sample = ("--op=gelu", "--sample=magnitude_tanh_gradient_huge", "--dtype=bfloat16", "--check=gradient")
    modes = [*TensorFlowBackend.modes, *TensorFlowBackend.variants]
    scripts = dumped(tmp_path, "tensorflow", *sample, *(f"--mode={mode}" for mode in modes))
    assert {line["mode"] for line in scripts.values()} == {*modes}
    for script, line in scripts.items():
        shows_the_same(script, line)


def test_every_operation_is_written_out_without_this_project():
    require_plain_sources(TensorFlowBackend())
