"""What a plugin declares, as programs are judged by it: operations and programs that are known to fail, and precisions."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tensorproof.conformance.selection.cases import Declared
from tensorproof.contract.declarations import Declaration, Situation, matches
from tensorproof.programs.dtypes import CAST, NAMED, Arithmetic, computed_in, dtypes_of, result_dtype
from tensorproof.programs.evaluation import Conventions
from tensorproof.programs.program import Node, Program, is_known_as
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.operation import Operation
from tensorproof_reference.rounding import HELD
from tensorproof_reference.stream import Stream


class Known:
    """The declarations that are in force for a backend on a device."""

    def __init__(
        self, declared: Declared | None, specification: Mapping[str, Operation], conventions: Conventions, device: str
    ) -> None:
        self.declared = declared
        self.specification = specification
        self.conventions = conventions
        self.device = device
        self._named_dtypes: dict[str, Mapping[str, str]] = {}

    def declarations_of(self, program: Program, mode: str, kinds: tuple[str, ...]) -> list[tuple[str, Declaration]]:
        """The declarations of some kinds that speak of an operation of the program, in any of its samples; each with the dtype
        that the operation is computed in there.
        """
        if self.declared is None:
            return []
        dtypes = dtypes_of(program, self.specification)
        found = []
        for number, node in enumerate(program.nodes, start=len(program.inputs)):
            calls = [(node, computed_in(node, number, dtypes))]
            if node.operation == CAST and {dtypes[node.numbers[0]], dtypes[number]} <= set(HELD):
                # The gradient is cast the other way.
                calls.append((replace(node, keywords=(("dtype", dtypes[node.numbers[0]]),)), dtypes[number]))
            found += [
                (dtype, item)
                for kind in kinds
                for item in self.declared.of_kind(kind)
                for call, dtype in calls
                if self._speaks(item, call, dtype, mode)
            ]
        return found

    def _speaks(self, item: Declaration, node: Node, dtype: str, mode: str) -> bool:
        """Whether a declaration speaks of a call in a dtype, in any of its samples; of a cast, in one to the same dtype."""
        named = _all_of(item.table.get("sample", []))
        if node.operation in NAMED and named:
            to = result_dtype(node, (), self.specification, "")
            if all(self._cast_to(node.operation).get(sample) != to for sample in named):
                return False
        situation = Situation(
            node.operation,
            _one_of(item.table.get("sample", "")),
            dtype,
            mode,
            self.device,
            _one_of(item.table.get("check", "forward")),
            {**self.conventions.get(node.operation, {}), **dict(node.keywords)},
            frozenset(name for name, _ in node.operands),
        )
        return "operation" in item.table and matches(item, situation)

    def _cast_to(self, operation: str) -> Mapping[str, str]:
        """The dtype of the result by name of a sample, of an operation that names it."""
        if operation not in self._named_dtypes:
            samples = self.specification[operation].samples(Stream(0))
            found = {item.name: str(item.keywords.get("dtype", NAMED[operation])) for item in samples}
            self._named_dtypes[operation] = found
        return self._named_dtypes[operation]

    def _wide_casts(self, program: Program, mode: str) -> frozenset[tuple[str, str]]:
        """The casts, from a dtype to another, that are declared to keep digits now and then; none where a program has no cast."""
        if self.declared is None or all(node.operation != CAST for node in program.nodes):
            return frozenset()
        wide = [item for item in self.declared.of_kind("precision") if item.table.get("casts") == "wide"]
        return frozenset(
            (before, after)
            for before, after in itertools.permutations(HELD, 2)
            if any(self._speaks(item, Node(CAST, (("x", 0),), (("dtype", after),)), before, mode) for item in wide)
        )

    def why(self, program: Program, mode: str) -> str:
        """Why a program that failed is known to fail, by a declaration of its very calls; empty if there is none."""
        for dtype in sorted({given.dtype for given in program.inputs}):
            for item in self.programs(dtype, mode):
                if any(is_known_as(program, text) for text in _all_of(item.table["program"])):
                    return item.text
        return ""

    def programs(self, dtype: str, mode: str) -> list[Declaration]:
        """The declarations of programs that are in force in a dtype and a mode on this device."""
        about = {"dtype": dtype, "mode": mode, "device": self.device}
        declared = self.declared.of_kind("known_program") if self.declared is not None else []
        return [item for item in declared if all(value in _all_of(item.table.get(key, value)) for key, value in about.items())]

    def arithmetic(self, program: Program, mode: str) -> Arithmetic:
        """What the program is held to: in each dtype the least precise that is declared of one of its operations there."""
        declared = self.declarations_of(program, mode, ("precision",))
        precisions = {}
        for dtype in HELD:
            tables = [item.table for computed, item in declared if computed == dtype]
            bits = min((table.get("matmul_input_bits", 24) for table in tables), default=24)
            same = any(table.get("accumulate") == "same" for table in tables)
            precisions[dtype] = precision_of(dtype, matmul_input_bits=bits, accumulate="same" if same else "float32")
        return Arithmetic(precisions, self._wide_casts(program, mode))


def _all_of(names: Any) -> list[str]:
    """The names that a condition allows."""
    return names if isinstance(names, list) else [names]


def _one_of(names: Any) -> str:
    """A name that a condition allows."""
    return str(_all_of(names)[0])
