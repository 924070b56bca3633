"""The check of the adapter: arrays of a dtype go to the framework and back, and come back as they were.

Every other check needs this. It is one check for each dtype, and runs before the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Backend, Native, Unsupported, numpy_dtype
from tensorproof.conformance.execution import is_out_of_memory
from tensorproof.conformance.findings import Finding, Session
from tensorproof.conformance.selection.cases import ADAPTER, Case
from tensorproof.contract.strides import in_memory
from tensorproof_reference.rounding import HELD, format_of, round_to

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "arrays": ((7,), (2, 3), (3, 4, 5), (2, 3, 4, 5), (2, 1, 3, 2, 4)),
    "scalars": ((),),
    "axes of length 1": ((1,), (1, 1), (3, 1)),
    "empty arrays": ((0,), (2, 0, 3)),
}
"""Shapes by kind. No two axes longer than 1 of one shape are alike next to each other, so that exchanged ones show."""

STRIDED: dict[str, str] = {"transposed arrays": "transposed", "sliced arrays": "sliced"}
"""Kinds of strides, as ``Sample.memory`` names them."""

SPECIAL = "special values"


@dataclass(frozen=True)
class Sent:
    """An array that goes to the framework."""

    kind: str
    """A key of ``SHAPES`` or ``STRIDED``, or ``SPECIAL``."""
    array: NDArray[Any]
    """As ``Backend.from_numpy`` takes it."""


def _numbers(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of as many digits as the dtype has, of both signs, none like its neighbours."""
    count = np.arange(int(np.prod(shape)), dtype=np.float64)
    if dtype == "bool":
        return np.asarray((count % 3 == 1).reshape(shape))
    if dtype not in HELD:
        low, high = (-(2**30), 2**30 - 1) if dtype in ("int64", "int32") else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        # Beyond 2**24 no float32 holds every integer; within 2**31 frameworks of 32 bits do.
        return ((count + 1) * 36_912_345 % (high - low + 1) + low).astype(dtype).reshape(shape)
    thirds = (np.where(count % 2, -1.0, 1.0) * (count + 1.0) / 3.0).reshape(shape)
    return np.asarray(round_to(thirds, dtype)).astype(numpy_dtype(dtype))


def _special(dtype: str) -> NDArray[Any]:
    """Zeros of both signs, NaN, infinities, the largest and the smallest normal number, and neighbours of 1."""
    chosen = format_of(dtype)
    step = 2.0 ** (1 - chosen.bits)
    numbers = [0.0, -0.0, np.nan, chosen.fmax, -chosen.fmax, chosen.smallest_normal, 1.0 + step, 1.0 - step / 2]
    infinities = [] if np.isnan(round_to(np.inf, dtype)) else [np.inf, -np.inf]
    return np.asarray([*numbers, *infinities], np.float64).astype(numpy_dtype(dtype))


def sent_arrays(dtype: str) -> Iterator[Sent]:
    """All arrays of a dtype."""
    for kind, shapes in SHAPES.items():
        for shape in shapes:
            yield Sent(kind, _numbers(dtype, shape))
    for shape in SHAPES["arrays"]:
        # Another array of the same shape, in case that arrays share their memory.
        yield Sent("arrays", np.flip(_numbers(dtype, shape)).copy())
    for kind, memory in STRIDED.items():
        for shape in SHAPES["arrays"][1:]:
            yield Sent(kind, in_memory(_numbers(dtype, shape), memory))
    if dtype in HELD:
        yield Sent(SPECIAL, _special(dtype))


def _difference(sent: NDArray[Any], back: NDArray[Any]) -> str:
    """How an array that came back differs from the one that was sent, or nothing."""
    if back.shape != sent.shape:
        return f"came back in shape {back.shape}"
    if back.dtype.kind != sent.dtype.kind and not (back.dtype.kind == "u" and sent.dtype.kind == "i"):
        return f"came back as {back.dtype}"
    got, expected = back.astype(sent.dtype), sent
    same = (got == expected) | ((got != got) & (expected != expected))
    if sent.dtype.kind == "f":
        same &= (np.signbit(got) == np.signbit(expected)) | np.isnan(expected)
        # What comes back in more digits than were sent is another number, too.
        same &= (back.astype(np.float64) == expected) | np.isnan(expected)
    if same.all():
        return ""
    index = tuple(int(place) for place in np.argwhere(~same)[0])
    return (
        f"came back with {back[index]} at {list(index)}, where {sent[index]} was sent; {np.count_nonzero(~same)} of {same.size}"
    )


def _named(sent: str, got: str) -> str:
    """What is wrong with the name of a dtype; integers may be of any width."""
    if got == sent or (sent == "int64" and got in ("int32", "uint32")):
        return ""
    return f"dtype_of says {got}, not {sent}"


@dataclass
class _Sending:
    """One array on the framework's side, to be looked at again after the others."""

    sent: Sent
    copy: NDArray[Any]
    value: Native


def _round_trip(backend: Backend, device: str, dtype: str, sent: Sent) -> tuple[str, str, Native]:
    """The kind of difference, the difference in words, and the framework's array."""
    given = sent.array.copy() if sent.kind not in STRIDED else in_memory(sent.array, STRIDED[sent.kind])
    value = backend.from_numpy(given, dtype, device)
    name = _named(dtype, backend.dtype_of(value))
    if name:
        return "dtype", name, value
    place = backend.device_of(value)
    if place is not None and place != device:
        return "device", f"device_of says {place}, not {device}", value
    return sent.kind, _difference(sent.array, np.asarray(backend.to_numpy(value))), value


def check_adapter(session: Session, case: Case) -> list[Finding]:
    """Arrays of every shape, with every stride, keep shape, dtype, device and values on their way to the framework and back."""
    backend, dtype = session.backend, case.dtype
    wrong: dict[str, str] = {}
    kinds: dict[str, None] = {"dtype": None, "device": None}
    sendings: list[_Sending] = []
    for sent in sent_arrays(dtype):
        kinds[sent.kind] = None
        try:
            kind, text, value = _round_trip(backend, case.device, dtype, sent)
        except Unsupported:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            kind, text = sent.kind, f"{type(error).__name__}: {error}".splitlines()[0][:200]
        else:
            if not text:
                sendings.append(_Sending(sent, sent.array.copy(), value))
        if text:
            wrong.setdefault(kind, f"{sent.array.dtype} {sent.array.shape}: {text}")
    for sending in sendings:
        text = _difference(sending.copy, np.asarray(backend.to_numpy(sending.value)))
        if text and sending.sent.kind not in wrong:
            wrong[sending.sent.kind] = f"{sending.copy.dtype} {sending.copy.shape}: after other arrays, {text}"
    summary = Finding("passed", f"{ADAPTER} {dtype}: arrays come back as they were sent")
    return [summary, *(_finding(dtype, kind, wrong.get(kind, "")) for kind in kinds)]


def _finding(dtype: str, kind: str, text: str) -> Finding:
    line = f"{ADAPTER} {dtype} {kind}: {text or 'as they were sent'}"
    outcome = "failed" if text else "passed"
    record = {"output": kind, "outcome": outcome, "line": line, "reason": ADAPTER, "largest_z": None, "rms_z": None}
    return Finding(outcome, line, record)
