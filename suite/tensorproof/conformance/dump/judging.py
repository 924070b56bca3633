"""The end of a script: it runs the call, and judges what comes out as the verdict did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.verdict import LARGEST_RMS_Z, LARGEST_Z, LEAST_ELEMENTS_FOR_RMS
from tensorproof_reference.rounding import HELD, format_of


@dataclass(frozen=True)
class Judged:
    """One output or gradient that a script judges."""

    name: str
    """``y``, ``parameters.0``, ``d_x``."""
    got: str
    """The framework's array as an expression."""
    expected: NDArray[Any]
    """In the backend's layout, as is the bar."""
    bar: NDArray[Any]
    index: tuple[int, ...] | None
    """The worst index in the backend's layout; ``None``: the script looks for it."""
    held: str
    """The dtype whose numbers are expected."""
    dtype: str
    """What its dtype must be; empty if any will do."""


def _is_near_overflow(item: Judged) -> bool:
    """Whether a rule about overflow may decide: integers have none."""
    return item.held in HELD and bool(np.any(np.abs(item.expected) + LARGEST_Z * item.bar > format_of(item.held).fmax))


def judging_lines(items: Sequence[Judged], sign_of_zero: bool) -> list[str]:
    """Statements that print the worst element of each output, and exit with 1 if one is wrong, else with 0.

    They are the rules of ``verdict`` that these arrays can break: a rule about overflow is there only near the largest number.
    """
    digits = ".17g" if any(item.held == "float64" for item in items) else ".9g"
    listed = [f"    ({item.name!r}, {item.got}, {item.index})," for item in items]
    lines = ["", "wrong = False", "for name, value, at in (", *listed, "):"]
    for item in items:
        if item.dtype:
            lines += [
                f"    if name == {item.name!r} and not str(value.dtype).rpartition('.')[2].startswith({item.dtype!r}):",
                f'        sys.exit(f"{{name}}: {{value.dtype}}, expected {item.dtype}")',
            ]
    if any(item.index is None for item in items):
        lines += [
            '    if tuple(value.shape) != case[f"expected {name}"].shape:',
            "        sys.exit(f\"{name}: shape {tuple(value.shape)}, expected {case[f'expected {name}'].shape}\")",
        ]
    lines += [
        '    y, expected, bar = numbers(value), case[f"expected {name}"], case[f"bar {name}"]',
        "    equal = (y == expected) | (np.isnan(y) & np.isnan(expected)) | np.isinf(bar)",
    ]
    for held in dict.fromkeys(item.held for item in items if _is_near_overflow(item)):
        named = [item.name for item in items if item.held == held]
        only = "" if len(named) == len(items) else f" & (name in {named!r})"
        largest = float(format_of(held).fmax)
        near = f"(np.abs(expected) + {LARGEST_Z:g} * bar > {largest!r})"
        lines.append(f"    equal |= np.isinf(y) & (y * expected > 0) & {near}{only}")
    if sign_of_zero:
        lines.append("    equal &= (y != 0) | (np.signbit(y) == np.signbit(expected))")
    return [
        *lines,
        '    with np.errstate(all="ignore"):',
        "        bars = np.where(equal, 0.0, np.nan_to_num(np.abs(y - expected) / bar, nan=np.inf, posinf=np.inf))",
        *(["    at = at or np.unravel_index(np.argmax(bars), bars.shape)"] if any(item.index is None for item in items) else []),
        '    recorded = np.array_equal(y, case[f"output {name}"], equal_nan=True) if f"output {name}" in case else "not known"',
        f'    print(f"{{name}}: got {{y[at]:{digits}}}, expected {{expected[at]:{digits}}} ± {{bar[at]:.2g}}, {{bars[at]:.2g}}"',
        '          f" bars at {[int(i) for i in at]}; as recorded: {recorded}")',
        f"    wrong |= bool(bars.max() > {LARGEST_Z:g} or (bars.size >= {LEAST_ELEMENTS_FOR_RMS} and "
        f"np.mean(bars**2) > {LARGEST_RMS_Z**2:g}))",
        "sys.exit(wrong)",
    ]


def raising_lines(run: Sequence[str]) -> list[str]:
    """Statements that run what must raise an exception, and exit with 0 if it does."""
    return [
        "",
        "try:",
        *(f"    {line}" for line in run),
        "    values = [numbers(value) for value in (*outputs, *others)]",
        "except Exception as error:",
        '    print(f"raised {type(error).__name__}, as it should")',
        "    sys.exit(0)",
        'print("expected an error, got", *values)',
        "sys.exit(1)",
    ]


def index_in_layout(position: Sequence[int] | None, shape: tuple[int, ...], laid: Any) -> tuple[int, ...] | None:
    """Where an element of the reference's array lies in the backend's; ``laid`` takes an array from one to the other."""
    if position is None:
        return None
    places = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    found = np.argwhere(laid(places) == places[tuple(position)])
    return tuple(int(number) for number in found[0])


def stored(values: NDArray[Any], sliced: bool) -> NDArray[Any]:
    """An array as it is kept in a file: of a slice, the array that it is a slice of, so that its strides come back."""
    return values.base if sliced and values.ndim and values.base is not None else values


def arrays_lines(group: str, arrays: Mapping[str, tuple[NDArray[Any], str]], key: str, sliced: bool) -> list[str]:
    """The statement that makes a tuple of framework arrays out of the file's."""
    made = []
    for path, (values, dtype) in arrays.items():
        view = "[..., 1::2]" if stored(values, sliced) is not values else ""
        made.append(f'array(case["{key} {path}"]{view}, "{dtype}"),')
    if len(made) > 1:
        return [f"{group} = (", *(f"    {item}" for item in made), ")"]
    return [f"{group} = ({''.join(made)})"]
