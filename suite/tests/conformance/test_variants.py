"""Variants of modes: outside of the default scope, and judged, declared and proved to be compiled as modes are."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Fault
from plain_options import plan_of
from small_backend import Program, SmallBackend
from small_operations import KNOWN

from tensorproof.conformance.checks import Result, run_check
from tensorproof.conformance.findings import Session
from tensorproof.conformance.selection.cases import Declared
from tensorproof.conformance.selection.plan import Plan
from tensorproof.contract.declarations import Declaration
from tensorproof.contract.description import describe, described, on_declared_device, with_variants
from tensorproof.errors import UsageError
from tensorproof_reference import trees

VARIANT = "compiled:other"


class Varied(SmallBackend):
    """The small framework with a variant of its compiler."""

    variants = {VARIANT: "spread"}


class LeftOut(Varied):
    """A variant that compiles nothing, in silence."""

    def prepared(self, function: Any, mode: str) -> Any:
        return function if mode in ("eager", VARIANT) else Program(self, function)


class Copying(Varied):
    """A variant whose results are copies."""

    said = False
    """Whether it says that its arguments are copies."""

    def forward(self, function: Any, mode: str) -> Any:
        return self.copied(super().forward(function, mode), mode)

    def value_and_vjp(self, function: Any, mode: str) -> Any:
        return self.copied(super().value_and_vjp(function, mode), mode)

    def copied(self, run: Any, mode: str) -> Any:
        """A run whose results are copies."""
        if mode != VARIANT:
            return run

        def copy(path: str, value: Any) -> Any:
            return replace(value, array=value.array.copy())

        return lambda *arrays: tuple(trees.replace_leaves(part, copy) for part in run(*arrays))

    def copies_arguments(self, mode: str) -> bool:
        return self.said and mode == VARIANT


class CopyingBatch(Copying):
    """One whose arguments are copies, and which says so."""

    said = True


def planned(backend: SmallBackend, **changes: Any) -> Plan:
    return plan_of(describe(backend, None), KNOWN, **changes)


def results_of(plan: Plan, backend: SmallBackend, mode: str) -> list[Result]:
    """The results of a plan's checks in a mode."""
    session = Session(backend, "cpu", KNOWN, plan.declared, 0)
    return [run_check(session, case) for case in plan.cases if case.mode == mode]


def test_the_default_scope_and_the_quick_set_are_the_same_with_variants_and_without():
    for changes in ({}, {"quick": True}):
        with_them, without = planned(Varied(), **changes), planned(SmallBackend(), **changes)
        assert with_them.cases == without.cases
        assert with_them.left_out == without.left_out
        assert with_them.description.modes == without.description.modes


def test_a_variant_runs_if_it_is_asked_for_by_name_and_in_thorough_runs():
    asked = planned(Varied(), mode=[VARIANT])
    assert {case.mode for case in asked.cases} == {VARIANT}
    assert [*asked.description.modes] == ["eager", "compiled", VARIANT]
    thorough = planned(Varied(), thorough=True, op=["tanh"])
    keys = {
        mode: [case.key.replace(f"{mode}-", "") for case in thorough.cases if case.mode == mode] for mode in ("compiled", VARIANT)
    }
    assert keys["compiled"] == keys[VARIANT]
    both = planned(Varied(), mode=["eager", VARIANT], op=["tanh"])
    assert {case.mode for case in both.cases} == {"eager", VARIANT}


def test_a_quick_run_of_a_variant_is_that_of_a_compiled_mode():
    compiled, variant = (planned(Varied(), quick=True, mode=[mode]) for mode in ("compiled", VARIANT))
    rows = [[(case.operation, case.sample, case.dtype, case.check) for case in plan.cases] for plan in (compiled, variant)]
    assert rows[1]
    # The variant runs a spread of samples, the mode all.
    assert set(rows[1]) <= set(rows[0])


def test_nothing_of_a_variant_is_required():
    plan = planned(Varied(), thorough=True, op=["softmax"])
    assert {case.required for case in plan.cases if case.mode == VARIANT} == {False}
    assert any(case.required for case in plan.cases if case.mode == "compiled")


def test_no_mode_of_another_name_is_run():
    with pytest.raises(UsageError, match=r"--mode: nothing is called 'compiled:othr' \(did you mean compiled:other\?\)"):
        planned(Varied(), mode=["compiled:othr"])


