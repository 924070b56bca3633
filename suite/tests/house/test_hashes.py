"""What continuous integration installs by hashes: of the versions that everything else has, complete, and each with a hash."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
EXTRAS = ("nightly", "tests", "browser", "docs")
BUILD = ("hatchling", "editables")
"""What an editable installation of the project is built with."""


def pins_of(text: str) -> dict[str, str]:
    """The version of each package that a file of requirements pins."""
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text)
    return {canonicalize_name(name): version for name, version in found}


def problems(hashed: str, constraints: str, project: dict) -> list[str]:
    """What is wrong with a file of hashed requirements: versions that differ, packages that are missing or have no hash."""
    pins, versions = pins_of(hashed), pins_of(constraints)
    differing = {name: version for name, version in pins.items() if versions.get(name) != version}
    wrong = [f"{name} {version}: constraints.txt has {versions.get(name)}" for name, version in differing.items()]
    needed = [*project["dependencies"], *(item for name in EXTRAS for item in project["optional-dependencies"][name]), *BUILD]
    names = {canonicalize_name(Requirement(item).name) for item in needed} - {"tensorproof"}
    wrong += [f"{name} is missing" for name in sorted(names - pins.keys())]
    blocks = re.split(r"(?m)^(?=[A-Za-z])", hashed)[1:]
    return wrong + [f"{block.split()[0]} has no hash" for block in blocks if "--hash=sha256:" not in block]


def given() -> tuple[str, str, dict]:
    """The files as they are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return (ROOT / ".ci/core.txt").read_text(encoding="utf-8"), (ROOT / "constraints.txt").read_text(encoding="utf-8"), project


def test_hashed_requirements_agree_with_the_constraints_and_are_complete():
    assert problems(*given()) == []


@pytest.mark.parametrize(
    ("pattern", "new", "expected"),
    [
        (r"numpy==2", "numpy==1", "numpy 1"),
        (r"hatchling==", "# hatchling==", "hatchling is missing"),
        (r"einops==(\S+) \\\n(    --hash=.*\n)+", r"einops==\1\n", "einops==0.8.2 has no hash"),
    ],
)
def test_a_version_that_differs_and_a_missing_hash_are_noticed(pattern, new, expected):
    hashed, constraints, project = given()
    changed, count = re.subn(rf"(?m)^{pattern}", new, hashed)
    assert count == 1
    assert any(text.startswith(expected) for text in problems(changed, constraints, project))
