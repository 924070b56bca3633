"""Instruction sets: their names, switches that must take, and declarations that hold where they were verified."""

import json
import tomllib
from pathlib import Path

import pytest

from tensorproof.backend import Unsupported
from tensorproof.contract.declarations import Declaration, DeclarationError, in_force, read_declarations
from tensorproof.contract.description import describe_apart, switches_for
from tensorproof.errors import UsageError
from tensorproof.instructions import (
    ARM,
    X86,
    highest_here,
    name_of,
    of_onednn,
    of_xla,
    require_known,
    require_taken,
    sets_here,
    sets_in,
    xla_flags,
)
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.catalogue import known_operations, of_profile

AVX512 = frozenset(["avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"])
HERE = sets_here()
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("flags", "family", "highest"),
    [
        (frozenset(), X86, "sse2"),
        (frozenset({"avx"}), X86, "avx"),
        (AVX512, X86, "avx512"),
        (AVX512 - {"avx2"}, X86, "avx"),
        (AVX512 | {"avx512_bf16"}, X86, "avx512_bf16"),
        (AVX512 | {"avx512_bf16", "amx_tile", "amx_bf16"}, X86, "amx"),
        (frozenset({"sve"}), ARM, "sve"),
    ],
)
def test_a_processor_has_the_sets_that_its_flags_name(flags, family, highest):
    assert sets_in(flags, family)[-1] == highest


def test_the_name_of_a_set_tells_the_libraries_that_use_less():
    assert name_of({"a": "avx2", "b": "avx512"}) == "avx512 (a avx2)"
    assert name_of({"a": "off"}) == "unknown (a off)"
    assert name_of({}) == "unknown"


@pytest.mark.skipif(len(HERE) < 2, reason="this processor has no lower set")
def test_the_switches_of_kernel_libraries_are_read_back():
    lower = HERE[-2]
    assert of_xla(xla_flags(lower, "--xla_dump_to=x")) == lower
    assert of_xla("") == of_onednn("") == highest_here() == HERE[-1]


@pytest.mark.parametrize("level", [level for level in HERE if level in X86[2:]])
def test_numpy_keeps_to_each_set_of_this_processor(level, monkeypatch):
    for name, value in switches_for("numpy", level).items():
        monkeypatch.setenv(name, value)
    assert describe_apart("numpy", None).kernels == {"numpy": level, "openblas": level}


def test_the_sets_of_another_architecture_have_no_switch():
    with pytest.raises(Unsupported, match="x86-64 only"):
        NumpyBackend().instruction_switches("neon")


def test_a_set_that_the_processor_lacks_is_a_usage_error():
    with pytest.raises(UsageError, match="this processor has no 'avx3'; it has"):
        require_known("avx3")


def test_a_library_that_does_not_keep_to_a_set_is_named():
    with pytest.raises(UsageError, match="b may use avx512"):
        require_taken("mine", "avx2", {"a": "avx2", "b": "avx512", "c": "off"})


