"""Charts of timings: Altair draws, ``vl-convert-python`` renders to SVG without a browser or network.

Both are optional (the extra ``charts``). A chart is embedded as an image, so that nothing in it can run, and the library escapes
the labels. The palette is Okabe and Ito's; verdicts differ in shape as well, and none is green.
"""

import base64
import importlib
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensorproof.conformance.verdict import LARGEST_Z
from tensorproof_reports import fields
from tensorproof_reports.duels import VERDICTS, Duel

ROWS_PER_CHART = 40
MOST_DUEL_CHARTS = 4
MOST_POINTS = 200
"""Points of the chart of speed against accuracy, which is one chart: about 400 bytes each."""

LEAST_BARS, MOST_BARS = 0.01, 1e6
"""Where errors begin and end on the logarithmic axis; smaller ones, zero, and larger ones are drawn there."""

LEAST_SPEED, MOST_SPEED = 1e-6, 1e15
"""Ratios and nanoseconds that the chart shows: from a millionth to eleven days."""

BACKGROUND, INK, GRID = "#f7f8f9", "#1b1f24", "#dde2e6"
"""Of the images themselves, so that they read on light and dark pages alike."""

SAME = (0.98, 1.02)
"""The ratios that count as the same speed."""

VERDICT_COLOURS = {"faster": "#0072B2", "slower": "#D55E00", "same": "#5b6570", "not_resolved": "#9c6f9b"}
VERDICT_SHAPES = {"faster": "triangle-up", "slower": "triangle-down", "same": "square", "not_resolved": "circle"}
CONTENDER_COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#56B4E9", "#E69F00", "#5b6570", "#000000", "#009E73")
CONTENDER_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left", "triangle-right")

UNAVAILABLE = "Charts are left out: they need Altair and vl-convert-python (pip install 'tensorproof[charts]')."


@dataclass(frozen=True)
class Chart:
    """An image as a data URI, with what it shows for those who do not see it, and what stands beneath it."""

    uri: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Point:
    """A series in the chart of speed against accuracy."""

    contender: str
    bars: float
    speed: float
    trusted: bool


def available() -> bool:
    """Whether the libraries that draw are installed."""
    try:
        _library("altair")
        _library("vl_convert")
    except ImportError:
        return False
    return True


def _library(name: str) -> Any:
    """An optional library, which the type checker need not have either."""
    return importlib.import_module(name)


def _image(chart: Any, alt: str, caption: str) -> Chart:
    """Render a chart; whatever its data say, nothing is fetched."""
    styled = (
        chart.configure(background=BACKGROUND, font="sans-serif", padding=8, aria=False)
        .configure_axis(labelColor=INK, titleColor=INK, gridColor=GRID, labelLimit=600, titleFontWeight="normal")
        .configure_legend(labelColor=INK, titleColor=INK, orient="top", columns=4, labelLimit=200)
        .configure_view(stroke=GRID)
    )
    svg = _library("vl_convert").vegalite_to_svg(styled.to_dict(), allowed_base_urls=[])
    width, height = _size_of(svg)
    encoded = base64.b64encode(svg.encode()).decode()
    return Chart(f"data:image/svg+xml;base64,{encoded}", alt, caption, width, height)


def _size_of(svg: str) -> tuple[int, int]:
    """Width and height in pixels, which the root element says first; the page reserves the room."""
    root = ElementTree.fromstring(svg)
    return round(float(root.get("width", "0"))), round(float(root.get("height", "0")))


