"""What a history keeps beside its nights: old environments, built again from the pins of a night, until no unsettled change needs
them; and the programs that tonight's packages have compiled, until these change."""

import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tensorproof.nightly.packages import Environment, checked_pins, digest_of, interpreter, python_of
from tensorproof.nightly.processes import Runner

FOLDER = "environments"
COMPILED = "compiled"
DIGEST = re.compile(r"[0-9a-f]{12}")
COMPLETE = "complete"
"""The file that says that an environment was built to its end."""


@dataclass(frozen=True)
class NotBuilt(Exception):
    """Why an old environment cannot be built."""

    reason: str


def _nothing() -> tuple[int, int]:
    return 0, 0


def compiled_programs(history: Path, stage: str, environments: Iterable[Environment], machine: Mapping[str, Any]) -> Path:
    """The folder for what a stage of a night compiles, which has one for each backend.

    One that another build of its packages has filled, or another machine, is emptied.
    """
    folder = history / COMPILED / stage
    for environment in environments:
        made_by = folder / f"{environment.backend}.txt"
        digest = digest_of("\n".join([json.dumps(machine, sort_keys=True), environment.text, environment.build]))
        if not (made_by.is_file() and made_by.read_bytes() == digest.encode()):
            shutil.rmtree(folder / environment.backend, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            made_by.write_bytes(digest.encode())
    return folder


def rebuild(history: Path, old: str, current: Environment, runner: Runner, log: Path) -> Path:
    """The folder of an environment with the pins ``old``, built if it is not there yet.

    tensorproof and its plugins are taken from where ``current`` has them.

    Raises:
        NotBuilt: the pins are no pins, another Python is needed, or pip cannot install them.
    """
    folder = history / FOLDER / digest_of(old)
    if (folder / COMPLETE).is_file() and interpreter(folder):
        return folder
    try:
        requirements = checked_pins(old)
    except ValueError as error:
        raise NotBuilt(f"the night's list of packages is not one of exact versions: {error}") from None
    needed, has = (".".join(python_of(text).split(".")[:2]) for text in (old, current.text))
    if needed != has:
        raise NotBuilt(f"it needs Python {needed or '?'}, and the environment of tonight has {has or '?'}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted = folder.parent / f"{folder.name}.txt"
    wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    title = f"{current.backend}: building the packages {folder.name}"
    if runner([current.base_python, "-m", "venv", str(folder)], log, title, _nothing):
        raise NotBuilt("python -m venv failed")
    python = interpreter(folder)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if runner([*pip, "-r", str(wanted)], log, title, _nothing):
        raise NotBuilt("pip could not install its packages; a version may be gone from the index")
    for url, editable in current.folders:
        if runner([*pip, *(["-e"] if editable else []), _path_of(url)], log, title, _nothing):
            raise NotBuilt("pip could not install tensorproof into it")
    (folder / COMPLETE).touch()
    return folder


def _path_of(url: str) -> str:
    path = unquote(urlsplit(url).path)
    return path.lstrip("/") if os.name == "nt" else path


def prune(history: Path, needed: Collection[str]) -> list[str]:
    """Remove the environments that no unsettled change needs; their digests. The pins stay in the nights."""
    folder = history / FOLDER
    if not folder.is_dir():
        return []
    gone = []
    for path in sorted(folder.iterdir()):
        if DIGEST.fullmatch(path.name) and path.is_dir() and path.name not in needed:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".txt").unlink(missing_ok=True)
            gone.append(path.name)
    return gone
