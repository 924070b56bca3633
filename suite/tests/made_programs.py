"""What tests make programs of."""

from collections.abc import Collection
from dataclasses import replace

from small_operations import KNOWN

from tensorproof.contract.strides import MEMORIES
from tensorproof.programs.building import Material
from tensorproof.programs.function import NUMBERED
from tensorproof.programs.sources.rows import ROWS
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import STORED


def material(dtype: str = "float32", seed: int = 0, available: Collection[str] = frozenset(ROWS)) -> Material:
    """All operations that programs are drawn from, numbers wherever a backend may take them."""
    return Material(KNOWN, available, dtype, seed, NUMBERED)


def strided_material(dtype: str = "float32", seed: int = 0) -> Material:
    """Inputs that lie in memory in all ways besides."""
    return replace(material(dtype, seed), memories=tuple(MEMORIES))


def stored_material(dtype: str = "float32", seed: int = 0) -> Material:
    """Casts to 8 bits, and no others."""
    return replace(material(dtype, seed, frozenset((*ROWS, "cast"))), stored=tuple(STORED))


def mixed_material(dtype: str = "float32", seed: int = 0) -> Material:
    """Casts to all dtypes besides."""
    return replace(material(dtype, seed, frozenset((*ROWS, "cast", "mixed_matmul"))), dtypes=DTYPES)