def log_ticks(low: float, high: float) -> list[float]:
    """Where a logarithmic axis from ``low`` to ``high`` is labelled, so that labels keep apart.

    >>> log_ticks(0.3, 5.0), log_ticks(0.02, 4000.0)
    ([0.5, 1.0, 2.0, 5.0], [0.1, 1.0, 10.0, 100.0, 1000.0])
    >>> log_ticks(0.9, 1.2)
    [0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2]
    """
    decades = math.log10(high / low)
    if decades < 0.5:
        power = math.floor(math.log10((high - low) / 6))
        step = next(step for step in (1, 2, 5, 10) if (high - low) / (step * 10.0**power) <= 8) * 10.0**power
        return [
            float(f"{number * step:.10g}") for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        ]
    factors = (1, 2, 5) if decades <= 2.5 else (1,)
    every = max(1, round(decades / 8))
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{factor}e{power}") for power in powers if power % every == 0 for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def _labels(duels: Sequence[Duel]) -> list[str]:
    """What tells duels apart: the words of their places that differ, the contender, and the reference if there are several."""
    shared = [len({duel.place[position] for duel in duels}) == 1 for position in range(4)]
    # The operation stays: a chart without it says too little.
    kept = [0, *(position for position in (1, 2, 3) if not shared[position])]
    against = len({duel.reference for duel in duels}) > 1
    return [
        fields.clipped(
            f"{' '.join(duel.place[position] for position in kept)} · {duel.contender}"
            + (f" / {duel.reference}" if against else ""),
            70,
        )
        for duel in duels
    ]


def drawn_duels(duels: Sequence[Duel]) -> list[Duel]:
    """The duels that are drawn, in their order: all, or those furthest from equal speed where there are too many."""
    drawable = [duel for duel in duels if duel.drawable]
    most = ROWS_PER_CHART * MOST_DUEL_CHARTS
    if len(drawable) <= most:
        return drawable
    furthest = sorted(range(len(drawable)), key=lambda index: -abs(math.log(drawable[index].ratio or 1.0)))[:most]
    return [drawable[index] for index in sorted(furthest)]


def duel_charts(duels: Sequence[Duel]) -> list[Chart]:
    """Dot-and-interval charts on a logarithmic axis, up to ``ROWS_PER_CHART`` duels each."""
    drawn = drawn_duels(duels)
    if not drawn:
        return []
    number = math.ceil(len(drawn) / ROWS_PER_CHART)
    each = math.ceil(len(drawn) / number)
    note = "" if len(drawn) == len(duels) else f" Drawn are {len(drawn)} of {len(duels)} duels, those furthest from equal speed."
    ends = [value for duel in drawn for value in (duel.low, duel.high, *SAME) if value is not None]
    labels = _labels(drawn)
    return [
        _duel_chart(
            drawn[start : start + each],
            labels[start : start + each],
            (min(ends) / 1.02, max(ends) * 1.02),
            "Time ratio with its 95 % interval"
            + (f", part {1 + start // each} of {number}" if number > 1 else "")
            + "; the band is ±2 %."
            + note,
        )
        for start in range(0, len(drawn), each)
    ]


