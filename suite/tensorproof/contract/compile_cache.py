"""Where compiled programs are kept from one run to the next: a folder, and in it one for each backend."""

from pathlib import Path

from tensorproof.errors import UsageError

COMPILE_CACHE = "--compile-cache"


def programs_folder(place: Path, label: str, instructions: str | None = None) -> Path:
    """The folder of a backend's compiled programs, made if it is not there; a limited instruction set has one of its own.

    Raises:
        UsageError: it cannot be made.
    """
    name = f"{label} {instructions}" if instructions else label
    folder = (place / name.replace(" ", "_")).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{COMPILE_CACHE}: {place.name} cannot be written: {error.strerror}") from None
    return folder


def has_programs(folder: Path) -> bool:
    """Whether an earlier run has left programs there."""
    return folder.is_dir() and any(folder.iterdir())