def test_a_wrong_value_of_a_variant_is_noticed_there_and_nowhere_else():
    wrong = Fault(name="off", operation="tanh", group="plain", mode=VARIANT, function=lambda x: np.tanh(x) * 1.001)
    plan = planned(Varied(), mode=["eager", "compiled", VARIANT], op=["tanh"], check=["forward"])
    statuses = {mode: {item.status for item in results_of(plan, Varied(wrong), mode)} for mode in ("eager", "compiled", VARIANT)}
    assert statuses == {"eager": {"passed"}, "compiled": {"passed"}, VARIANT: {"failed"}}


def test_a_wrong_gradient_of_a_variant_is_noticed():
    wrong = Fault(name="off", operation="tanh", group="plain", mode=VARIANT, vjp=lambda dy, x: {"x": dy})
    plan = planned(Varied(), mode=[VARIANT], op=["tanh"], check=["gradient"])
    assert "failed" in {item.status for item in results_of(plan, Varied(wrong), VARIANT)}


def test_a_variant_that_compiles_nothing_fell_back_and_its_mode_did_not():
    plan = planned(LeftOut(), mode=["compiled", VARIANT], op=["tanh"], check=["forward"])
    backend = LeftOut()
    assert {item.status for item in results_of(plan, backend, "compiled")} == {"passed"}
    found = results_of(plan, backend, VARIANT)
    assert {item.status for item in found} == {"fell_back"}
    assert found[0].message.endswith(f"ran eagerly in mode {VARIANT}: nothing was compiled")


@pytest.mark.parametrize(("backend", "status"), [(Copying(), "failed"), (CopyingBatch(), "passed")])
def test_results_that_share_no_memory_are_wrong_unless_the_mode_copies_its_arguments(backend, status):
    plan = planned(backend, mode=[VARIANT], op=["flatten"], check=["purity"], sample=["plain_images"])
    assert {item.status for item in results_of(plan, backend, VARIANT)} == {status}


@pytest.mark.parametrize(
    ("declared", "modes"),
    [
        ({"mode": "compiled"}, {"compiled"}),
        ({"mode": VARIANT}, {VARIANT}),
        ({"mode": ["compiled", VARIANT]}, {"compiled", VARIANT}),
        ({}, {"eager", "compiled", VARIANT}),
    ],
)
def test_a_declaration_of_a_mode_says_nothing_of_its_variants(declared, modes):
    description = with_variants(describe(Varied(), None), (), thorough=True)
    table = {"operation": "tanh", "explanation": "made up", **declared}
    found = Declared([Declaration("known_failure", table, "made up")], description, KNOWN, 0)
    plan = planned(Varied(), thorough=True, op=["tanh"], check=["forward"])
    assert {case.mode for case in plan.cases if found.first("known_failure", case)} == modes


def test_declarations_may_name_variants_and_are_idle_only_where_these_run(tmp_path: Path):
    path = tmp_path / "declared.toml"
    path.write_text(
        f'[[known_failure]]\noperation = "tanh"\nmode = "{VARIANT}"\nsample = "size_large"\nexplanation = "made up"\n'
    )
    description = replace(describe(Varied(), None), declarations=str(path))
    assert plan_of(description, KNOWN, op=["tanh"]).declarations
    path.write_text(f'[[known_failure]]\noperation = "tanh"\nmode = "{VARIANT}"\ncheck = "randomness"\nexplanation = "made up"\n')
    assert not plan_of(description, KNOWN, op=["tanh"]).idle
    assert plan_of(description, KNOWN, op=["tanh"], mode=[VARIANT]).idle


@pytest.mark.parametrize(
    ("table", "modes", "variants"),
    [
        ({}, ["eager", "compiled"], [VARIANT]),
        ({"modes": ["eager"]}, ["eager"], []),
        ({"modes": ["compiled", VARIANT]}, ["compiled"], [VARIANT]),
    ],
)
def test_a_declared_device_has_the_variants_that_it_names(table, modes, variants):
    declaration = Declaration("device", {"name": "cpu", **table}, "made up")
    found = on_declared_device(describe(Varied(), None), [declaration])
    assert ([*found.modes], [*found.variants]) == (modes, variants)


def test_modes_are_asked_for_by_name_and_variants_only_so():
    description = describe(Varied(), None)
    assert description.modes_asked(()) == ["eager", "compiled"]
    assert description.modes_asked([VARIANT, "eager"]) == ["eager", VARIANT]
    assert description.modes_asked(["jit"]) == []


def test_a_description_comes_back_with_its_variants():
    assert described(asdict(describe(Varied(), None))).variants == {VARIANT: "spread"}
