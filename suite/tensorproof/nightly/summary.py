"""The Markdown summary of a night, for a pull request, a workflow's page or a mail."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorproof.nightly.confirm import series_of
from tensorproof.nightly.judge import Alarm, Judgement

SHOWN = 30
"""Rows of a table; the rest are counted and in ``verdict.ndjson``."""
TEXT = 300
"""Characters of a cell."""

_PLAIN = re.compile(r"(?!_)(?:\w|(?<!:)/|[ .,;:()%+=×±→–…'\"?-])*(?<!_)", re.UNICODE)
"""Texts that no reader of Markdown takes for markup: words, numbers and marks between them."""

TABLES = (
    ("slower", "Confirmed regressions", "Slower with the new packages than with the old, in the same rounds."),
    ("faster", "Confirmed improvements", ""),
    ("cleared", "Cleared", "The history moved, but old and new packages are equally fast in the same rounds: no alarm."),
    ("not_resolved", "Not resolved", "The rounds could not tell; measured again next night."),
    ("same_packages", "Not confirmed: same packages", "The history moved and no package did: no alarm."),
    ("unconfirmable", "Could not be confirmed", "Shown, not alarmed."),
    ("over_limit", "Waiting for a confirmation", "More candidates than a night may confirm; the next one goes on."),
    ("waiting", "Not confirmed yet", "The confirmation of this night has not ended."),
)


def escaped(text: object) -> str:
    """Text of a record as text of a cell in Markdown, which reads as it is in a mail too: at most 300 characters in a line.

    What could be markup, HTML, a link or a mention becomes code, in which it is none.

    >>> escaped("softmax forward: 3 bars"), escaped("a|b `c`\\n<img src=x> @me")
    ('softmax forward: 3 bars', '`a¦b ´c´ <img src=x> @me`')
    """
    short = "".join(letter for letter in " ".join(str(text).split()) if letter.isprintable())
    short = short if len(short) <= TEXT else f"{short[:TEXT]}…"
    if _PLAIN.fullmatch(short):
        return short
    return f"`{short.replace('`', '´').replace('|', '¦')}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    cells = [[escaped(cell) for cell in row] for row in rows]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in cells[:SHOWN])]
    return [*lines, *([f"\n… and {len(cells) - SHOWN} more"] if len(cells) > SHOWN else []), ""]


def headline(alarms: Sequence[Alarm]) -> str:
    """The verdict in a line.

    >>> headline([])
    '✓ nothing to alarm'
    >>> headline([Alarm("regression", "torch", ""), Alarm("missing", "jax", "")])
    '✗ 1 regression, 1 missing'
    """
    counts = Counter(alarm.kind for alarm in alarms)
    return f"✗ {', '.join(f'{count} {kind}' for kind, count in counts.items())}" if alarms else "✓ nothing to alarm"


def summary(judgement: Judgement) -> str:
    """The summary of a night."""
    lines = [f"# Night {judgement.night}", "", f"**{headline(judgement.alarms)}**", ""]
    if judgement.alarms:
        rows = [(alarm.kind, alarm.subject, alarm.message) for alarm in judgement.alarms]
        lines += ["## Alarms", "", *_table(("kind", "of", "what"), rows)]
    lines += _causes(judgement)
    lines += ["## Conformance and timings", "", *_backends(judgement)]
    for state, title, words in TABLES:
        chosen = [line for line in judgement.findings if line["state"] == state]
        if chosen:
            lines += [f"## {title}", "", *([words, ""] if words else []), *_findings(chosen)]
            if state == "slower":
                lines += _how_to_accept(chosen[0])
    return "\n".join([*lines, *_method(judgement)]).rstrip() + "\n"


def _causes(judgement: Judgement) -> list[str]:
    """What is wrong by cause, and what became of the causes of the night before."""
    rows = [(backend.name, "changed" if line in backend.changes else "tonight", line)
            for backend in judgement.backends for line in (*backend.changes, *backend.causes)]  # fmt: skip
    return ["## Causes", "", *_table(("backend", "", "cause"), rows)] if rows else []


def _backends(judgement: Judgement) -> list[str]:
    statuses = sorted({status for backend in judgement.backends for status in backend.counts} | {"passed", "failed"})
    head = (
        "backend",
        "versions",
        "verdict",
        *(escaped(status.replace("_", " ")) for status in statuses),
        "series timed",
        "compared",
    )
    rows = [
        (
            backend.name,
            backend.versions or "–",
            backend.verdict or "–",
            # A backend without a record has no counts, and no zeros either.
            *(backend.counts.get(status, 0) if backend.counts else "–" for status in statuses),
            backend.measured or "–",
            backend.compared or "–",
        )
        for backend in judgement.backends
    ]
    return _table(head, rows)


def _findings(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ("series", "since", "history", "old against new", "first alarm")
    return _table(
        head,
        (
            (
                series_of(line).name,
                line["since"],
                f"{line['factor'] - 1:+.1%}",
                line["message"] or "–",
                line["first_alarm"] or "–",
            )
            for line in lines
        ),
    )


def _how_to_accept(line: Mapping[str, Any]) -> list[str]:
    name = re.sub(r"[^\w .+-]", "?", series_of(line).name)
    return [
        "To accept one, add to `accepted.toml`, with your reason:",
        "",
        "```toml",
        "[[accepted]]",
        f'series = "{name}"',
        f"since = {line['since'][:10]}",
        'reason = "…"',
        "```",
        "",
    ]


def _method(judgement: Judgement) -> list[str]:
    gated = judgement.gated
    machines = "; ".join(map(escaped, judgement.machines)) or "none: no record of timings"
    lines = [
        "## Method",
        "",
        f"- {gated.tested} series tested, {gated.changes} with a change point, {len(gated.candidates)} candidates "
        f"after the false discovery rate of 5 % and the least change of 3 %; {gated.too_little_history} with too little history",
        f"- class of machine: {machines}; others are not compared",
    ]
    if judgement.resolution:
        lines.append(f"- resolution of the night (A/A): {escaped(judgement.resolution)}")
    if judgement.seconds:
        times = ", ".join(f"{escaped(name)} {seconds:.0f} s" for name, seconds in judgement.seconds.items())
        lines.append(f"- time taken: {times}")
    lines += [f"- {escaped(note)}" for note in judgement.notes]
    return lines