@pytest.mark.parametrize(
    ("condition", "kernels", "expected"),
    [
        ("avx512", {"k": "avx512"}, True),
        (["avx512", "avx512_bf16"], {"k": "avx512_bf16"}, True),
        ("avx512", {"k": "avx2"}, False),
        ("avx512", {"k": "avx512", "onednn": "off"}, True),
        ({"onednn": "off"}, {"k": "avx512", "onednn": "off"}, True),
        ({"onednn": {"not": "off"}}, {"onednn": "off"}, False),
        ({"onednn": ["avx512"]}, {"onednn": "avx2", "xla": "avx512"}, False),
        ({"onednn": "off"}, {"xla": "avx512"}, False),
    ],
)
def test_a_declaration_for_one_set_excuses_no_other(condition, kernels, expected):
    assert in_force(Declaration("known_failure", {"instructions": condition}, "test"), {}, kernels) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("instructions = 3", "instructions: expected a value, or not, any_of or none_of, got 3"),
        ("instructions = { onednn = { nott = 'off' } }", "expected a value, or not, any_of or none_of"),
        ("verified = [1]", "verified.0: 1 is not of type"),
    ],
)
def test_a_malformed_condition_is_named(tmp_path, line, expected):
    path = tmp_path / "d.toml"
    path.write_text(f"[[unsupported]]\nreason = 'x'\n{line}\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match=expected):
        read_declarations(path, {}, [], {})


IN_PART = {
    ("tensorflow", "extended"): {"amx", "avx512", "avx512_bf16"},
    ("jax", "extended"): {"avx2", "avx512_bf16"},
}
"""Where a profile ran on an instruction set in part only, or before samples were added: what is not verified there may just not
have been tried."""


@pytest.mark.parametrize("profile", ["core", "extended"])
@pytest.mark.parametrize("backend", ["torch", "tensorflow", "jax", "numpy"])
def test_a_shipped_declaration_that_does_not_hold_on_every_verified_set_names_its_sets(backend, profile):
    """Else a failure on one processor would excuse one on another. Each profile has its own runs."""
    path = ROOT / "plugins" / backend / f"tensorproof_{backend}" / "declarations.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = [table for kind in ("unsupported", "known_failure") for table in document.get(kind, [])]
    names = set(of_profile(known_operations(), profile))
    tables = [table for table in tables if names & set(strings(table.get("operation", sorted(names))))]
    in_part = IN_PART.get((backend, profile), set())
    everywhere = {name for table in tables for name in table.get("verified", [])} - in_part
    bound = [table for table in tables if "verified" in table and set(table["verified"]) - in_part != everywhere]
    assert [table for table in bound if "instructions" not in table] == []


def strings(value):
    return [value] if isinstance(value, str) else value


PLUGIN = """
    LEVEL = os.environ.get("MINE_LEVEL", "high")

    def relu(x):
        return np.maximum(x, 0) if LEVEL != "high" else np.where(x > 0, x * 1.5, 0)

    operations.native(relu)

    class Mine(NumpyBackend):
        name = "mine"
        operations = operations
        declarations = {declarations}

        def dtypes(self, device):
            return ("float32",)

        def instructions(self, device):
            return {{"kernels": LEVEL}}

        def instruction_switches(self, level):
            return {{"{variable}": level}}

    @hookimpl
    def tensorproof_backend():
        return Mine()
"""


def declared(tmp_path: Path, text: str) -> str:
    path = tmp_path / "d.toml"
    path.write_text(text, encoding="utf-8")
    return f"__import__('pathlib').Path({str(path)!r})"


@pytest.mark.skipif(not HERE, reason="the sets of this processor cannot be told")
def test_a_run_is_kept_to_a_set_and_its_record_and_commands_say_so(plugin, tensorproof, tmp_path):
    folder = plugin("mine", PLUGIN.format(declarations="None", variable="MINE_LEVEL"))
    wrong = tensorproof("check", "mine", "--op=relu", "--record=high.ndjson", path=folder)
    assert wrong.code == 1
    limited = tensorproof("check", "mine", "--op=relu", f"--instructions={HERE[0]}", "--record=low.ndjson", path=folder)
    assert limited.code == 0, limited.text
    header, check, *_ = [json.loads(line) for line in (tmp_path / "low.ndjson").read_text().splitlines()]
    assert header["instructions"] == {"name": HERE[0], "kernels": {"kernels": HERE[0]}, "limit": HERE[0]}
    assert f"--instructions={HERE[0]}" in check["command"]
    compared = tensorproof("compare", "high.ndjson", "low.ndjson", path=folder)
    assert compared.text.startswith(f"the records are of different instruction sets: high, then {HERE[0]}")


@pytest.mark.skipif(not HERE, reason="the sets of this processor cannot be told")
def test_a_switch_that_does_not_take_is_a_usage_error(plugin, tensorproof):
    folder = plugin("mine", PLUGIN.format(declarations="None", variable="OTHER").replace('"high")', f'"{HERE[-1]}")'))
    if len(HERE) > 1:
        refused = tensorproof("check", "mine", "--op=relu", f"--instructions={HERE[0]}", path=folder)
        assert refused.code == 4
        assert f"kernels may use {HERE[-1]}" in refused.text


@pytest.mark.skipif(not HERE, reason="the sets of this processor cannot be told")
def test_a_backend_without_a_switch_says_so(plugin, tensorproof):
    source = PLUGIN.format(declarations="None", variable="x").replace("def instruction_switches", "def other")
    folder = plugin("mine", source.replace("NumpyBackend", "Backend"))
    refused = tensorproof("check", "mine", "--op=relu", f"--instructions={HERE[0]}", path=folder)
    assert refused.code == 4
    assert "it has no switch for instruction sets" in refused.text


def test_where_it_was_never_verified_a_declaration_is_not_stale_and_failures_are_told_apart(plugin, tensorproof, tmp_path):
    text = "[[known_failure]]\noperation = 'tanh'\nexplanation = 'x'\nverified = ['low']\n"
    folder = plugin("mine", PLUGIN.format(declarations=declared(tmp_path, text), variable="MINE_LEVEL"))
    found = tensorproof("check", "mine", "--op=relu", "--op=tanh", "--strict-declarations", path=folder)
    assert "stale" not in found.text
    assert "this plugin's declarations were verified on low only, not on high" in found.text
    assert "failures in 1 operation may be new on high: relu" in found.text
    assert "--instructions=low" in found.text


def test_where_it_was_verified_a_declaration_that_passes_is_stale(plugin, tensorproof, tmp_path):
    text = "[[known_failure]]\noperation = 'tanh'\nexplanation = 'x'\nverified = ['high']\n"
    folder = plugin("mine", PLUGIN.format(declarations=declared(tmp_path, text), variable="MINE_LEVEL"))
    found = tensorproof("check", "mine", "--op=tanh", "--strict-declarations", path=folder)
    assert found.code == 1
    assert "is stale: this check passes" in found.text
