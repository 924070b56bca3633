"""Programs that a killed process has left half written: Inductor would load them (``docs/findings.md``)."""

import functools
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

BUILDING = "_CxxBuild"
"""How the name of the folder ends that is beside a program while it is built."""
WRITTEN = (".so", ".o")


@functools.cache
def delete_unfinished(folder: Path) -> list[str]:
    """Delete, from Inductor's folder, programs whose building has begun and not ended, unless a process builds them now.

    Once in a process; the names of what was deleted.
    """
    deleted = []
    for building in folder.glob(f"*/*{BUILDING}"):
        name = building.name.removesuffix(BUILDING)
        try:
            with FileLock(folder / "locks" / f"{name.partition('.')[0]}.lock", timeout=0):
                programs = [building.with_name(name + ending) for ending in WRITTEN]
                deleted += [program.name for program in programs if program.exists()]
                for program in programs:
                    program.unlink(missing_ok=True)
                shutil.rmtree(building, ignore_errors=True)
        except Timeout:
            continue
    return deleted
