"""The packages of an environment: exact pins in a file of the night, from which the environment can be built again.

What is installed from a folder (tensorproof and its plugins in a checkout) is no pin but a comment: it is installed again from
where it is now, so that old and new packages are measured by the same tensorproof. The file names no folder of the machine.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from tensorproof.errors import UsageError, first_few
from tensorproof.lines.reading import opened
from tensorproof.nightly import list_packages

SECONDS = 120.0
"""How long an environment may take to say what is installed in it."""
HEADING = "# python "
ELSEWHERE = "# not from an index: "
"""Begins the line of a package that was installed from a URL: it is named, and cannot be installed again from the night alone."""
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!_-]+", re.ASCII)
LONGEST = 1 << 20
"""Bytes that a file of pins may have."""
UNUSED = ("pip", "setuptools", "wheel")
"""What every new environment brings in versions of its own, and no backend's speed depends on."""


@dataclass(frozen=True)
class Environment:
    """An environment as it is now."""

    backend: str
    python: Path
    """Its interpreter."""
    base_python: str
    """The interpreter that it was made with."""
    text: str
    """The pins, as the night keeps them."""
    folders: tuple[tuple[str, bool], ...] = ()
    """What is installed from folders, as ``(url, editable)``."""
    build: str = ""
    """A digest of all installed files: a build of the same version differs in it."""

    @property
    def digest(self) -> str:
        """The digest of the pins."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """The digest of a set of pins."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def interpreter(place: Path) -> Path | None:
    """The interpreter of an environment, given as its folder or as the interpreter itself."""
    candidates = [place] if place.is_file() else [place / "bin" / "python", place / "Scripts" / "python.exe"]
    return next((candidate.absolute() for candidate in candidates if candidate.is_file()), None)


def named_environments(given: Sequence[str]) -> dict[str, Path]:
    """``--env backend=place`` as a mapping.

    Raises:
        UsageError: an argument is malformed, or names a backend twice.
    """
    found: dict[str, Path] = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not (equals and place and name.isidentifier() and name.isascii() and name == name.lower()):
            raise UsageError(f"--env: expected BACKEND=ENVIRONMENT, such as torch=.tox/torch, got {text!r}")
        if name in found:
            raise UsageError(f"--env: {name} is given twice; a backend has one environment a night")
        found[name] = Path(place)
    return found


def look_into(backend: str, place: Path) -> Environment | str:
    """What is installed in an environment, or why nobody can tell."""
    python = interpreter(place)
    if python is None:
        return f"there is no environment at {place.name}: it has no Python"
    try:
        done = subprocess.run(
            [str(python), "-I", str(Path(list_packages.__file__))], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        listed = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"the environment {place.name} does not run: {type(error).__name__}"
    folders = tuple((package["folder"], package["editable"]) for package in listed["packages"] if package["folder"])
    return Environment(backend, python, listed["base_python"], pins(listed), folders, listed["build"])


def pins(listed: Mapping[str, Any]) -> str:
    """The text of a file of pins.

    >>> print(pins({"python": "3.11.9", "packages": [{"name": "numpy", "version": "2.4.6", "url": "", "folder": ""}]}), end="")
    # python 3.11.9
    numpy==2.4.6
    """
    lines = []
    for package in sorted(listed["packages"], key=lambda package: str(package["name"]).lower()):
        name, version = package["name"], package["version"]
        if name.lower() in UNUSED:
            continue
        if package["folder"]:
            lines.append(f"# from a folder: {name} {version}")
        elif package["url"]:
            lines.append(f"{ELSEWHERE}{name} {version}")
        else:
            lines.append(f"{name}=={version}")
    return "\n".join([f"{HEADING}{listed['python']}", *lines]) + "\n"


def checked_pins(text: str) -> list[str]:
    """The requirements of a file of pins.

    Raises:
        ValueError: a line is anything else than ``name==version``, or a package did not come from an index. Files of pins come
            from histories, and histories from elsewhere: no option, URL, folder or index of theirs reaches pip.
    """
    found = []
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith(ELSEWHERE):
            raise ValueError(f"{stripped.removeprefix(ELSEWHERE)[:60]!r} did not come from an index")
        if not stripped or stripped.startswith("#"):
            continue
        if not _PIN.fullmatch(stripped):
            raise ValueError(f"{stripped[:60]!r} is no exact version")
        name, _, version = stripped.partition("==")
        try:
            found.append(f"{name}=={Version(version)}")
        except InvalidVersion:
            raise ValueError(f"{stripped[:60]!r} is no exact version") from None
    return found


def kept_pins(night: Path, backend: str) -> str | None:
    """The pins that a night kept, or ``None`` if it kept none."""
    try:
        with opened(pins_file(night, backend)) as file:
            raw = file.read(LONGEST + 1)
        return raw.decode() if len(raw) <= LONGEST else None
    except (OSError, UnicodeDecodeError):
        return None


def pins_file(night: Path, backend: str) -> Path:
    """Where a night keeps a backend's pins."""
    return night / f"packages_{backend}.txt"


def python_of(text: str) -> str:
    """The version of Python in a file of pins, or an empty string."""
    first = text.partition("\n")[0]
    return first.removeprefix(HEADING).strip() if first.startswith(HEADING) else ""


def difference(old: str, new: str) -> str:
    """What differs between two sets of pins, in words.

    >>> difference("# python 3.11.9\\nnumpy==2.4.5\\nsix==1\\n", "# python 3.11.9\\nnumpy==2.4.6\\n")
    'numpy 2.4.5 → 2.4.6, six 1 → none'
    """
    versions = [_versions(text) for text in (old, new)]
    names = sorted(name for name in {*versions[0], *versions[1]} if versions[0].get(name) != versions[1].get(name))
    words = [f"{name} {versions[0].get(name, 'none')} → {versions[1].get(name, 'none')}" for name in names]
    return first_few(words, 12)


def _versions(text: str) -> dict[str, str]:
    found = {"python": python_of(text)}
    for line in text.splitlines():
        stripped = line.removeprefix("# from a folder: ").removeprefix(ELSEWHERE)
        if stripped.startswith("#"):
            continue
        for separator in ("==", " "):
            name, found_separator, version = stripped.partition(separator)
            if found_separator:
                found[name] = version
                break
    return found