def _duel_chart(duels: Sequence[Duel], labels: Sequence[str], domain: tuple[float, float], caption: str) -> Chart:
    alt = _library("altair")

    # The number keeps duels with equal labels apart, and rows in order; the axis shows what follows it.
    rows = [
        {
            "row": f"{number:04d}{label}",
            "ratio": duel.ratio,
            "low": duel.low,
            "high": duel.high,
            "verdict": VERDICTS[duel.verdict][1],
        }
        for number, (duel, label) in enumerate(zip(duels, labels, strict=True))
    ]
    references = {duel.reference for duel in duels}
    of_what = fields.clipped(next(iter(references)), 60) if len(references) == 1 else "the reference contender"
    words = [VERDICTS[verdict][1] for verdict in VERDICTS]
    colour = alt.Color("verdict:N", title=None, scale=alt.Scale(domain=words, range=list(VERDICT_COLOURS.values())))
    shape = alt.Shape("verdict:N", title=None, scale=alt.Scale(domain=words, range=list(VERDICT_SHAPES.values())))
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    axis = alt.Axis(title=f"time / time of {of_what}  (less is faster)", values=log_ticks(*domain), format="~g")
    # Fonts differ from machine to machine, so the room for labels is taken from their length, not from the fonts here.
    room = 6.5 * max(len(label) for label in labels)
    y = alt.Y("row:N", title=None, sort=None, axis=alt.Axis(labelExpr="slice(datum.label, 4)", labelFontSize=10, minExtent=room))
    band = alt.Chart(alt.Data(values=[{"from": SAME[0], "to": SAME[1]}])).mark_rect(color="#c9d0d6", opacity=0.6)
    base = alt.Chart(alt.Data(values=rows))
    interval = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", y=y, color=colour)
    dot = base.mark_point(size=50, filled=True, opacity=1).encode(
        x=alt.X("ratio:Q", scale=scale, axis=axis), y=y, color=colour, shape=shape
    )
    layers = alt.layer(band.encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q"), interval, dot)
    counts = Counter(duel.word for duel in duels)
    summary = ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
    text = f"Dot-and-interval chart of {len(duels)} duels on a logarithmic axis: {summary}. The table has the numbers."
    return _image(layers.properties(width=520, height=alt.Step(16)), text, caption)


def accuracy_chart(points: Sequence[Point], speed_title: str) -> Chart | None:
    """Speed against accuracy, one point a series; ``None`` if there is no series with both."""
    # Beyond what fits, those with the greatest errors: a contender that is fast because it is inexact is what the chart is for.
    drawable = [point for point in points if LEAST_SPEED < point.speed < MOST_SPEED]
    drawn = sorted(drawable, key=lambda point: -point.bars)[:MOST_POINTS]
    if not drawn:
        return None
    alt = _library("altair")
    contenders = sorted({point.contender for point in drawn})
    colours = [CONTENDER_COLOURS[index % len(CONTENDER_COLOURS)] for index in range(len(contenders))]
    shapes = [CONTENDER_SHAPES[index % len(CONTENDER_SHAPES)] for index in range(len(contenders))]
    rows: list[dict[str, Any]] = [
        {
            "contender": point.contender,
            "bars": min(max(point.bars, LEAST_BARS), MOST_BARS),
            "speed": point.speed,
            "trusted": point.trusted,
        }
        for point in drawn
    ]
    least, most = min(row["bars"] for row in rows) / 1.2, max(LARGEST_Z, *(row["bars"] for row in rows)) * 1.2
    slowest, fastest = max(point.speed for point in drawn) * 1.1, min(point.speed for point in drawn) / 1.1
    x_scale = alt.Scale(type="log", nice=False, domain=[least, most])
    y_scale = alt.Scale(type="log", nice=False, domain=[fastest, slowest])
    x_axis = alt.Axis(title="largest error, in bars", values=log_ticks(least, most), format="~g")
    y_axis = alt.Axis(title=speed_title, values=log_ticks(fastest, slowest), format="~g")
    colour = alt.Scale(domain=contenders, range=colours)
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(size=45, strokeWidth=1.5)
        .encode(
            x=alt.X("bars:Q", scale=x_scale, axis=x_axis),
            y=alt.Y("speed:Q", scale=y_scale, axis=y_axis),
            stroke=alt.Stroke("contender:N", title=None, scale=colour),
            fill=alt.Fill("contender:N", title=None, scale=colour),
            shape=alt.Shape("contender:N", title=None, scale=alt.Scale(domain=contenders, range=shapes)),
            fillOpacity=alt.condition("datum.trusted", alt.value(0.7), alt.value(0.0)),
        )
    )
    limit = alt.Chart(alt.Data(values=[{"limit": LARGEST_Z}])).mark_rule(strokeDash=[5, 4], color=INK).encode(x="limit:Q")
    caption = "Speed against accuracy: left is closer to the reference, low is fast. Hollow: not trusted. "
    caption += f"Dashed: the limit, {LARGEST_Z:g} bars. "
    caption += f"Errors under {LEAST_BARS:g} and over {MOST_BARS:,.0f} bars are drawn at the edges."
    if len(drawn) < len(points):
        caption += f" Drawn are the {len(drawn)} of {len(points)} series with the greatest errors."
    beyond = sum(point.bars > LARGEST_Z for point in points)
    alt_text = (
        f"Scatter plot of {len(drawn)} series, error in bars against time; {beyond} lie beyond the limit of {LARGEST_Z:g} bars."
    )
    return _image(alt.layer(chart, limit).properties(width=520, height=320), alt_text + " The table has the numbers.", caption)
