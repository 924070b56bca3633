"""Which files a backend's framework was loaded from, and what kind of place that is."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorproof.backend import Backend

CURRENT_FOLDER = "the current folder"
PLACES = (CURRENT_FOLDER, "another folder", "the base interpreter", "its environment")
"""Kinds of places, from the one to be told first. A record names no folder."""


def framework_files(backend: Backend) -> dict[str, str]:
    """The file of each module that the backend gives a version of, links resolved; that of the plugin if there is none."""
    named = {name: sys.modules.get(name.replace("-", "_")) for name in backend.versions()}
    files = {name: getattr(module, "__file__", None) for name, module in named.items()}
    found = {name: str(Path(file).resolve()) for name, file in files.items() if file}
    if found:
        return found
    plugin = sys.modules[type(backend).__module__]
    return {plugin.__name__: str(Path(str(plugin.__file__)).resolve())}


def place_of(files: Mapping[str, str], here: Path, environment: Path, base: Path) -> str:
    """The kind of place of some files: the one of ``PLACES`` that is to be told first."""
    kinds = [_place(Path(file), here, environment, base) for file in files.values()]
    return min(kinds, key=PLACES.index)


def _place(file: Path, here: Path, environment: Path, base: Path) -> str:
    def under(folders: Iterable[Path]) -> bool:
        return any(file.is_relative_to(folder.resolve()) for folder in folders)

    if under([environment]):
        return "its environment"
    if under([base]):
        return "the base interpreter"
    return CURRENT_FOLDER if under([here]) else "another folder"


def loaded(backend: Backend) -> dict[str, object]:
    """Files by module and the kind of place, for a worker's first answer."""
    files = framework_files(backend)
    return {"files": files, "place": place_of(files, Path.cwd(), Path(sys.prefix), Path(sys.base_prefix))}
