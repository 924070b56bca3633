"""Whether a planted fault is caught, and what the record then says."""

from dataclasses import dataclass

from timing_faults.catalogue import Planted
from timing_faults.harness import Bench, Line, doubts

BESIDE = ("failing eager", "failing steady")
"""What a failing contender is timed between."""
HANGING_SECONDS = 1.5


@dataclass
class Catch:
    """What became of a fault."""

    caught: bool
    says: str
    timings: dict[str, Line]


def answer(planted: Planted, timings: dict[str, Line], duels: list[Line]) -> tuple[bool, str]:
    """Whether the lines of a record say what they must."""
    kind, _, name = planted.caught_by.partition(":")
    line = timings[planted.contender]
    if kind == "status":
        return line["status"] == name, line["message"]
    if line["status"] != "measured":
        return False, line["message"]
    if kind == "trust":
        told = line["trust"][name]
        return told["ok"] is False, told["message"]
    if kind == "duel":
        (duel,) = (item for item in duels if item["contender"] == planted.contender)
        return duel["verdict"] == name, f"{duel['verdict']}: {duel['ratio']:.3f} [{duel['low']:.3f}, {duel['high']:.3f}]"
    return not doubts(line), f"in doubt: {', '.join(doubts(line))}" if doubts(line) else "measured, and nothing in doubt"


def caught(planted: Planted, bench: Bench) -> Catch:
    """Time a faulty contender beside one that is right."""
    contenders = dict.fromkeys([planted.reference, planted.contender])
    if planted.contender.split()[0] != planted.reference.split()[0]:
        contenders.pop(planted.reference)
    timings, duels = bench.measure(list(contenders), planted.operation, planted.direction)
    found, says = answer(planted, timings, duels)
    return Catch(found and planted.says in says, says, timings)


def survived(planted: Planted, bench: Bench) -> Catch:
    """Time a failing contender between two that are right, and then these again."""
    first, last = BESIDE
    seconds = HANGING_SECONDS if "hangs" in planted.contender else 60.0
    timings, duels = bench.measure([first, planted.contender, last], planted.operation, seconds=seconds)
    after, _ = bench.measure(list(BESIDE), planted.operation)
    found, says = answer(planted, timings, duels)
    others = [timings[name] for name in BESIDE] + list(after.values())
    unharmed = all(line["status"] == "measured" for line in others)
    return Catch(found and planted.says in says and unharmed, says, timings)
