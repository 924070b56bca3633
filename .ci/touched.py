"""Which backends a change touches: those whose whole conformance has to run. Prints their names.

python .ci/touched.py [BASE]      # BASE: the commit before the change (default: the newest that is a day older than HEAD)
"""

import subprocess
import sys

BACKENDS = ("numpy", "jax", "tensorflow", "torch")
EVERYTHING = ("reference/tensorproof_reference/", "suite/tensorproof/", "constraints.txt", "pyproject.toml")
"""What every backend's conformance rests on."""
APART = ("suite/tensorproof/timing/", "suite/tensorproof/nightly/", "suite/tensorproof/benchmarks/")
"""What of it conformance does not run."""


def git(*arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def touched(files: list[str]) -> list[str]:
    """The backends that changed files touch."""
    if any(name.startswith(EVERYTHING) and not name.startswith(APART) for name in files):
        return list(BACKENDS)
    return [backend for backend in BACKENDS if any(name.startswith(f"plugins/{backend}/tensorproof_") for name in files)]


def changed_since(base: str) -> list[str]:
    """The files that differ from a commit; from nothing, if there is none."""
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's tree without files
    return git("diff", "--name-only", base or empty, "HEAD").splitlines()


if __name__ == "__main__":
    day_before = int(git("show", "-s", "--format=%ct", "HEAD")) - 86_400
    base = sys.argv[1] if len(sys.argv) > 1 else git("rev-list", "-1", f"--before={day_before}", "HEAD")
    print(*touched(changed_since(base)))
