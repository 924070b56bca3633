"""The commands of docs/validate-your-backend.md print what is shown there."""

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "validate-your-backend.md"
STEP = re.compile(r"<!-- write: (?P<path>\S+) -->\n```python\n(?P<code>.*?)```|```console\n(?P<console>\$ .*?)```", re.DOTALL)


def steps() -> list[dict[str, str]]:
    """What a reader does, in order: code to write into a file, and commands with their output."""
    return [found.groupdict() for found in STEP.finditer(GUIDE.read_text(encoding="utf-8"))]


def commands(console: str) -> list[tuple[str, list[str]]]:
    """Each command of a block with the lines that are shown below it."""
    parts = re.split(r"(?m)^\$ ", console)[1:]
    return [(part.splitlines()[0], part.splitlines()[1:]) for part in parts]


def write_function(path: Path, code: str) -> None:
    """Put a function in the place of the one that has its name."""
    name = next(node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    old = next(node for node in ast.parse("".join(lines)).body if isinstance(node, ast.FunctionDef) and node.name == name)
    first = min([old.lineno, *(decorator.lineno for decorator in old.decorator_list)])
    path.write_text("".join([*lines[: first - 1], code, *lines[old.end_lineno :]]), encoding="utf-8")


def install(folder: Path) -> None:
    """What ``pip install -e`` leaves, without a package index."""
    group = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]["tensorproof.backends"]
    metadata = folder / "tensorproof_mine-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorproof-mine\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tensorproof.backends]\nmine = {group['mine']}\n")


def shown(expected: list[str], printed: list[str]) -> str:
    """The first line of the guide that is not printed, in order; ``…`` stands for any text, or for any lines.

    One number is as good as another: there are more samples every month.
    """
    rest = (re.sub(r"\d+", "0", line) for line in printed)
    for line in expected:
        pattern = ".*".join(re.escape(part) for part in re.sub(r"\d+", "0", line).split("…"))
        if line != "…" and not any(re.fullmatch(pattern, other) for other in rest):
            return line
    return ""


def test_a_line_that_is_not_printed_is_noticed():
    assert shown(["a", "…", "c 1 … d"], ["a", "b", "c 1 2 d"]) == ""
    assert shown(["a", "c"], ["c", "a"]) == "c"


@pytest.mark.skipif(shutil.which("sed") is None, reason="the guide's commands use sed")
def test_the_commands_print_what_the_guide_shows(tensorproof, tmp_path: Path):
    folder = tmp_path / "tensorproof-mine"
    assert len(steps()) >= 6
    for step in steps():
        if step["code"]:
            write_function(tmp_path / step["path"], step["code"])
            continue
        for command, expected in commands(step["console"]):
            if command.startswith("pip install"):
                install(folder)
            elif command.startswith("sed "):
                subprocess.run(command, shell=True, cwd=tmp_path, check=True)
            else:
                printed = tensorproof(*command.split()[1:], path=folder).text
                assert shown(expected, printed.splitlines()) == "", f"{command}\n{printed}"
