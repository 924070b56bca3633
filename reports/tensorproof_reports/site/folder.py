"""The folder that a site is written into: a new one, an empty one, or one that has an index of ours."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorproof.errors import UsageError
from tensorproof.lines.outputs import is_page, require_place, write_page_text
from tensorproof.lines.reading import name_of

INDEX = "index.html"
OPERATIONS, NIGHTS = FOLDERS = ("operations", "nights")
"""Where the pages of operations and of nights lie."""


def require_folder(option: str, folder: Path, others: Iterable[Path] = (), *, force: bool = False) -> None:
    """Refuse a folder before anything is read.

    ``others`` are the files that the command reads.

    Raises:
        UsageError: it is a file, it has something in it and no index of ours (unless ``force``), a file that the command reads
            lies in it, or it cannot be written.
    """
    shown = name_of(folder)
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{option}: {shown} is a file; give the name of a folder")
    try:
        ours = not folder.exists() or is_page(folder / INDEX) or next(folder.iterdir(), None) is None
    except OSError as error:
        raise UsageError(f"{option}: {shown} cannot be read: {error.strerror}") from None
    for path in others:
        if path.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{option}: {name_of(path)} lies in {shown}; give another folder, so that no record is written over")
    if not ours and not force:
        raise UsageError(
            f"{option}: {shown} holds no site of tensorproof; give a new or empty folder, or --force to write into it"
        )
    require_place(option, folder / INDEX, force=force)


def write_folder(option: str, folder: Path, pages: Mapping[str, str], *, force: bool = False) -> None:
    """Write pages where ``require_folder`` allows it, the index first, and remove those of operations and nights
    that are no longer told of.

    A file that is no page of ours is neither replaced (unless ``force``) nor removed.

    Raises:
        UsageError: a file cannot be written.
    """
    require_folder(option, folder, force=force)
    for place in pages:
        require_place(option, folder / place, force=force)
    for place, text in pages.items():
        write_page_text(option, folder / place, text, force=force)
    wanted = {folder / place for place in pages}
    for beside in FOLDERS:
        for path in sorted((folder / beside).glob("*.html")):
            if path not in wanted and path.is_file() and is_page(path):
                path.unlink()
