"""What a text may say of a machine and its user: no folder, no name, no secret of a URL.

``cleaned`` is applied to every text of every line that is written. The schema says which fields there are; this says what their
texts may look like.
"""

import contextlib
import functools
import getpass
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# No text may take longer than its length asks for: parts that are tried from each place have a limit, or one place to begin.
_URL = re.compile(r"""(?:\b([A-Za-z][A-Za-z0-9+.-]{0,63}))?://([^\s'"<>]+)""")
_KEPT_SCHEMES = ("http", "https")
_HOME = r"(?:home|Users|mnt|media|Volumes|srv|data)"
_NAMED = re.compile(rf"""(?<![\w.:/\\])(?:[A-Za-z]:[\\/]+|/+{_HOME}/+)(?:[^'"\\/:<>|\n,;()]+[\\/]+)*[^\s'"\\/:<>|\n,;()]*""")
"""A path under a folder that holds people's folders: blanks belong to it as long as a separator follows."""
_PATH = re.compile(r"""(?:(?<![\w.:/])[A-Za-z]:|(?<![\w.:/\\]))[\\/]++(?:[^\s'"\\/:<>|]+[\\/]+)+""")
_SECRET = re.compile(
    r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|pypi-|sk-|xox[abpr]-|AKIA)[A-Za-z0-9_-]{12,}"
    r"|(?i:\b(token|password|passwd|secret|api[_-]?key)\b(\s*[=:]\s*)['\"]?[^\s'\"&,;]+)"
)
_TILDE = re.compile(r"(?<![\w.~/])~[\w.-]*[\\/](?:[^\s'\"\\/:<>|]+[\\/])*")
_MARKS = re.compile(r"[/\\~]")
"""What every folder, URL and home has: most texts have none."""
COMMON = frozenset(
    (
        "root",
        "user",
        "users",
        "admin",
        "administrator",
        "runner",
        "runneradmin",
        "ubuntu",
        "debian",
        "docker",
        "localhost",
        "localdomain",
        "home",
        "build",
        "builder",
        "jenkins",
        "test",
        "tests",
        "tester",
        "python",
        "torch",
        "numpy",
        "jax",
        "tensorflow",
        "tensorproof",
        "default",
        "guest",
        "nobody",
        "linux",
        "macos",
        "windows",
        "host",
        "node",
        "work",
        "vscode",
        "codespace",
        "gitpod",
        "app",
        "main",
        "worker",
        "server",
        "local",
        "data",
    )
)
"""Names of users and machines that name nobody; taking them out would spoil sentences."""


@functools.cache
def _names() -> re.Pattern[str] | None:
    """The names of this machine and its user, as whole words; ``None`` where they say nothing."""
    found = {platform.node(), platform.node().partition(".")[0], Path.home().name}
    with contextlib.suppress(KeyError, OSError, ImportError):  # a user without a name, as in some containers
        found.add(getpass.getuser())
    telling = sorted((name for name in found if len(name) > 2 and name.lower() not in COMMON), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, telling))})(?!\w)") if telling else None


@functools.cache
def _folders() -> tuple[str, ...]:
    """This user's home and the current folder, as they are written: blanks in them are no ends of a path."""
    folders = {str(Path.home())}
    with contextlib.suppress(OSError):  # the current folder is gone
        folders.add(str(Path.cwd()))
    return tuple(sorted((folder for folder in folders if len(folder) > 2), key=len, reverse=True))


def _url(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    rest = re.split(r"[?#]", rest)[0]
    host, slash, path = rest.partition("/")
    if (scheme or "").rpartition("+")[2].lower() not in _KEPT_SCHEMES:
        return rest.rstrip("/").rpartition("/")[2]
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _last_part(found: re.Match[str]) -> str:
    parts = [part for part in re.split(r"[\\/]+", found[0]) if part]
    is_drive = len(parts[0]) == 2 and parts[0][1] == ":"
    root = parts[1:] if is_drive else parts
    # The first folder below is a person's; alone it would be the person's name.
    below = root[1:] if root and re.fullmatch(_HOME, root[0]) else root
    if found[0][-1] in "\\/" or (below is not root and len(below) < 2):
        return "~"
    return parts[-1] if below else "~"


def scrubbed(text: str) -> str:
    """``text`` without folders, names of this machine and its user, and secrets of URLs.

    >>> scrubbed("cannot open '/home/me/project/file.so': denied")
    "cannot open 'file.so': denied"
    >>> scrubbed("index https://ann:t0ken@pypi.example.org/simple?key=1 at /home/ann")
    'index https://pypi.example.org/simple at ~'
    """
    if _MARKS.search(text):
        text = _without_places(text)
    text = _SECRET.sub(lambda found: f"{found[1] or ''}{found[2] or ''}…", text)
    names = _names()
    return names.sub("…", text) if names else text


def _without_places(text: str) -> str:
    for folder in _folders():
        text = text.replace(f"{folder}/", "/./").replace(f"{folder}\\", "/./")
        text = re.sub(rf"(?<![\w.:/]){re.escape(folder)}(?![\w/])", "~", text)
    urls: list[str] = []

    def keep(found: re.Match[str]) -> str:
        urls.append(_url(found))
        return f"\x00{len(urls) - 1}\x00"

    text = _URL.sub(keep, text)
    text = _NAMED.sub(_last_part, text)
    text = _PATH.sub("", text)
    text = _TILDE.sub("", text)
    return re.sub("\x00(\\d+)\x00", lambda found: urls[int(found[1])] if int(found[1]) < len(urls) else "", text)


def encodable(text: str) -> str:
    """``text`` with lone surrogates written out, as UTF-8 has none.

    >>> encodable("bad \\udc80 name")
    'bad \\\\udc80 name'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _text(text: str) -> str:
    return scrubbed(encodable(text))


_short = functools.lru_cache(maxsize=4096)(_text)
"""Fields' names, operations, samples and statuses stand in every line, and a check's message is cleaned where it is made,
where its line is made, and where that is written."""
_SHORT = 512
"""Characters of a text that is kept with what became of it."""


_BARE = frozenset((float, int, bool, type(None)))
"""Types without text: most of a line's values."""


def cleaned(value: Any) -> Any:
    """A line's value with every text private and encodable; tuples become lists, as JSON has no others."""
    if isinstance(value, str):
        return _short(value) if len(value) <= _SHORT else _text(value)
    if isinstance(value, dict | Mapping):  # a dict at once: to ask Mapping takes longer
        return {
            (cleaned(key) if isinstance(key, str) else key): item if type(item) in _BARE else cleaned(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [item if type(item) in _BARE else cleaned(item) for item in value]
    return value
